"""How a node empties: no new calls, then a deadline, then whoever is left is handed over. Pure: now → commands.

A drain is ordered by a person, by the API or by a signal, and can be taken back until calls are handed over. The
newest order counts: its deadline, its policy, and whether the process ends with the last call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, TypeAlias

from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.fsm import TransitionTable

TRANSFER_S: Final = 45.0
"""For the caller's side to say how its call to the new place went: ``transfer.refer_s`` and a little."""
GOODBYE_S: Final = 15.0
"""After calls were told goodbye: as long as the longest parting takes."""
HANGUP_S: Final = 3.0
"""After the last BYE: for the answer to it."""


class NodeState(StrEnum):
    """What becomes of a new call."""

    SERVING = "serving"
    """It is taken."""
    DRAINING = "draining"
    """It is refused; those that there are go on."""
    HANDING_OVER = "handing_over"
    """It is refused; those that there are have to go."""
    DRAINED = "drained"
    """It is refused, and there is none any more."""


class DrainInput(Enum):
    """What happens to a drain."""

    ORDERED = "somebody wants the node to be empty"
    UNDONE = "somebody wants it to take calls again"
    EMPTIED = "the last call has ended"
    TIMED_OUT = "calls have had the time that they were given"
    FORSAKEN = "calls do not end, whatever is done"


_S, _I = NodeState, DrainInput
DRAIN: TransitionTable[NodeState, DrainInput] = TransitionTable(
    "drain",
    {
        (_S.SERVING, _I.ORDERED): _S.DRAINING,
        (_S.DRAINING, _I.ORDERED): _S.DRAINING,
        (_S.DRAINING, _I.UNDONE): _S.SERVING,
        (_S.DRAINING, _I.EMPTIED): _S.DRAINED,
        (_S.DRAINING, _I.TIMED_OUT): _S.HANDING_OVER,
        (_S.HANDING_OVER, _I.ORDERED): _S.HANDING_OVER,
        (_S.HANDING_OVER, _I.EMPTIED): _S.DRAINED,
        (_S.HANDING_OVER, _I.TIMED_OUT): _S.HANDING_OVER,
        (_S.HANDING_OVER, _I.FORSAKEN): _S.DRAINED,
        (_S.DRAINED, _I.ORDERED): _S.DRAINED,
        (_S.DRAINED, _I.UNDONE): _S.SERVING,
    },
)


class Farewell(StrEnum):
    """What becomes of calls that are left at the deadline."""

    GOODBYE = "goodbye"
    """They are told a sentence, and ended."""
    TRANSFER = "transfer"
    """Their own side is asked to call another place (REFER); who cannot is told goodbye."""
    HANGUP = "hangup"
    """They are ended without a word."""


class HandOver(Enum):
    """A step of handing over."""

    TRANSFER = "transfer"
    GOODBYE = "goodbye"
    HANGUP = "hangup"


