"""What the SIP gateway tells the runtime: flat, frozen, past tense. A leg ends with exactly one LegEnded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.tolls.calls import Barred
from voicegw.sdp.negotiate import MediaSession
from voicegw.sdp.recording import RecordedStream
from voicegw.sip.parties import NOBODY, Parties


@dataclass(frozen=True, slots=True)
class RecordingOffer:
    """What opens a recording session (RFC 7866): ``places`` are the sections of the offer that need a port of ours.

    ``metadata`` is the document about who is recorded, unread; b"" where there is none.
    """

    places: tuple[int, ...]
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class LegInvited:
    """A call came in; 100 has been sent.

    ``called`` is the number or name in the Request-URI, ``calling`` the one in From, both without the host.
    ``headers`` has the first value of each header under its long name as text for people. ``phone``: the registered
    user who has proven to be the caller, empty for everybody else.
    """

    leg_id: LegId
    called: str
    calling: str
    display_name: str
    headers: Mapping[str, str]
    sip_call_id: str
    has_offer: bool
    phone: str = ""
    trunk: str = ""
    """Whose call it is; empty: of no trunk that we know."""
    parties: Parties = NOBODY
    """More about who calls whom, and why here."""
    max_call_s: int = 0
    """The longest that the trunk lets a call last, in seconds; 0: no limit of its own."""
    recording: RecordingOffer | None = None
    """Somebody else's audio is to be recorded; None for every other call. ``accept_streams`` answers it."""


@dataclass(frozen=True, slots=True)
class LegRefused:
    """A call was refused at the door, and there is no leg. ``invited`` is what it said, ``source`` its address.

    ``ago_s``: this is told so many seconds after it happened.
    """

    leg_id: LegId
    invited: LegInvited
    cause: HangupCause
    source: str
    ago_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LegConfirmed:
    """The caller acknowledged our answer: the leg is up."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegRinging:
    """The called side of our own call sent 101-199."""

    leg_id: LegId
    status: int


@dataclass(frozen=True, slots=True)
class LegEarlyMedia:
    """Media flows before the answer (RFC 3960): the called side of our call sent a description in a 1xx or UPDATE,
    or a caller agreed to ours in its PRACK. It may come again, with other media; LegRinging does not end it.
    """

    leg_id: LegId
    session: MediaSession


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """The media of a leg is agreed: our call was answered, or an answer to our offer came in an ACK."""

    leg_id: LegId
    session: MediaSession


@dataclass(frozen=True, slots=True)
class LegMediaChanged:
    """A re-INVITE changed the media and was answered: ``session`` holds now. Hold, resume, a new address."""

    leg_id: LegId
    session: MediaSession


@dataclass(frozen=True, slots=True)
class LegStreamsOffered:
    """A recording client offers its streams anew: ``accept_streams`` is due, with a port for each of ``places``."""

    leg_id: LegId
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LegStreamsChanged:
    """Other streams are agreed for a recording session, in answer to what we had said before."""

    leg_id: LegId
    streams: tuple[RecordedStream, ...]


@dataclass(frozen=True, slots=True)
class LegMetadata:
    """More about what is being recorded: a document (RFC 7865), unread."""

    leg_id: LegId
    body: bytes


@dataclass(frozen=True, slots=True)
class LegInfo:
    """INFO in the call (RFC 6086), such as a key press of an old PBX."""

    leg_id: LegId
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class LegKeysSent:
    """Keys of ours went by INFO: all of them, or those before a refusal of ``status``, 408 where no answer came."""

    leg_id: LegId
    digits: str
    status: int


@dataclass(frozen=True, slots=True)
class LegMessage:
    """Text from the far end of a leg (RFC 3428)."""

    leg_id: LegId
    text: str


@dataclass(frozen=True, slots=True)
class LegReferAnswered:
    """The peer answered our REFER (RFC 3515): 2xx, or a refusal; 408 where it did not answer."""

    leg_id: LegId
    status: int


@dataclass(frozen=True, slots=True)
class LegReferNotified:
    """How the call that we asked the peer to make does: its status, 0 if untold. ``final``: the last word."""

    leg_id: LegId
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class LegReferred:
    """The far end asked us to talk with ``target`` in its place (RFC 3515). ``allowed``: we call there."""

    leg_id: LegId
    target: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class LegReferralFailed:
    """Nobody could be talked with at ``target``: the far end stays, if it is still there. ``status``: of SIP."""

    leg_id: LegId
    target: str
    status: int


@dataclass(frozen=True, slots=True)
class LegReplaced:
    """The leg has another far end, ``party``: by REFER or by Replaces. LegMediaChanged follows."""

    leg_id: LegId
    party: str


@dataclass(frozen=True, slots=True)
class LegTrunkFailed:
    """``trunk`` could not carry a call of ours, for a reason of its own; ``next_trunk`` is trying now."""

    leg_id: LegId
    trunk: str
    cause: HangupCause
    sip_status: int
    reason_text: str
    next_trunk: str


@dataclass(frozen=True, slots=True)
class LegBarred:
    """A toll rule does not allow a call of ours, or not any more where it runs. ``ends``: it is to end."""

    leg_id: LegId
    barred: Barred
    running: bool = False
    ends: bool = True


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The last event of a leg. ``sip_status`` is the final status of a refused INVITE, else 0.

    ``reason_text`` is what the peer said about it: its Reason header (RFC 3326) or reason phrase.
    """

    leg_id: LegId
    cause: HangupCause
    sip_status: int = 0
    reason_text: str = ""


LegEvent: TypeAlias = (
    LegInvited
    | LegRefused
    | LegConfirmed
    | LegRinging
    | LegEarlyMedia
    | LegAnswered
    | LegMediaChanged
    | LegStreamsOffered
    | LegStreamsChanged
    | LegMetadata
    | LegInfo
    | LegMessage
    | LegKeysSent
    | LegReferAnswered
    | LegReferNotified
    | LegReferred
    | LegReferralFailed
    | LegReplaced
    | LegTrunkFailed
    | LegBarred
    | LegEnded
)
