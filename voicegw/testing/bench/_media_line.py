"""The line of cost against legs: what a tick costs by itself, and what each leg adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from voicegw.testing.bench._media_row import Row

_TICK_US: Final = 20_000.0
_LEAST_ROWS: Final = 3


@dataclass(frozen=True, slots=True)
class CostLine:
    """Least squares over rows of one kind. ``carried`` is where the line reaches the length of a tick."""

    codec: str
    vad: bool
    srtp: bool
    fixed_us: float
    us_per_leg: float
    r_squared: float
    carried: int

    def text(self) -> str:
        """For people."""
        what = f"{self.codec}{' SRTP' if self.srtp else ''}, VAD {'on' if self.vad else 'off'}"
        return (
            f"{what}: a tick costs {self.fixed_us:.0f} us + {self.us_per_leg:.1f} us a leg "
            f"(R2 {self.r_squared:.4f}); a core is full at {self.carried} legs"
        )


def fit(legs: Sequence[int], tick_us: Sequence[float]) -> tuple[float, float, float]:
    """Fixed part, slope and R squared of the cost of a tick against its legs; two or more different ``legs``."""
    slope, fixed = np.polyfit(np.array(legs, np.float64), np.array(tick_us), 1)
    rest = np.array(tick_us) - (fixed + slope * np.array(legs))
    spread = np.array(tick_us) - np.mean(tick_us)
    return float(fixed), float(slope), float(1 - (rest @ rest) / max(spread @ spread, 1e-12))


def cost_lines(rows: Sequence[Row]) -> list[CostLine]:
    """A line for each kind of three rows or more. Those that lost frames did less than their legs ask."""
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        alike = [row for row in rows if row.kind == kind and row.lost_frames == 0]
        if len({row.n for row in alike}) < _LEAST_ROWS:
            continue
        fixed, slope, quality = fit([row.n for row in alike], [row.cpu_us_per_leg_tick * row.n for row in alike])
        carried = int((_TICK_US - fixed) / slope) if slope > 0 else 0
        lines.append(CostLine(*kind, round(fixed, 1), round(slope, 2), round(quality, 5), carried))
    return lines
