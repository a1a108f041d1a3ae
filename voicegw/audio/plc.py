"""Loss concealment and comfort noise for many legs at once, at 8 or 16 kHz.

A lost frame is filled by repeating the last pitch period (in the spirit of ITU-T G.711 Appendix I), which fades
out over 80 ms while noise at the level of the line's background fades in: a line that goes dead sounds like a
hang-up. Unlike the Appendix there is no look-ahead of 3.75 ms: the step at the seam is bent away instead, which
costs no delay on the frames that do arrive. Rows without loss pay for one copy into the history.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_Rows = NDArray[np.intp]
_Pcm = NDArray[np.int16]
_Float = NDArray[np.float32]

FRAME: Final = 160
"""20 ms; this and all that follows in samples at 8 kHz, of which there are twice as many at 16."""
_SLOTS: Final = 3
_MIN_LAG: Final = 40
"""5 ms: a voice of 200 Hz. Higher voices are matched at twice their period, which sounds the same."""
_MAX_LAG: Final = 120
_UNVOICED_LENGTH: Final = 240
"""What is not periodic is repeated in pieces of 30 ms: shorter ones would buzz at their own pitch."""
_VOICED_CORRELATION: Final = 0.5
_HOLD_SAMPLES: Final = 80
"""Full level for 10 ms, as in the Appendix: most losses are one frame and should not be heard as a dip."""
_FADE_SAMPLES: Final = 560
_RETURN_SAMPLES: Final = 40
_MAX_NOISE_DBOV: Final = -50.0
"""A loss in the middle of a vowel has no pause in its history: never take the vowel for background."""

_NOISE_LENGTH: Final = 8192


def _make_noise() -> _Float:
    white = np.random.default_rng(1).standard_normal(_NOISE_LENGTH + 2 * FRAME)
    soft = np.convolve(white, [0.5, 0.5], "same")
    noise: _Float = (soft / np.sqrt(np.mean(soft**2))).astype(np.float32)
    return noise


_NOISE: Final[_Float] = _make_noise()


def comfort_noise(levels_dbov: _Float, samples: int, position: int) -> _Pcm:
    """Noise of ``levels_dbov`` (rows,) as (rows, samples), a little low-passed like a telephone line (RFC 3389 §5).

    ``position`` is the media time in samples; it picks the stretch of noise, and neighbouring rows get others.
    """
    rms = 32768 * 10 ** (levels_dbov / 20)
    start = (position + 997 * np.arange(len(levels_dbov))) % _NOISE_LENGTH
    index = (start[:, np.newaxis] + np.arange(samples)) % _NOISE_LENGTH
    noise: _Pcm = np.clip(np.rint(_NOISE[index] * rms[:, np.newaxis]), -32768, 32767).astype(np.int16)
    return noise


class Concealer:
    """Concealment state of ``capacity`` rows; one call to :meth:`process` per 20 ms tick."""

    def __init__(self, capacity: int, rate_hz: int = 8000) -> None:
        """``rate_hz``: 8000 or 16000."""
        self._scale = scale = rate_hz // 8000
        self._frame = scale * FRAME
        self._return = scale * _RETURN_SAMPLES
        self._rise = ((np.arange(self._return) + 0.5) / self._return).astype(np.float32)
        self._history = np.zeros((capacity, _SLOTS, self._frame), np.int16)
        self._lost_samples = np.zeros(capacity, np.int64)  # length of the loss so far; 0: no loss
        self._period = np.zeros((capacity, scale * _UNVOICED_LENGTH), np.float32)
        self._period_length = np.ones(capacity, np.intp)
        self._seam = np.zeros(capacity, np.float32)
        self._noise_rms = np.zeros(capacity, np.float32)
        self._ticks = 0
        self._losing = False
        """Whether any row lost its last frame."""

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now."""
        self._history[row] = 0
        self._lost_samples[row] = 0

    def process(self, rows: _Rows, frames: _Pcm, lost: NDArray[np.bool_] | None) -> _Pcm:
        """Return ``frames`` (len(rows), 20 ms) with the lost ones filled in and the returning ones smoothed.

        ``frames`` is changed in place where needed and returned; what it holds where ``lost`` does not matter. None
        for ``lost`` says that nothing is, which most of the time there is nothing to do for.
        """
        self._ticks += 1
        if lost is not None or self._losing:
            self._mend(rows, frames, np.zeros(len(rows), np.bool_) if lost is None else lost)
        self._history[rows, self._ticks % _SLOTS] = frames
        return frames

    def replace(self, rows: _Rows, frames: _Pcm) -> None:
        """These rows play ``frames`` in this tick, instead of what :meth:`process` gave for them; none is lost."""
        self._history[rows, self._ticks % _SLOTS] = frames
        self._lost_samples[rows] = 0

    def _mend(self, rows: _Rows, frames: _Pcm, lost: NDArray[np.bool_]) -> None:
        before = self._lost_samples[rows]
        if lost.any():
            self._begin(rows[lost & (before == 0)])
            frames[lost] = np.rint(self._continue(rows[lost], self._frame))
        returning = ~lost & (before > 0)
        if returning.any():
            tail = self._continue(rows[returning], self._return)
            head = frames[returning, : self._return]
            frames[returning, : self._return] = np.rint(tail + (head - tail) * self._rise)
        self._lost_samples[rows] = np.where(lost, before + self._frame, 0)
        self._losing = bool(self._lost_samples.any())

    def _begin(self, rows: _Rows) -> None:
        """Take the period to repeat, the step at the seam and the background level from the history."""
        if not len(rows):
            return
        oldest_first = (self._ticks + np.arange(_SLOTS)) % _SLOTS
        history = self._history[rows[:, np.newaxis], oldest_first].reshape(len(rows), -1).astype(np.float32)
        length = _pitch_periods(history, self._scale)
        index = np.arange(self._scale * _UNVOICED_LENGTH) % length[:, np.newaxis]
        last = history.shape[1]
        each = np.arange(len(rows))[:, np.newaxis]
        newest = history[each, last - length[:, np.newaxis] + index]
        older = history[each, last - 2 * length[:, np.newaxis] + index]
        # The last quarter of the period glides into what came before its start, so that the repeats join smoothly.
        quarter = length[:, np.newaxis] / 4
        weight = np.clip((index - (length[:, np.newaxis] - quarter)) / quarter, 0, 1)
        self._period[rows] = newest + (older - newest) * weight
        self._period_length[rows] = length
        self._seam[rows] = history[:, -1] - history[np.arange(len(rows)), last - length - 1]
        self._noise_rms[rows] = _background_rms(history, self._scale)

    def _continue(self, rows: _Rows, samples: int) -> _Float:
        """The next ``samples`` of the concealment, without advancing it."""
        position = self._lost_samples[rows, np.newaxis] + np.arange(samples)
        voice = self._period[rows[:, np.newaxis], position % self._period_length[rows, np.newaxis]]
        voice += self._seam[rows, np.newaxis] * np.clip(1 - position / self._return, 0, 1)
        gain = np.clip(1 - (position / self._scale - _HOLD_SAMPLES) / _FADE_SAMPLES, 0, 1).astype(np.float32)
        start = (self._ticks * self._frame + 997 * rows) % _NOISE_LENGTH
        noise = _NOISE[start[:, np.newaxis] + np.arange(samples)] * self._noise_rms[rows, np.newaxis]
        filled: _Float = np.clip(voice * gain + noise * (1 - gain), -32768, 32767)
        return filled


