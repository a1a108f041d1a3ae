"""A bad network, as arithmetic: what becomes of each packet, by seed, the same every time.

The model decides when copies of a packet arrive; a relay of real sockets (:mod:`voicegw.testing.impairment_relay`)
and tests on a manual clock share it. Many small kernels have no ``netem``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_HELD_BACK_S: Final = (0.03, 0.07)
"""A packet that is overtaken comes so much later: by one packet at least, by three at most."""


_HALF_NORMAL: Final = 0.6028
"""The standard deviation of the absolute value of a normal variable with deviation 1."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """Ratios from 0 to 1, times in ms. ``burst_packets`` is how many in a row a loss takes on the average: 1 are
    independent losses, more a Gilbert channel. ``jitter_ms`` is the standard deviation of what delays a packet
    besides ``delay_ms``; packets queue, so that only ``reordered`` ones are overtaken."""

    loss: float = 0.0
    burst_packets: float = 1.0
    jitter_ms: float = 0.0
    reordered: float = 0.0
    duplicated: float = 0.0
    delay_ms: float = 20.0


NONE: Final = Impairment()
CATALOGUE: Final = {
    "none": NONE,
    "loss 1 %": Impairment(loss=0.01),
    "loss 3 %": Impairment(loss=0.03),
    "loss 10 %": Impairment(loss=0.10),
    "bursts 3 %": Impairment(loss=0.03, burst_packets=4),
    "bursts 10 %": Impairment(loss=0.10, burst_packets=4),
    "jitter 20 ms": Impairment(jitter_ms=20),
    "jitter 60 ms": Impairment(jitter_ms=60),
    "reordering 5 %": Impairment(reordered=0.05),
    "duplicates 5 %": Impairment(duplicated=0.05),
    "all of it": Impairment(loss=0.03, burst_packets=2, jitter_ms=20, reordered=0.02, duplicated=0.02),
}


class ImpairedPath:
    """One direction of a stream."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self._impairment = impairment
        self._random = random.Random(seed)
        self._is_losing = False
        self._last = 0.0

    def arrivals(self, sent_at: float) -> tuple[float, ...]:
        """When copies of a packet that leaves at ``sent_at`` (seconds of any clock) arrive; none of a lost one."""
        if self._loses():
            return ()
        impairment, pick = self._impairment, self._random
        extra_ms = abs(pick.gauss(0, impairment.jitter_ms)) / _HALF_NORMAL if impairment.jitter_ms else 0.0
        arrival = sent_at + (impairment.delay_ms + extra_ms) / 1000
        if pick.random() < impairment.reordered:
            arrival += pick.uniform(*_HELD_BACK_S)
        else:
            arrival = self._last = max(arrival, self._last)
        if pick.random() < impairment.duplicated:
            return arrival, arrival + pick.uniform(0, _HELD_BACK_S[0])
        return (arrival,)

    def _loses(self) -> bool:
        """The Gilbert channel: all is lost in its bad state, nothing in its good one."""
        loss, burst = self._impairment.loss, self._impairment.burst_packets
        if loss <= 0:
            return False
        if burst <= 1:
            return self._random.random() < loss
        leaves = self._random.random() < 1 / burst
        enters = self._random.random() < loss / (burst * (1 - loss))
        self._is_losing = not leaves if self._is_losing else enters
        return self._is_losing
