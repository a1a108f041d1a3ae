"""The tables of ITU-T G.722, for 64 kbit/s, and how the coders keep what they know of a stream.

The names in brackets are those of the Recommendation.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


def _table(*values: int) -> Ints:
    return np.array(values, np.int32)


# fmt: off
MIRROR: Final = _table(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11)
"""Every second weight of the mirror filter that splits a sound into two bands; backwards they are the others."""
LOW_STEPS: Final = _table(  # [q6]
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
)
LOW_SCALES: Final = _table(  # [wl], by the upper four bits of a code
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
)
HIGH_SCALES: Final = _table(798, -214, 798, -214)  # [wh], by code
POWERS: Final = _table(  # [ilb]
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960,
    3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
)
HIGH_LEVELS: Final = _table(-7408, -1616, 7408, 1616)  # [qm2]
COARSE_LEVELS: Final = _table(  # [qm4]: what predicts, so that the two lowest bits may be stolen on the way
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
)
FINE_LEVELS: Final = _table(  # [qm6]: what is heard
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
)
# fmt: on
HIGH_STEP: Final = 564
LOW_MOST: Final = 18_432
"""Of the logarithmic scale of the quantiser."""
HIGH_MOST: Final = 22_528

# What is known of a band of a stream, an element each.
PREDICTED: Final = 0  # [s]
BY_ZEROS: Final = 1  # [sz]
SCALE: Final = 2  # [nb]
STEP: Final = 3  # [det]
REBUILT: Final = 4  # [r1]
PARTIAL: Final = 5  # [p1], and [p2] after it
POLES: Final = 7  # [a1] and [a2]
ZEROS: Final = 9  # [b1] to [b6]
DIFFERENCES: Final = 15  # [d1] to [d6]
BAND: Final = 21
"""Elements of a band. That of the low frequencies comes first."""
PAST: Final = 22
"""Samples that the mirror filter remembers."""


def fresh(count: int) -> Ints:
    """What is known of so many streams before they begin, (count, 2 * ``BAND``)."""
    state = np.zeros((count, 2 * BAND), np.int32)
    state[:, STEP], state[:, BAND + STEP] = 32, 8
    return state