def _pitch_periods(history: _Float, scale: int) -> _Rows:
    """Samples to repeat for each row: the lag where the last 20 ms resemble their past most."""
    frame, longest, shortest = scale * FRAME, scale * _MAX_LAG, scale * _MIN_LAG
    recent = history[:, -frame:]
    past = history[:, -frame - longest : -shortest]
    windows = np.lib.stride_tricks.sliding_window_view(past, frame, axis=1)  # oldest, so largest lag, first
    product = np.einsum("rlw,rw->rl", windows, recent)
    energy = np.einsum("rlw,rlw->rl", windows, windows)
    own = np.einsum("rw,rw->r", recent, recent)[:, np.newaxis]
    likeness = product / np.sqrt(energy * own + 1)
    best = likeness.argmax(axis=1)
    voiced = likeness[np.arange(len(best)), best] > _VOICED_CORRELATION
    return np.where(voiced, longest - best, scale * _UNVOICED_LENGTH)


def _background_rms(history: _Float, scale: int) -> _Float:
    """Level of the quietest 5 ms of the history, capped."""
    blocks = history.reshape(len(history), -1, 40 * scale)
    quietest = np.sqrt(np.einsum("rbs,rbs->rb", blocks, blocks).min(axis=1) / (40 * scale))
    rms: _Float = np.minimum(quietest, np.float32(32768 * 10 ** (_MAX_NOISE_DBOV / 20)))
    return rms