_STEPS: Final[Mapping[Farewell, tuple[tuple[HandOver, float], ...]]] = {
    Farewell.TRANSFER: (
        (HandOver.TRANSFER, TRANSFER_S),
        (HandOver.GOODBYE, GOODBYE_S),
        (HandOver.HANGUP, HANGUP_S),
    ),
    Farewell.GOODBYE: ((HandOver.GOODBYE, GOODBYE_S), (HandOver.HANGUP, HANGUP_S)),
    Farewell.HANGUP: ((HandOver.HANGUP, HANGUP_S),),
}
"""What is done at the deadline, and how long each step may take before the next one; each list has an end."""


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """How a node empties."""

    deadline_s: float = 1800.0
    """``voicegw drain`` and the API: running calls may go on for this long. After a signal: ``limits.drain_s``."""
    farewell: str = "goodbye"
    """What becomes of calls that are left then: goodbye (a sentence, then BYE), transfer (their own side is asked
    to call ``transfer_to``; who cannot is told goodbye) or hangup (BYE)."""
    transfer_to: str = ""
    """For ``transfer``: the name of a target of the section transfer, a SIP URI or a number. It must not lead back
    to this node."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.deadline_s < 0:
            raise ConfigError(f"deadline_s is {self.deadline_s}", fix="seconds, 0 or more")
        if self.farewell not in set(Farewell):
            raise ConfigError(f"farewell cannot be {self.farewell!r}", fix=f"one of: {', '.join(Farewell)}")
        if self.farewell == Farewell.TRANSFER and not self.transfer_to:
            raise ConfigError("farewell is transfer, but transfer_to is empty", fix="say where callers go")


@dataclass(frozen=True, slots=True)
class DrainOrder:
    """What is wanted. ``deadline_s`` from now on; ``stop``: the process ends with the last call; ``by`` whom."""

    deadline_s: float
    farewell: Farewell = Farewell.GOODBYE
    transfer_to: str = ""
    stop: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class DrainStatus:
    """How far a drain has come. ``deadline_in_s``: until what is left is handed over, or is done so more firmly."""

    state: NodeState
    calls: int
    deadline_in_s: float = 0.0
    farewell: str = ""
    stop: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class RefuseCalls:
    """From now on; also calls of our own."""


@dataclass(frozen=True, slots=True)
class TakeCalls:
    """Again."""


@dataclass(frozen=True, slots=True)
class HandOverCalls:
    """Do this to every call that is left."""

    step: HandOver
    transfer_to: str = ""


@dataclass(frozen=True, slots=True)
class Emptied:
    """There is no call any more, or nothing more is done about the ``left`` ones; ``stop``: the process may end."""

    stop: bool
    left: int = 0


DrainCommand: TypeAlias = RefuseCalls | TakeCalls | HandOverCalls | Emptied


class NotDrainable(LocalError):
    """What was wanted cannot be done now; the text says why."""


class Drain:
    """The decisions of one node. ``now`` is monotonic seconds; calls are counted by whoever asks."""

    def __init__(self) -> None:
        self.state = NodeState.SERVING
        self._order = DrainOrder(0.0)
        self._deadline: float | None = None
        self._steps: list[tuple[HandOver, float]] = []

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due; None: nothing is awaited."""
        return self._deadline

    def order(self, order: DrainOrder, now: float) -> list[DrainCommand]:
        """Begin, or go on by another deadline and policy. Calls that are handed over already go on being so."""
        before, self.state = self.state, DRAIN.next(self.state, _I.ORDERED)
        self._order = order
        match self.state:
            case NodeState.DRAINING:
                self._deadline = now + order.deadline_s
                self._steps = list(_STEPS[order.farewell])
            case NodeState.DRAINED:
                return [Emptied(order.stop)]
        return [RefuseCalls()] if before is NodeState.SERVING else []

    def undo(self) -> list[DrainCommand]:
        """Take calls again. Raises NotDrainable while calls are handed over: they were told that we go."""
        if self.state is NodeState.SERVING:
            return []
        if not DRAIN.accepts(self.state, _I.UNDONE):
            raise NotDrainable("calls are being handed over; ask again when they have gone")
        self.state = DRAIN.next(self.state, _I.UNDONE)
        self._deadline, self._order = None, DrainOrder(0.0)
        return [TakeCalls()]

    def emptied(self) -> list[DrainCommand]:
        """The last call has ended."""
        if not DRAIN.accepts(self.state, _I.EMPTIED):
            return []
        self.state, self._deadline = DRAIN.next(self.state, _I.EMPTIED), None
        return [Emptied(self._order.stop)]

    def handle_timer(self, calls: int, now: float) -> list[DrainCommand]:
        """Calls that are left have had their time: the next step."""
        if self._deadline is None or now < self._deadline:
            return []
        if not self._steps:
            self.state, self._deadline = DRAIN.next(self.state, _I.FORSAKEN), None
            return [Emptied(self._order.stop, calls)]
        self.state = DRAIN.next(self.state, _I.TIMED_OUT)
        step, patience_s = self._steps.pop(0)
        self._deadline = now + patience_s
        return [HandOverCalls(step, self._order.transfer_to)]

    def status(self, calls: int, now: float) -> DrainStatus:
        """How it stands."""
        if self.state is NodeState.SERVING:
            return DrainStatus(self.state, calls)
        order, left_s = self._order, max(0.0, (self._deadline or now) - now)
        return DrainStatus(self.state, calls, left_s, order.farewell.value, order.stop, order.by)
