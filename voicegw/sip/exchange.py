"""Offers and answers of one dialog: at most one offer is open at a time (RFC 3264 §4, RFC 6337 §2.2).

Offers and answers travel in INVITE, 1xx, 2xx, PRACK, UPDATE and ACK. Whoever handles one of these moves the
dialog's ``Exchange``, so that all agree on whether a new offer may go out now, and on what an incoming body is.
"""

from __future__ import annotations

from enum import Enum

from voicegw.base.fsm import TransitionTable


class ExchangeState(Enum):
    """Whose offer is open."""

    IDLE = "no offer is open"
    OURS = "our offer has no answer"
    THEIRS = "the peer's offer has no answer"


class ExchangeInput(Enum):
    """What moves an exchange."""

    WE_OFFER = "we offer"
    THEY_OFFER = "the peer offers"
    ANSWERED = "the open offer is answered"
    WITHDRAWN = "the open offer was refused, or can have no answer any more: all stays as it was"


_S, _I = ExchangeState, ExchangeInput
EXCHANGE: TransitionTable[ExchangeState, ExchangeInput] = TransitionTable(
    "offer and answer",
    {
        (_S.IDLE, _I.WE_OFFER): _S.OURS,
        (_S.IDLE, _I.THEY_OFFER): _S.THEIRS,
        (_S.OURS, _I.ANSWERED): _S.IDLE,
        (_S.OURS, _I.WITHDRAWN): _S.IDLE,
        (_S.THEIRS, _I.ANSWERED): _S.IDLE,
        (_S.THEIRS, _I.WITHDRAWN): _S.IDLE,
    },
)


class Exchange:
    """Where offer and answer of a dialog stand. ``rounds`` counts the offers that were answered."""

    __slots__ = ("state", "rounds")

    def __init__(self) -> None:
        self.state = ExchangeState.IDLE
        self.rounds = 0

    def advance(self, happened: ExchangeInput) -> None:
        """Move on; IllegalTransition if that cannot happen now."""
        self.state = EXCHANGE.next(self.state, happened)
        if happened is ExchangeInput.ANSWERED:
            self.rounds += 1

    @property
    def is_idle(self) -> bool:
        """Whether no offer is open."""
        return self.state is ExchangeState.IDLE

    @property
    def is_new(self) -> bool:
        """Whether nobody has offered anything yet, as after an INVITE without an offer."""
        return self.is_idle and self.rounds == 0

    @property
    def ours(self) -> bool:
        """Whether our offer waits for its answer."""
        return self.state is ExchangeState.OURS

    @property
    def theirs(self) -> bool:
        """Whether the peer's offer waits for our answer."""
        return self.state is ExchangeState.THEIRS

    def close(self, *, answered: bool) -> None:
        """The open offer, if there is one, was answered or comes to nothing."""
        if not self.is_idle:
            self.advance(ExchangeInput.ANSWERED if answered else ExchangeInput.WITHDRAWN)

    def publish(self, sdp: bytes) -> bytes:
        """What of ``sdp`` may stand in a reliable response to the first INVITE.

        It is our answer, or our offer where the INVITE had none. Once that exchange is over, responses carry no
        description any more, and callers would ignore one (RFC 3261 §13.2.1).
        """
        if not sdp or self.rounds or self.ours:
            return b""
        self.advance(ExchangeInput.ANSWERED if self.theirs else ExchangeInput.WE_OFFER)
        return sdp
