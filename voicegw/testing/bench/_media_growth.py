"""Whether a worker's memory grows while nothing changes: an engine with steady calls, over many ticks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from voicegw.testing.bench._media_ticks import Ticker

_LEGS: Final = 30
_WARM_UP_TICKS: Final = 800
"""With the 200 of the rig one round of the agents' audio, which comes every 1,000 ticks."""
_LAP_TICKS: Final = 1000
_PER: Final = 10_000


@dataclass(frozen=True, slots=True)
class Growth:
    """Per 10,000 ticks, which are 200 s. ``blocks`` of Python's memory: a call remembers the names of its last 64
    utterances, of which it has ten in that time.
    """

    legs: int
    ticks: int
    rss_kb: float
    blocks: float

    def text(self) -> str:
        """For people."""
        return (
            f"memory over {self.ticks} ticks of {self.legs} calls: {self.rss_kb:+.0f} kB resident and "
            f"{self.blocks:+.0f} blocks of Python's in 10,000 ticks"
        )


def measure_growth(ticks: int, codec: str = "PCMU") -> Growth:
    """The growth in the second half of ``ticks``, in thousands: what Python keeps for reuse fills up slowly."""
    ticker = Ticker(sorted(os.sched_getaffinity(0))[0], codec, _LEGS)
    try:
        ticker.begin(_WARM_UP_TICKS)
        found = [ticker.lap()]
        for _ in range(max(2, ticks // _LAP_TICKS)):
            ticker.begin(_LAP_TICKS)
            found.append(ticker.lap())
    finally:
        ticker.close()
    half, last = len(found) // 2, found[-1]
    ticks = (len(found) - 1 - half) * _LAP_TICKS
    rss_kb, blocks = (last.rss_kb - found[half].rss_kb), (last.blocks - found[half].blocks)
    return Growth(_LEGS, ticks, round(rss_kb * _PER / ticks, 1), round(blocks * _PER / ticks, 1))
