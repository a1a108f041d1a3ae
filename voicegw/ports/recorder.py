"""The recorder as the media worker sees it: blocks in, never a wait, what became of the file by polling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voicegw.base.ids import CallId


@dataclass(frozen=True, slots=True)
class RecorderStarted:
    """The file of a call is open."""

    call_id: CallId
    path: str


@dataclass(frozen=True, slots=True)
class RecorderEnded:
    """The file has its final name. ``samples`` at ``rate_hz`` are in it; ``dropped_samples`` could not be written
    in time."""

    call_id: CallId
    path: str
    samples: int
    dropped_samples: int
    rate_hz: int = 8000


@dataclass(frozen=True, slots=True)
class RecorderDiscarded:
    """The recording was removed, as it was wished."""

    call_id: CallId
    path: str


@dataclass(frozen=True, slots=True)
class RecorderFailed:
    """Nothing more is written for the call (full disk, permissions); ``reason`` is for people."""

    call_id: CallId
    path: str
    reason: str


RecorderEvent = RecorderStarted | RecorderEnded | RecorderDiscarded | RecorderFailed


class Recorder(Protocol):
    """Streams stereo PCM of many calls to disk. No method blocks or raises for a disk: that is an event."""

    def start(self, call_id: CallId, path: str, rate_hz: int = 8000) -> bool:
        """Open ``path + '.part'`` for a call of this rate; False if it is being recorded already."""
        ...

    def write(self, call_id: CallId, left: NDArray[np.int16], right: NDArray[np.int16]) -> bool:
        """Copy equally long blocks; False if dropped, which is counted, because the disk is behind.

        For a call that is not being recorded nothing happens.
        """
        ...

    def skip(self, call_id: CallId, samples: int) -> None:
        """Time of the call went by without a block: silence of that length, counted as dropped."""
        ...

    def stop(self, call_id: CallId, *, discard: bool = False) -> None:
        """Close the file of a call and give it its final name, or remove it."""
        ...

    def poll(self) -> Sequence[RecorderEvent]:
        """What happened since the last poll."""
        ...

    def close(self) -> None:
        """Finish all files; may take as long as the disk needs."""
        ...
