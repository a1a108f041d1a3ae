"""What a user agent tells its owner: flat, frozen, in the past tense. Each call ends with exactly one CallEnded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType, TypeAlias

from voicegw.sip.address import Address
from voicegw.sip.message import Headers, Request, Response

SipCallHandle = NewType("SipCallHandle", int)
"""A call of one user agent; never used again for another call."""
RequestHandle = NewType("RequestHandle", int)
"""A request of one user agent outside any call; never used again for another."""
SubscriptionHandle = NewType("SubscriptionHandle", int)
"""A subscription of somebody else with us; never used again for another."""
WatchHandle = NewType("WatchHandle", int)
"""A subscription of ours with somebody else; never used again for another."""
NO_HEADERS = Headers()


class EndedBy(Enum):
    """How a call came to its end."""

    REMOTE_BYE = "the peer sent BYE"
    REMOTE_CANCEL = "the caller cancelled before our answer"
    REMOTE_REFUSAL = "the called party refused"
    LOCAL_BYE = "we hung up"
    LOCAL_CANCEL = "we gave up before the answer"
    LOCAL_REFUSAL = "we refused"
    NO_ACK = "our answer was never acknowledged"
    NO_PRACK = "our provisional response was never acknowledged"
    NO_RESPONSE = "the peer did not answer a request"
    SESSION_EXPIRED = "nobody refreshed the session (RFC 4028)"
    NO_ANSWER = "it rang for too long"
    DIALOG_LOST = "the peer does not know the call any more"
    PEER_ERROR = "the peer's answer cannot be followed"
    TRANSPORT_ERROR = "nothing could be sent"


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """A new call came in; 100 has been sent. ``body`` is the SDP offer, empty without one.

    ``phone``: the registered user who has proven to be the caller; empty for everybody else.
    ``replaces`` is the call that the new one wants to take the place of (RFC 3891): the owner accepts the new one
    and ends the old one, or refuses. ``recording``: it opens a recording session (RFC 7866), in which somebody
    else's audio is only sent to us.
    """

    handle: SipCallHandle
    request: Request
    source: Address
    body: bytes
    phone: str = ""
    replaces: SipCallHandle | None = None
    recording: bool = False


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The peer acknowledged our answer, to the INVITE or a re-INVITE. ``body`` is its SDP answer if we offered."""

    handle: SipCallHandle
    body: bytes


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """The peer wants to change the session (§14.2): ``answer_reinvite`` is due. An empty body asks for an offer."""

    handle: SipCallHandle
    body: bytes


@dataclass(frozen=True, slots=True)
class MetadataReceived:
    """More about what is being recorded, in a re-INVITE or UPDATE of a recording session (RFC 7866 §9.1).

    What is to be done about the session itself, if anything, is told by the event that follows.
    """

    handle: SipCallHandle
    body: bytes


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """Our re-INVITE was accepted. ``wants_answer``: ``body`` is an offer, ``acknowledge`` is due."""

    handle: SipCallHandle
    body: bytes
    wants_answer: bool = False


@dataclass(frozen=True, slots=True)
class ReinviteRefused:
    """Our re-INVITE was refused: the session stays as it was (§14.1). 491 is retried and not reported."""

    handle: SipCallHandle
    status: int


@dataclass(frozen=True, slots=True)
class ProgressReceived:
    """101-199 for our INVITE. ``body`` is early SDP if any: the answer, or what the answer will be.

    ``tag`` names the fork it comes from, empty where the response opens no dialog. ``wants_answer``: ``body`` is an
    offer, ``answer_progress`` is due.
    """

    handle: SipCallHandle
    status: int
    headers: Headers
    body: bytes
    tag: str = ""
    wants_answer: bool = False


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """The peer offers a change in UPDATE or PRACK (RFC 3311, RFC 3262 §5): ``answer_offer`` is due.

    ``tag`` names the fork where our INVITE is not answered yet, as in the two events that follow.
    """

    handle: SipCallHandle
    body: bytes
    tag: str = ""


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """Our offer in an UPDATE or a reliable provisional response was answered; empty where it came to nothing."""

    handle: SipCallHandle
    body: bytes
    tag: str = ""


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """Our UPDATE was refused: the session stays as it was. 491 is retried and not reported."""

    handle: SipCallHandle
    status: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """Our INVITE was accepted. ``wants_answer``: ``body`` is an offer, ``acknowledge`` is due; else ACK is sent.

    ``tag`` names the fork that answered. An empty ``body`` leaves what was agreed with that fork before.
    """

    handle: SipCallHandle
    body: bytes
    remote_target: str
    wants_answer: bool
    tag: str = ""


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """INFO in a call (RFC 6086); 200 has been sent."""

    handle: SipCallHandle
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """Text from ``sender`` (RFC 3428); 200 has been sent. ``handle`` is None where it came outside any call."""

    handle: SipCallHandle | None
    sender: str
    target: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageAnswered:
    """Our text in a call was answered: 2xx, or a refusal; 408 where no answer came."""

    handle: SipCallHandle
    status: int


