"""Two workers on two cores against one: how many legs' ticks they get done in a second of ticking.

Each is an engine in a process of its own, on a core of its own, that ticks as fast as it can on real sockets
(:mod:`voicegw.testing.bench._media_rig`). The packets of a tick are made and taken away between the ticks by the
same process, and only the ticks are timed: so the load generator has no core, and no part in the figures. What is
left to make two slower than twice one is what they share: memory, caches and the kernel's network. That shows in
the CPU time of a tick, too, and so CPU time is what counts: by the clock on the wall, other load on the machine
would be counted as well, and more of it where both cores are wanted.

In each round one ticks alone, then the other alone, then both at once; the speed-up is the sum of the rates of both
over the mean of the rates alone. Of several rounds the median counts.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voicegw.testing.bench._media_ticks import Lap, Ticker

_ROUNDS: Final = 7
_TICKS: Final = 150


@dataclass(frozen=True, slots=True)
class Pair:
    """``speed_up`` by CPU time, ``speed_up_wall`` by the clock on the wall."""

    codec: str
    legs: int
    rounds: int
    one_us_per_leg_tick: float
    speed_up: float
    speed_up_wall: float

    def text(self) -> str:
        """For people."""
        return (
            f"two workers of {self.legs} legs of {self.codec} each: {self.speed_up:.2f} times the leg-ticks of one "
            f"in a second of CPU time each ({self.speed_up_wall:.2f} by the wall; one: "
            f"{self.one_us_per_leg_tick:.1f} us a leg and tick; median of {self.rounds} rounds)"
        )


def measure_pair(codec: str, legs: int) -> Pair | None:
    """None where there is one core only."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return None
    tickers = [Ticker(core, codec, legs) for core in (cores[0], cores[-1])]
    try:
        rounds = [_round(tickers) for _ in range(_ROUNDS)]
    finally:
        for ticker in tickers:
            ticker.close()
    alone = [lap.cpu_s / lap.ticks / legs * 1e6 for laps, _ in rounds for lap in laps]
    by_cpu = [_speed_up([lap.cpu_s for lap in one], [lap.cpu_s for lap in two]) for one, two in rounds]
    by_wall = [_speed_up([lap.wall_s for lap in one], [lap.wall_s for lap in two]) for one, two in rounds]
    cost, speed_up, wall = (round(statistics.median(values), 3) for values in (alone, by_cpu, by_wall))
    return Pair(codec, legs, _ROUNDS, cost, speed_up, wall)


def _round(tickers: Sequence[Ticker]) -> tuple[list[Lap], list[Lap]]:
    """Each alone, then all at once."""
    alone = []
    for ticker in tickers:
        ticker.begin(_TICKS)
        alone.append(ticker.lap())
    for ticker in tickers:
        ticker.begin(_TICKS)
    return alone, [ticker.lap() for ticker in tickers]


def _speed_up(alone_s: Sequence[float], together_s: Sequence[float]) -> float:
    """Of laps of equal length, by their seconds."""
    return sum(1 / seconds for seconds in together_s) / statistics.mean(1 / seconds for seconds in alone_s)
