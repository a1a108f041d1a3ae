"""Streaming sample-rate conversion between any two rates, by a polyphase windowed-sinc filter.

Linear phase and no net delay: output sample n stands for the time n / target rate exactly. The stop band begins
at half the lower rate, the pass band ends 15 % below that (3400 Hz for 8 kHz: the telephone band).

The coefficients are multiples of 2^-20, so that every sum of products with 16-bit samples is exact in float64 and
does not depend on the order of summation: the output is the same to the bit however the input was cut.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

_PASS_EDGE: Final = 0.85
_ATTENUATION_DB: Final = 72.0
_EXACT: Final = float(1 << 20)
_BLOCK: Final = 1024
"""Output samples computed at once: bounds the memory for long inputs."""


class Resampler:
    """Converts one mono stream from ``source_hz`` to ``target_hz``, chunk by chunk."""

    def __init__(self, source_hz: int, target_hz: int) -> None:
        common = gcd(source_hz, target_hz)
        self._up, self._down = target_hz // common, source_hz // common
        self._bank = _filter_bank(self._up, self._down)
        self._half = self._bank.shape[1] // 2
        self._reset()

    def _reset(self) -> None:
        self._buffer = np.zeros(self._half, np.float64)
        self._buffer_start = -self._half
        self._received = 0
        self._produced = 0

    def process(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """Take ``pcm`` (samples,) and return all output that needs no later input."""
        self._received += len(pcm)
        self._buffer = np.concatenate([self._buffer, pcm])
        return self._produce(self._received - self._half)

    def flush(self) -> NDArray[np.int16]:
        """End the stream: return the rest, as if silence followed. The resampler is as new afterwards.

        In all, n samples give ceil(n · target / source).
        """
        self._buffer = np.concatenate([self._buffer, np.zeros(self._half)])
        rest = self._produce(self._received)
        self._reset()
        return rest

    def _produce(self, inputs: int) -> NDArray[np.int16]:
        """All outputs that stand before input sample ``inputs``."""
        stop = max(-(-inputs * self._up // self._down), self._produced)
        blocks = [
            self._convolve(np.arange(start, min(start + _BLOCK, stop)))
            for start in range(self._produced, stop, _BLOCK)
        ]
        self._produced = stop
        keep = stop * self._down // self._up - self._half + 1
        self._buffer = self._buffer[max(keep - self._buffer_start, 0) :]
        self._buffer_start = max(keep, self._buffer_start)
        return np.concatenate([np.empty(0, np.int16), *blocks])

    def _convolve(self, outputs: NDArray[np.int64]) -> NDArray[np.int16]:
        nearest, phase = np.divmod(outputs * self._down, self._up)
        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, 2 * self._half)
        inputs = windows[nearest - self._half + 1 - self._buffer_start]
        sums = np.einsum("nt,nt->n", inputs, self._bank[phase])
        result: NDArray[np.int16] = np.clip(np.rint(sums), -32768, 32767).astype(np.int16)
        return result


def resample(pcm: NDArray[np.int16], source_hz: int, target_hz: int) -> NDArray[np.int16]:
    """Convert a whole recording (samples,)."""
    if source_hz == target_hz:
        return pcm
    resampler = Resampler(source_hz, target_hz)
    return np.concatenate([resampler.process(pcm), resampler.flush()])


@lru_cache(maxsize=32)
def _filter_bank(up: int, down: int) -> NDArray[np.float64]:
    """(up, taps): row p is the filter for outputs that lie p/up of an input sample after one."""
    lower = min(up / down, 1.0)  # the lower rate in units of the source rate
    stop, width = lower / 2, (1 - _PASS_EDGE) * lower / 2
    cutoff = stop - width / 2
    half = int(np.ceil((_ATTENUATION_DB - 8) / (2.285 * 2 * np.pi * width) / 2)) + 1
    beta = 0.1102 * (_ATTENUATION_DB - 8.7)
    distance = np.arange(up)[:, np.newaxis] / up + np.arange(half - 1, -half - 1, -1)
    window = np.i0(beta * np.sqrt(np.maximum(1 - (distance / half) ** 2, 0))) / np.i0(beta)
    bank = 2 * cutoff * np.sinc(2 * cutoff * distance) * window
    bank /= bank.sum(axis=1, keepdims=True)  # every phase has a gain of exactly 1: no ripple on a constant
    return np.asarray(np.rint(bank * _EXACT) / _EXACT, np.float64)
