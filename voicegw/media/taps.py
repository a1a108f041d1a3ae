"""What the ears of the calls hear, collected for some ticks: the gateway is woken once for all of them.

Every wake-up costs the gateway more than what there is to do in it, so audio for recognisers travels in pieces of
``tap_ms``. Nobody waits for it: before anything is told about somebody's speech, all that was heard until then is
told. The words of a turn have therefore reached the recogniser when its end is judged, as with pieces of one tick,
and what is on the way then is the silence after them.

They hear speech at one level (:mod:`voicegw.media.ear_level`); recordings and other legs hear what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicegw.base.ids import CallId
from voicegw.media.config import FRAME_MS, MediaConfig
from voicegw.media.ear_level import Ear, EarLevels, Flags
from voicegw.media.filling import Pcm
from voicegw.media.messages import AudioBatch, AudioTapped


@dataclass(slots=True)
class _Block:
    """What some ears of one rate have heard since it was told last, a row each."""

    ears: Sequence[Ear]
    sinks: NDArray[np.intp]
    pcm: Pcm
    filled: int = 0
    """Samples."""


class Taps:
    """Audio on its way to the ears."""

    def __init__(self, ticks: int, level_dbov: float = 0.0) -> None:
        """A piece is complete after ``ticks``; ``level_dbov``: of speech in it, 0 for as it comes."""
        self._most = ticks
        self._level_dbov = level_dbov
        self._levels: dict[int, EarLevels] = {}
        self._ticks = 0
        self._blocks: dict[int, _Block] = {}
        self._heard: dict[tuple[CallId, str, int], bytes] = {}
        """What was heard before the ears were others."""

    def use(self, config: MediaConfig) -> None:
        """Other pieces, and another level."""
        for rate_hz in self._blocks:
            self._close(rate_hz)
        self._blocks.clear()
        self._most, self._level_dbov = config.tap_ms // FRAME_MS, config.ear_level_dbov
        for levels in self._levels.values():
            levels.target_dbov = self._level_dbov

    def add(self, taps: Sequence[Ear], mixed: Pcm, rate_hz: int, speaking: Flags | None = None) -> None:
        """One tick of the ears of calls of one rate; ``speaking``: whether whom each hears is, None for unknown."""
        block = self._blocks.get(rate_hz)
        if block is None or block.ears is not taps:
            self._close(rate_hz)
            sinks = np.array([sink for _, _, sink in taps], np.intp)
            block = _Block(taps, sinks, np.empty((len(taps), self._most * mixed.shape[1]), np.int16))
            self._blocks[rate_hz] = block
        end = block.filled + mixed.shape[1]
        block.pcm[:, block.filled : end] = self._frames(block, mixed, rate_hz, speaking)
        block.filled = end

    def _frames(self, block: _Block, mixed: Pcm, rate_hz: int, speaking: Flags | None) -> Pcm:
        if not self._level_dbov or speaking is None:
            return mixed[block.sinks]
        if rate_hz not in self._levels:
            self._levels[rate_hz] = EarLevels(self._level_dbov)
        return self._levels[rate_hz].process(block.ears, mixed, speaking)

    def end_tick(self) -> AudioBatch | None:
        """All ears have been added; what was collected, if it is time."""
        self._ticks += 1
        return self.take() if self._ticks >= self._most else None

    def _close(self, rate_hz: int) -> None:
        """Keep what the ears of a rate have heard, in pieces of their own."""
        block = self._blocks.get(rate_hz)
        if block is None or not block.filled:
            return
        for (call_id, ear, _), row in zip(block.ears, block.pcm[:, : block.filled], strict=True):
            key = (call_id, ear, rate_hz)
            self._heard[key] = self._heard.get(key, b"") + row.tobytes()
        block.filled = 0

    def take(self) -> AudioBatch | None:
        """All that was collected; None if that is nothing."""
        for rate_hz in self._blocks:
            self._close(rate_hz)
        heard, self._heard, self._ticks = self._heard, {}, 0
        if not heard:
            return None
        return AudioBatch(tuple(AudioTapped(call, pcm, ear, rate) for (call, ear, rate), pcm in heard.items()))
