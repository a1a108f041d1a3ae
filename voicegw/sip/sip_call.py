"""One call as the user agent sees it: its state, and what is open in it at the moment."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from voicegw.base.fsm import TransitionTable
from voicegw.sip.address import Address
from voicegw.sip.dialog import Dialog
from voicegw.sip.events import RequestHandle, SipCallHandle
from voicegw.sip.exchange import Exchange
from voicegw.sip.incoming import Incoming
from voicegw.sip.info_keys import KeyOrders
from voicegw.sip.memo import remembered
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.provisional import EarlyDialog, ReliableState
from voicegw.sip.reply import Pairs
from voicegw.sip.session_keeper import KeptSession
from voicegw.sip.transaction import Outcome, Transaction


class SipCallState(Enum):
    """The life of a call, from either side."""

    __hash__ = object.__hash__  # members are singletons; that of Enum is a function in Python

    INVITED = "an INVITE came in and has no final response"
    ANSWERED = "we sent 2xx, its ACK has not come"
    CALLING = "our INVITE is out"
    CONFIRMED = "2xx and ACK have passed"
    ENDING = "hung up before the ACK: BYE has to wait for it (§15)"
    ENDED = "over"


class SipCallInput(Enum):
    """What happens to a call."""

    __hash__ = object.__hash__

    ACCEPTED = "we answered"
    REFUSED = "we refused"
    CANCEL_RECEIVED = "the caller gave up"
    ACK_RECEIVED = "our answer was acknowledged"
    ACK_TIMED_OUT = "our answer was not acknowledged within 64*T1"
    ANSWER_RECEIVED = "2xx came for our INVITE"
    REFUSAL_RECEIVED = "3xx-6xx came for our INVITE"
    CANCELLED = "we gave up"
    FAILED = "a request of ours got no answer, or 481"
    HUNG_UP = "we hung up"
    BYE_RECEIVED = "the peer hung up"


_S, _I = SipCallState, SipCallInput
SIP_CALL: TransitionTable[SipCallState, SipCallInput] = TransitionTable(
    "SIP call",
    {
        (_S.INVITED, _I.ACCEPTED): _S.ANSWERED,
        (_S.INVITED, _I.REFUSED): _S.ENDED,
        (_S.INVITED, _I.CANCEL_RECEIVED): _S.ENDED,
        (_S.INVITED, _I.BYE_RECEIVED): _S.ENDED,
        (_S.ANSWERED, _I.ACK_RECEIVED): _S.CONFIRMED,
        (_S.ANSWERED, _I.ACK_TIMED_OUT): _S.ENDED,
        (_S.ANSWERED, _I.HUNG_UP): _S.ENDING,
        (_S.ANSWERED, _I.BYE_RECEIVED): _S.ENDED,
        (_S.CALLING, _I.ANSWER_RECEIVED): _S.CONFIRMED,
        (_S.CALLING, _I.REFUSAL_RECEIVED): _S.ENDED,
        (_S.CALLING, _I.CANCELLED): _S.ENDED,
        (_S.CALLING, _I.FAILED): _S.ENDED,
        (_S.CALLING, _I.BYE_RECEIVED): _S.ENDED,
        (_S.CONFIRMED, _I.ACK_RECEIVED): _S.CONFIRMED,
        (_S.CONFIRMED, _I.ACK_TIMED_OUT): _S.ENDED,
        (_S.CONFIRMED, _I.FAILED): _S.ENDED,
        (_S.CONFIRMED, _I.HUNG_UP): _S.ENDED,
        (_S.CONFIRMED, _I.BYE_RECEIVED): _S.ENDED,
        (_S.ENDING, _I.ACK_RECEIVED): _S.ENDED,
        (_S.ENDING, _I.ACK_TIMED_OUT): _S.ENDED,
        (_S.ENDING, _I.BYE_RECEIVED): _S.ENDED,
    },
)


class PendingInvite:
    """An INVITE or re-INVITE from the peer that still needs its final response."""

    __slots__ = ("incoming", "transaction", "provisional")

    def __init__(self, incoming: Incoming, transaction: Transaction[User]) -> None:
        self.incoming = incoming
        self.transaction = transaction
        self.provisional: Response | None = None
        """The latest 101-199, repeated every minute."""


class Unacknowledged:
    """A 2xx of ours, repeated until its ACK (§13.3.1.4)."""

    __slots__ = ("cseq", "data", "peer", "interval")

    def __init__(self, cseq: int, data: bytes, peer: Address, interval: float) -> None:
        self.cseq = cseq
        self.data = data
        self.peer = peer
        self.interval = interval


class Attempt:
    """An INVITE or re-INVITE of ours. Lives as long as its transaction, to acknowledge every 2xx of every fork."""

    __slots__ = (
        "call",
        "request",
        "body",
        "is_initial",
        "transaction",
        "made_offer",
        "provisional_seen",
        "cancelled",
        "cancel_headers",
        "acks",
        "early",
    )

    def __init__(self, call: SipCall, request: Request, *, is_initial: bool) -> None:
        self.call = call
        self.request = request
        """Without its body."""
        self.body = b""
        """Our description, until the final response."""
        self.is_initial = is_initial
        self.transaction: Transaction[User] | None = None
        self.made_offer = False
        self.provisional_seen = False
        self.cancelled = False
        self.cancel_headers: Pairs = ()
        self.acks: dict[str, tuple[bytes, Address] | None] = {}
        """By To tag; None while the owner has to supply the answer that the ACK carries."""
        self.early: dict[str, EarlyDialog] = {}
        """The forks that sent a provisional response, by To tag."""


class PendingChange:
    """An offer of the peer's in UPDATE or PRACK that still needs our answer."""

    __slots__ = ("incoming", "transaction", "exchange", "received_at")

    def __init__(
        self, incoming: Incoming, transaction: Transaction[User], exchange: Exchange, received_at: float
    ) -> None:
        self.incoming = incoming
        self.transaction = transaction
        self.exchange = exchange
        self.received_at = received_at


