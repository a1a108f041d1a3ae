"""Voice activity detection, batched over legs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class VadModel(Protocol):
    """Speech probability for many legs at once. Synchronous: the media worker calls it inside the tick.

    State of each leg lives in row ``row`` of the model, 0 <= row < capacity.
    """

    window_samples: int
    """Samples in one window at 8 kHz (256 for Silero, which is 32 ms)."""

    def probabilities(self, rows: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """``windows`` is (len(rows), window_samples) in [-1, 1]; returns (len(rows),) in [0, 1]."""
        ...

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now."""
        ...
