"""Who is asked when, and who is kept: the decisions of a provider chain for one answer. Pure.

The first provider is asked at once; when it is late or fails, the next one is asked as well. Whoever speaks first
is kept and all others are cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from voicegw.base.fsm import TransitionTable
from voicegw.inference.llm.config import ChainConfig


class RunnerState(Enum):
    """Where one provider stands."""

    WAITING = auto()
    ASKED = auto()
    WON = auto()
    FAILED = auto()
    CANCELLED = auto()


class RunnerEvent(Enum):
    """What became of it."""

    START = auto()
    SPOKE = auto()
    FAIL = auto()
    CANCEL = auto()


TABLE: TransitionTable[RunnerState, RunnerEvent] = TransitionTable(
    "race",
    {
        (RunnerState.WAITING, RunnerEvent.START): RunnerState.ASKED,
        (RunnerState.ASKED, RunnerEvent.SPOKE): RunnerState.WON,
        (RunnerState.ASKED, RunnerEvent.FAIL): RunnerState.FAILED,
        (RunnerState.ASKED, RunnerEvent.CANCEL): RunnerState.CANCELLED,
    },
)


@dataclass(frozen=True, slots=True)
class Start:
    """Ask this provider."""

    runner: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop this one. ``late``: it had its time and said nothing."""

    runner: int
    late: bool


RaceCommand = Start | Cancel


class Race:
    """``runners`` providers in order. Feed it what happens; carry out what it returns, in order."""

    def __init__(self, runners: int, config: ChainConfig, now: float) -> None:
        self.winner: int | None = None
        self._config = config
        self._states = [RunnerState.WAITING] * runners
        self._asked_at = [now] * runners
        self._newest_at = now
        self._give_up_at = now + config.give_up_after_s

    @property
    def over(self) -> bool:
        """Somebody won, or nobody can any more."""
        return self.winner is not None or not self._running()

    def begin(self, now: float) -> list[RaceCommand]:
        """Start the first."""
        return self._start_next(now)

    def spoke(self, runner: int, now: float) -> list[RaceCommand]:
        """This one speaks: it is kept."""
        self._move(runner, RunnerEvent.SPOKE)
        self.winner = runner
        return self._cancel_all(now)

    def failed(self, runner: int, now: float) -> list[RaceCommand]:
        """This one is out; the next takes its place at once."""
        self._move(runner, RunnerEvent.FAIL)
        return self._start_next(now)

    def tick(self, now: float) -> list[RaceCommand]:
        """Time has passed: hedge, or give up."""
        if now >= self._give_up_at:
            return self._cancel_all(now)
        if now >= self._newest_at + self._config.hedge_after_s:
            return self._start_next(now)
        return []

    def deadline(self) -> float:
        """When :meth:`tick` has something to do next."""
        hedge_at = self._newest_at + self._config.hedge_after_s
        return min(hedge_at, self._give_up_at) if self._can_start() else self._give_up_at

    def _running(self) -> list[int]:
        return [runner for runner, state in enumerate(self._states) if state is RunnerState.ASKED]

    def _can_start(self) -> bool:
        return RunnerState.WAITING in self._states and len(self._running()) < self._config.max_parallel

    def _start_next(self, now: float) -> list[RaceCommand]:
        if not self._can_start():
            return []
        runner = self._states.index(RunnerState.WAITING)
        self._move(runner, RunnerEvent.START)
        self._asked_at[runner] = self._newest_at = now
        return [Start(runner)]

    def _cancel_all(self, now: float) -> list[RaceCommand]:
        commands: list[RaceCommand] = []
        for runner in self._running():
            self._move(runner, RunnerEvent.CANCEL)
            commands.append(Cancel(runner, late=now >= self._asked_at[runner] + self._config.hedge_after_s))
        return commands

    def _move(self, runner: int, event: RunnerEvent) -> None:
        self._states[runner] = TABLE.next(self._states[runner], event)