class Update:
    """An UPDATE of ours without its final response (RFC 3311 §5.1). ``tag`` names the fork of an early one."""

    __slots__ = ("call", "dialog", "exchange", "sdp", "tag")

    def __init__(self, call: SipCall, dialog: Dialog, exchange: Exchange, sdp: bytes, tag: str) -> None:
        self.call = call
        self.dialog = dialog
        self.exchange = exchange
        self.sdp = sdp
        self.tag = tag


class SipCall:
    """A call. ``dialog`` is None while our INVITE has no answer."""

    __slots__ = (
        "handle",
        "state",
        "dialog",
        "local_tag",
        "pending",
        "unacknowledged",
        "attempt",
        "retry_body",
        "bye_headers",
        "is_caller",
        "referral",
        "source",
        "kept",
        "exchange",
        "reliable",
        "held_answer",
        "change",
        "update",
        "retry_update",
        "peer_methods",
        "peers_referral",
        "referrals_received",
        "recording",
        "keys",
    )

    def __init__(
        self,
        handle: SipCallHandle,
        state: SipCallState,
        local_tag: str,
        dialog: Dialog | None,
        source: Address | None = None,
    ) -> None:
        self.handle = handle
        self.state = state
        self.local_tag = local_tag
        self.dialog = dialog
        self.pending: PendingInvite | None = None
        self.unacknowledged: Unacknowledged | None = None
        self.attempt: Attempt | None = None
        self.retry_body: bytes | None = None
        """What a re-INVITE offers again after 491."""
        self.bye_headers: Pairs = ()
        """For the BYE that waits for an ACK."""
        self.is_caller = state is SipCallState.CALLING
        self.referral: Referral | None = None
        """Our REFER whose outcome is still open."""
        self.source = source
        """Where the INVITE came from; None where it is ours."""
        self.kept = KeptSession()
        """Its session timer."""
        self.exchange = Exchange()
        """Of ``dialog``; while our INVITE is not answered, each fork has its own."""
        self.reliable: ReliableState | None = None
        """Our reliable provisional responses."""
        self.held_answer: bytes | None = None
        """The answer of the owner, while the 200 has to wait for a PRACK (RFC 3262 §3)."""
        self.change: PendingChange | None = None
        self.update: Update | None = None
        self.retry_update: Update | None = None
        """What an UPDATE offers again after 491."""
        self.peer_methods: frozenset[str] = frozenset()
        """What the peer's Allow lists; empty where it sent none."""
        self.peers_referral: PeersReferral | None = None
        """The peer's REFER whose outcome is still open."""
        self.referrals_received = 0
        self.recording = False
        """It is a recording session of the peer's (RFC 7866)."""
        self.keys: KeyOrders | None = None
        """Of ours, by INFO; None before the first ones."""

    def advance(self, happened: SipCallInput) -> None:
        """Move to the next state; IllegalTransition if that cannot happen now."""
        self.state = SIP_CALL.next(self.state, happened)

    def learn(self, headers: Headers) -> None:
        """Remember which methods the peer allows (RFC 3261 §20.5)."""
        if lines := headers.get_all("Allow"):
            self.peer_methods = _methods(",".join(lines))

    def peer_allows(self, method: str) -> bool:
        """Whether the peer has said that it knows ``method``."""
        return method in self.peer_methods

    def can(self, happened: SipCallInput) -> bool:
        """Whether ``advance`` would succeed."""
        return SIP_CALL.accepts(self.state, happened)


def _read_methods(text: str) -> frozenset[str]:
    return frozenset(method.strip().upper() for method in text.split(","))


_methods = remembered(_read_methods)


class Referral:
    """A REFER of ours and the subscription that it makes (RFC 3515 §2.4.4)."""

    __slots__ = ("call",)

    def __init__(self, call: SipCall) -> None:
        self.call = call


class PeersReferral:
    """A REFER of the peer. ``number`` counts those of its dialog from 1; ``silent``: it wants no NOTIFY."""

    __slots__ = ("incoming", "transaction", "number", "is_silent", "is_answered")

    def __init__(self, incoming: Incoming, transaction: Transaction[User], number: int, *, silent: bool) -> None:
        self.incoming = incoming
        self.transaction = transaction
        self.number = number
        self.is_silent = silent
        self.is_answered = False


class OutsideRequest:
    """A request of ours that belongs to no call and has no final answer yet."""

    __slots__ = ("handle", "request", "transaction")

    def __init__(self, handle: RequestHandle, request: Request) -> None:
        self.handle = handle
        self.request = request
        self.transaction: Transaction[User] | None = None

    def note(self, request: Request, transaction: Transaction[User]) -> None:
        """It was sent, for the first time or again with credentials."""
        self.request = request
        self.transaction = transaction


class Asked:
    """A request of ours, other than INVITE, with what is to be done about its responses or their absence."""

    __slots__ = ("answered", "failed")

    def __init__(
        self, answered: Callable[[Response, float], None], failed: Callable[[Outcome, float], None]
    ) -> None:
        self.answered = answered
        self.failed = failed


User: TypeAlias = SipCall | Attempt | Referral | OutsideRequest | Asked | None
"""Whom a transaction works for: a call, an INVITE, a REFER, a request outside calls or another one, or nobody."""
