"""What the media plane must show, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voicegw.testing.bench._media_drift import Drift
from voicegw.testing.bench._media_growth import Growth
from voicegw.testing.bench._media_line import CostLine
from voicegw.testing.bench._media_pair import Pair
from voicegw.testing.bench._media_row import Row

_TICK_US: Final = 20_000
_JITTER_MS: Final = 2.0
_JITTER_LEGS: Final = 100
_SPEED_UP: Final = 1.8
_R_SQUARED: Final = 0.98
_GROWN_MS: Final = 20.0
_DEADLINE_US: Final = 1.0
_GROWN_KB: Final = 256.0
_GROWN_BLOCKS: Final = 1000.0
"""Of 30 calls, some 60 kB: 300 are names of utterances. The rest is what Python keeps for reuse, which fills up:
over 40,000 ticks of ten calls it fell from 80 blocks a thousand ticks to 2."""


@dataclass(frozen=True, slots=True)
class _Aim:
    """So many legs on one core, speech detection included."""

    text: str
    codecs: tuple[str, ...]
    srtp: bool
    legs: int


_CARRIED: Final = (
    _Aim("G.711", ("PCMU", "PCMA"), False, 300),
    _Aim("G.722, compiled", ("G722c",), False, 200),
    _Aim("G.711 by SRTP", ("PCMU", "PCMA"), True, 200),
    _Aim("Opus", ("opus",), False, 60),
)


def row_verdicts(rows: Sequence[Row], lines: Sequence[CostLine]) -> dict[str, bool]:
    """The aims of which these rows tell, each with whether it was met."""
    verdicts: dict[str, bool] = {}
    for aim in _CARRIED:
        found = [row for row in rows if row.codec in aim.codecs and row.srtp is aim.srtp and row.vad]
        most = [row for row in found if row.n == aim.legs]
        if most:
            text = f"{aim.legs} legs of {aim.text} on one core, VAD included, no frame lost"
            verdicts[text] = all(_is_carried(row) for row in most)
    hundred = [row.departure_jitter_p99_ms for row in rows if row.n == _JITTER_LEGS]
    if hundred:
        text = f"departure jitter p99 at most {_JITTER_MS:.0f} ms at {_JITTER_LEGS} legs (was {max(hundred):.2f})"
        verdicts[text] = max(hundred) <= _JITTER_MS
    if lines:
        verdicts["cost grows with the legs in a line"] = all(line.r_squared >= _R_SQUARED for line in lines)
    return verdicts


def _is_carried(row: Row) -> bool:
    return row.lost_frames == 0 and row.cpu_us_per_leg_tick * row.n <= _TICK_US


def pair_verdicts(pair: Pair) -> dict[str, bool]:
    """Of several workers."""
    return {f"two workers do {_SPEED_UP} times the work of one on two cores": pair.speed_up >= _SPEED_UP}


def growth_verdicts(growth: Growth) -> dict[str, bool]:
    """Of memory."""
    flat = growth.rss_kb <= _GROWN_KB and growth.blocks <= _GROWN_BLOCKS
    return {"memory does not grow while calls go on": flat}


def drift_verdicts(drifts: Sequence[Drift], deadline_us: float) -> dict[str, bool]:
    """Of clocks."""
    steady = all(abs(drift.grown_ms) <= _GROWN_MS for drift in drifts)
    return {
        f"delay grows by no more than a frame in {drifts[0].minutes} min, whatever the clocks": steady,
        "deadlines do not drift": abs(deadline_us) <= _DEADLINE_US,
    }
