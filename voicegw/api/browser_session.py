"""What a browser's connection is to its call: pure decisions, no socket and no clock.

A browser that connects waits to be called, is called, talks, and is over. What was a leg of a call ends with
exactly one :class:`End`: a supervisor who is lost must not leave a caller in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import LegId


class SessionState(Enum):
    """Where a connection is."""

    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    OVER = "over"


class SessionInput(Enum):
    """What happens to it."""

    DIALLED = "dialled"
    ANSWERED = "answered"
    OVER = "over"


_S, _I = SessionState, SessionInput

SESSION: TransitionTable[SessionState, SessionInput] = TransitionTable(
    "browser session",
    {
        (_S.WAITING, _I.DIALLED): _S.RINGING,
        (_S.RINGING, _I.ANSWERED): _S.TALKING,
        (_S.WAITING, _I.OVER): _S.OVER,
        (_S.RINGING, _I.OVER): _S.OVER,
        (_S.TALKING, _I.OVER): _S.OVER,
    },
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the call that the leg is up."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class End:
    """Tell the call that the leg has ended."""

    leg_id: LegId
    cause: HangupCause


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""


SessionCommand: TypeAlias = Answer | End | Close


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """Seconds."""

    idle_s: float
    """A connection that no call wants."""
    answer_s: float
    """From being called to the first audio of the browser."""
    lost_s: float
    """Without audio of the browser."""


class BrowserSession:
    """One connection. Times are monotonic seconds."""

    def __init__(self, times: SessionTimes, now: float) -> None:
        self.state = SessionState.WAITING
        self._times = times
        self._leg_id: LegId | None = None
        self._since = now
        self._heard_at: float | None = None

    def dialled(self, leg_id: LegId, now: float) -> list[SessionCommand]:
        """A call wants it; one that is a leg already, or over, is no leg of that call."""
        if not SESSION.accepts(self.state, SessionInput.DIALLED):
            return [End(leg_id, HangupCause.BUSY)]
        self._step(SessionInput.DIALLED, now)
        self._leg_id = leg_id
        return self._answer(now)

    def heard(self, now: float) -> list[SessionCommand]:
        """20 ms of the browser's audio came."""
        self._heard_at = now
        return self._answer(now)

    def hung_up(self, now: float) -> list[SessionCommand]:
        """The call is done with it, and knows."""
        self._leg_id = None
        return self._over(HangupCause.SUPERVISION_OVER, now)

    def left(self, now: float) -> list[SessionCommand]:
        """The browser closed the connection."""
        return self._over(HangupCause.CALLER_HANGUP, now)

    def lost(self, now: float) -> list[SessionCommand]:
        """The connection failed."""
        return self._over(HangupCause.NO_MEDIA, now)

    def forbidden(self, now: float) -> list[SessionCommand]:
        """The supervisor may not take part any more."""
        return self._over(HangupCause.SUPERVISION_OVER, now)

    def check(self, now: float) -> list[SessionCommand]:
        """Act on whatever deadline has passed."""
        match self.state:
            case SessionState.WAITING if now - self._since >= self._times.idle_s:
                return self._over(HangupCause.NO_ANSWER, now)
            case SessionState.RINGING if now - self._since >= self._times.answer_s:
                return self._over(HangupCause.NO_ANSWER, now)
            case SessionState.TALKING if self._silent_s(now) >= self._times.lost_s:
                return self._over(HangupCause.NO_MEDIA, now)
            case _:
                return []

    def _answer(self, now: float) -> list[SessionCommand]:
        """Only a browser whose audio flows is answered for: who takes over must be heard at once."""
        if self.state is not SessionState.RINGING or self._silent_s(now) >= self._times.lost_s:
            return []
        self._step(SessionInput.ANSWERED, now)
        return [] if self._leg_id is None else [Answer(self._leg_id)]

    def _silent_s(self, now: float) -> float:
        return float("inf") if self._heard_at is None else now - self._heard_at

    def _over(self, cause: HangupCause, now: float) -> list[SessionCommand]:
        if self.state is SessionState.OVER:
            return []
        self._step(SessionInput.OVER, now)
        leg_id, self._leg_id = self._leg_id, None
        return [Close()] if leg_id is None else [End(leg_id, cause), Close()]

    def _step(self, happened: SessionInput, now: float) -> None:
        self.state = SESSION.next(self.state, happened)
        self._since = now
