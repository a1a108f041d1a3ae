"""What cleans the sound of one telephone, as the media worker sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]


class LineProcessor(Protocol):
    """The state of one direction of one leg."""

    def process(self, heard: Pcm, sent: Pcm) -> Pcm:
        """What came in 20 ms, cleaned; ``sent`` is as much of what its echo is of. It may be late by some ms."""
        ...


LineProcessors: TypeAlias = Callable[[int], LineProcessor]
"""Makes one for a leg of 8000 or 16000 Hz."""
