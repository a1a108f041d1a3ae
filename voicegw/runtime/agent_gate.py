"""Whether the agent has the caller: silent as long as there is any reason, and back after the last one."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from voicegw.agents.agent import CallerTurn, TurnKind


class Suspendable(Protocol):
    """The conversation, as far as the gate needs it."""

    def hold(self) -> None:
        """Fall silent and do not listen."""
        ...

    def resume(self, turn: CallerTurn) -> None:
        """Answer ``turn``, after :meth:`hold`."""
        ...

    def answer(self, turn: CallerTurn) -> None:
        """Answer ``turn`` in the middle of everything."""
        ...


class Reason(Enum):
    """Why the agent does not have the caller."""

    HOLD = "hold"
    TRANSFER = "transfer"
    SUPERVISOR = "supervisor"
    ANSWER = "answer"


_BACK = {
    Reason.HOLD: CallerTurn(TurnKind.NO_INPUT),
    Reason.TRANSFER: CallerTurn(TurnKind.HANDED_BACK),
    Reason.SUPERVISOR: CallerTurn(TurnKind.HANDED_BACK),
    Reason.ANSWER: CallerTurn(TurnKind.ANSWERED),
}


class AgentGate:
    """Reasons come and go in any order; the agent hears of the most important one when it has the caller back."""

    def __init__(self, conversation: Suspendable) -> None:
        self._conversation = conversation
        self._reasons: set[Reason] = set()
        self._turn: CallerTurn | None = None

    @property
    def is_open(self) -> bool:
        """Whether the agent has the caller."""
        return not self._reasons

    def close(self, reason: Reason) -> None:
        """One more reason."""
        if not self._reasons:
            self._conversation.hold()
        self._reasons.add(reason)

    def open(self, reason: Reason, turn: CallerTurn | None = None) -> None:
        """One reason less. ``turn`` is what the agent has to answer, in place of what the reason itself says.

        A turn that comes while the agent has the caller anyway is answered at once.
        """
        if reason not in self._reasons:
            if turn is not None and not self._reasons:
                self._conversation.answer(turn)
            elif turn is not None:
                self._turn = turn
            return
        self._reasons.discard(reason)
        if self._turn is None or turn is not None:
            self._turn = turn
        if not self._reasons:
            told, self._turn = self._turn or _BACK[reason], None
            self._conversation.resume(told)
