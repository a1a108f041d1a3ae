"""What people want of a running call, from outside its task: each is an order with an answer.

An order lands in the call's mailbox like everything else. Its future is done when the effect is in force, or raises
:class:`Refused`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId
from voicegw.call.supervision import SupervisorInput
from voicegw.call.transfer_request import TransferKind
from voicegw.gateway.tolls.calls import Barred


class NoSuchCall(LocalError):
    """The call is over, or never was."""


class Refused(LocalError):
    """The call is there, but this cannot be done with it now; the text says why."""


class CallBarred(Refused):
    """A toll rule does not allow the call."""

    def __init__(self, barred: Barred) -> None:
        super().__init__(str(barred))
        self.barred = barred


@dataclass(frozen=True, slots=True)
class Supervise:
    """Let ``name`` take part as ``wanted``. Whoever is not in the call yet is called at ``uri`` on ``leg_id``."""

    name: str
    wanted: SupervisorInput
    leg_id: LegId
    uri: str


@dataclass(frozen=True, slots=True)
class WhisperText:
    """Tell the agent something that the caller does not hear."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """The supervisor leaves; a caller whom they had goes back to the agent."""

    name: str


@dataclass(frozen=True, slots=True)
class MoveCall:
    """Move the caller to somebody else, once the agent has finished what it is saying."""

    name: str
    target: str
    kind: TransferKind


@dataclass(frozen=True, slots=True)
class EndCall:
    """End the call now."""

    name: str


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """Record silence, or what is heard again."""

    name: str
    paused: bool


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Write down the packets of all legs. ``audio``: with what is said, as far as that may be kept.

    ``max_s`` and ``max_mb`` are at most what the configuration allows.
    """

    name: str
    audio: bool
    max_s: float
    max_mb: float


@dataclass(frozen=True, slots=True)
class StopCapture:
    """End that."""

    name: str


Order: TypeAlias = (
    Supervise | WhisperText | Dismiss | MoveCall | EndCall | PauseRecording | StartCapture | StopCapture
)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order in a mailbox. Whoever waits may have gone away: a future that is done is left alone."""

    order: Order
    answer: asyncio.Future[None]

    def carried_out(self) -> None:
        """The effect is in force."""
        if not self.answer.done():
            self.answer.set_result(None)

    def refuse(self, reason: str) -> None:
        """It cannot be done."""
        if not self.answer.done():
            self.answer.set_exception(Refused(reason))