@dataclass(frozen=True, slots=True)
class KeysSent:
    """Keys of ours by INFO were answered: all, 2xx, or the ``digits`` before a refusal; 408 for no answer."""

    handle: SipCallHandle
    digits: str
    status: int


@dataclass(frozen=True, slots=True)
class ReferAnswered:
    """Our REFER was answered: 2xx, and ReferNotified follow, or a refusal; 408 where no answer came."""

    handle: SipCallHandle
    status: int


@dataclass(frozen=True, slots=True)
class ReferNotified:
    """How the referred call does: the status of its INVITE, 0 if untold. ``final``: nothing more will be told."""

    handle: SipCallHandle
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """The peer asks us to call ``target`` (RFC 3515): ``answer_refer`` is due, then ``notify_refer``.

    ``replaces`` is the value of a Replaces header for that INVITE, ``referred_by`` for Referred-By; empty without.
    """

    handle: SipCallHandle
    target: str
    replaces: str
    referred_by: str


@dataclass(frozen=True, slots=True)
class ReferConcluded:
    """The peer has been told the outcome of its REFER: nothing speaks against ending the call with it."""

    handle: SipCallHandle


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The last event of a call.

    ``status`` is the final status of the INVITE where it was refused, else 0; ``reason`` its reason phrase;
    ``headers`` are those of the message that ended the call (Reason of RFC 3326, Retry-After, Contact of a 3xx).
    """

    handle: SipCallHandle
    ended_by: EndedBy
    status: int = 0
    reason: str = ""
    headers: Headers = NO_HEADERS


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The final answer to a request of ours outside any call. ``request`` is what was sent."""

    handle: RequestHandle
    request: Request
    response: Response


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No final answer to a request of ours outside any call: the peer was silent, or nothing could be sent."""

    handle: RequestHandle
    request: Request
    timed_out: bool


@dataclass(frozen=True, slots=True)
class SubscribeReceived:
    """``subscriber`` wants to know what becomes of ``target`` (RFC 6665): accept or refuse it.

    ``phone``: the registered user who has proven to be the sender; empty for everybody else.
    """

    handle: SubscriptionHandle
    package: str
    target: str
    subscriber: str
    accept: tuple[str, ...]
    source: Address
    phone: str


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """Nobody is told any more: timeout, gone (the subscriber does not answer), or the reason that we gave."""

    handle: SubscriptionHandle
    reason: str


@dataclass(frozen=True, slots=True)
class NotifyReceived:
    """News for a subscription of ours; ``state``: active, pending or terminated."""

    handle: WatchHandle
    state: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class WatchEnded:
    """The last event of a subscription of ours.

    ``status`` is that of a refused SUBSCRIBE, 408 where no NOTIFY came, 0 where the last NOTIFY said ``reason``.
    """

    handle: WatchHandle
    status: int
    reason: str
    retry_after_s: int | None


@dataclass(frozen=True, slots=True)
class InviteRefused:
    """An INVITE was refused before anything was made of it: there is no room (503), or its credentials are not good
    enough. It may come again, as a copy or with others."""

    request: Request
    source: Address
    status: int


SubscriptionEvent: TypeAlias = SubscribeReceived | SubscriptionEnded | NotifyReceived | WatchEnded
OutsideEvent: TypeAlias = RequestAnswered | RequestFailed
CallEvent: TypeAlias = (
    InviteReceived
    | AckReceived
    | ReinviteReceived
    | MetadataReceived
    | ReinviteAnswered
    | ReinviteRefused
    | ProgressReceived
    | OfferReceived
    | OfferAnswered
    | OfferRefused
    | Answered
    | InfoReceived
    | MessageReceived
    | MessageAnswered
    | KeysSent
    | ReferAnswered
    | ReferNotified
    | ReferReceived
    | ReferConcluded
    | CallEnded
)
UserAgentEvent: TypeAlias = CallEvent | OutsideEvent | SubscriptionEvent | InviteRefused
