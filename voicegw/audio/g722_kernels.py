"""G.722 for many streams side by side, compiled to vector instructions by numba when it is imported.

ADPCM predicts each sample from the one before, so within a stream nothing can be done at once. But the same is
done to every stream: a lane of a vector register is a stream here, and what the Recommendation says with branches
is said with selections. All numbers are 32 bits; ``np.int32`` around each step keeps the compiler from making them
64, which would halve the lanes. Whatever is indexed ``[field * LANES + lane]`` holds a value of each lane.

The clause numbers are those of ITU-T G.722 (09/2012).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from voicegw.audio.g722_tables import (
    BAND,
    BY_ZEROS,
    COARSE_LEVELS,
    DIFFERENCES,
    FINE_LEVELS,
    HIGH_LEVELS,
    HIGH_MOST,
    HIGH_SCALES,
    HIGH_STEP,
    LOW_MOST,
    LOW_SCALES,
    LOW_STEPS,
    MIRROR,
    PARTIAL,
    PAST,
    POLES,
    POWERS,
    PREDICTED,
    REBUILT,
    SCALE,
    STEP,
    ZEROS,
    Ints,
)

LANES: Final = 32
"""Streams at once: several registers, which hides how long a multiplication takes. Loops over fewer are unrolled by
the compiler before it thinks of registers."""
_HALF: Final = len(MIRROR)
_LEVELS: Final = len(LOW_STEPS)
_I = np.int32
_Function = TypeVar("_Function", bound=Callable[..., object])


def _inlined(function: _Function) -> _Function:
    return cast(_Function, njit(forceinline=True, error_model="numpy")(function))


def _compiled(signature: str) -> Callable[[_Function], _Function]:
    """Compile now, or take what was compiled before and kept beside this file or where numba finds a place."""

    def decorate(function: _Function) -> _Function:
        try:
            made: object = njit(signature, cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:  # there is no place that we may write to
            made = njit(signature, nogil=True, error_model="numpy")(function)
        return cast(_Function, made)

    return decorate


@_inlined
def _within(value: np.int32, most: np.int32) -> np.int32:
    value = most if value > most else value
    return _I(-most) if value < _I(-most) else value


@_inlined
def _limited(value: np.int32) -> np.int32:
    """As 16 bits hold it."""
    value = _I(32767) if value > _I(32767) else value
    return _I(-32768) if value < _I(-32768) else value


@_inlined
def _scaled(value: np.int32, by: np.int32, shift: int) -> np.int32:
    return _I(_I(value * by) >> shift)


@_inlined
def _adapt_step(band: Ints, lane: int, change: np.int32, most: np.int32, octaves: np.int32) -> None:
    """The step of the quantiser follows the size of what it is given (§3.5, LOGSCL and SCALEL)."""
    at = SCALE * LANES + lane
    scale = _I(_scaled(band[at], _I(127), 7) + change)
    scale = _I(0) if scale < 0 else scale
    scale = most if scale > most else scale
    band[at] = scale
    power = _I(POWERS[_I(scale >> 6) & 31] * _I(8))
    band[STEP * LANES + lane] = _I(_I(power >> _I(octaves - _I(scale >> 11))) & ~3)


@_inlined
def _poles(band: Ints, lane: int, partial: np.int32) -> tuple[np.int32, np.int32]:
    """The two poles of the predictor after one more sample (§3.6.3, UPPOL2 and UPPOL1)."""
    first, second = band[POLES * LANES + lane], band[(POLES + 1) * LANES + lane]
    agrees = _I(partial ^ band[PARTIAL * LANES + lane]) >= 0
    agreed = _I(partial ^ band[(PARTIAL + 1) * LANES + lane]) >= 0
    push = _limited(_I(first * _I(4)))
    push = _I(-push) if agrees else push
    push = _I(32767) if push > _I(32767) else push
    new_second = _I((_I(128) if agreed else _I(-128)) + _I(push >> 7) + _scaled(second, _I(32512), 15))
    new_second = _within(new_second, _I(12288))
    new_first = _limited(_I((_I(192) if agrees else _I(-192)) + _scaled(first, _I(32640), 15)))
    return _within(new_first, _I(15360 - new_second)), new_second


@_inlined
def _by_zeros(band: Ints, lane: int, difference: np.int32) -> np.int32:
    """The six zeros after one more sample, and what they predict (§3.6.3, UPZERO, FILTEZ)."""
    step = _I(0) if difference == 0 else _I(128)
    total, before = _I(0), difference
    for tap in range(6):
        zero, old = (ZEROS + tap) * LANES + lane, (DIFFERENCES + tap) * LANES + lane
        was = band[old]
        push = step if _I(was ^ difference) >= 0 else _I(-step)
        weight = _limited(_I(push + _scaled(band[zero], _I(32640), 15)))
        band[zero] = weight
        band[old] = before
        total = _I(total + _scaled(weight, _limited(_I(before + before)), 15))
        before = was
    return _limited(total)


@_inlined
def _predict(band: Ints, lane: int, difference: np.int32) -> None:
    """Learn from a quantised difference, and predict the next sample (§3.6, block 4)."""
    rebuilt = _limited(_I(band[PREDICTED * LANES + lane] + difference))
    partial = _limited(_I(band[BY_ZEROS * LANES + lane] + difference))
    first, second = _poles(band, lane, partial)
    zeros = _by_zeros(band, lane, difference)
    before = band[REBUILT * LANES + lane]
    poles = _I(
        _scaled(first, _limited(_I(rebuilt + rebuilt)), 15) + _scaled(second, _limited(_I(before + before)), 15)
    )
    band[PREDICTED * LANES + lane] = _limited(_I(_limited(poles) + zeros))
    band[BY_ZEROS * LANES + lane] = zeros
    band[REBUILT * LANES + lane] = rebuilt
    band[(PARTIAL + 1) * LANES + lane] = band[PARTIAL * LANES + lane]
    band[PARTIAL * LANES + lane] = partial
    band[POLES * LANES + lane] = first
    band[(POLES + 1) * LANES + lane] = second


@_inlined
def _learn_low(low: Ints, lane: int, code: np.int32) -> None:
    coarse = _I(code >> 2)
    difference = _scaled(low[STEP * LANES + lane], COARSE_LEVELS[coarse], 15)
    _adapt_step(low, lane, LOW_SCALES[coarse], _I(LOW_MOST), _I(9))
    _predict(low, lane, difference)


@_inlined
def _learn_high(high: Ints, lane: int, code: np.int32) -> None:
    difference = _scaled(high[STEP * LANES + lane], HIGH_LEVELS[code], 15)
    _adapt_step(high, lane, HIGH_SCALES[code], _I(HIGH_MOST), _I(11))
    _predict(high, lane, difference)


@_inlined
def _filtered(window: Ints, lane: int) -> tuple[np.int32, np.int32]:
    """Both halves of the mirror filter over the first 24 samples of ``window`` (§3.1, §4.4)."""
    one, other = _I(0), _I(0)
    for tap in range(_HALF):
        at = 2 * tap * LANES + lane
        one = _I(one + _I(window[at] * MIRROR[tap]))
        other = _I(other + _I(window[at + LANES] * MIRROR[_HALF - 1 - tap]))
    return one, other


@_inlined
def _split(window: Ints, bands: Ints) -> None:
    for lane in range(LANES):
        one, other = _filtered(window, lane)
        bands[lane] = _I(_I(other + one) >> 14)
        bands[LANES + lane] = _I(_I(other - one) >> 14)


@_inlined
def _encode_low(low: Ints, bands: Ints, code: Ints) -> None:
    """60 levels, codes of 6 bits (§3.3, QUANTL). Comparisons are counted where a search would end."""
    for lane in range(LANES):
        error = _limited(_I(bands[lane] - low[PREDICTED * LANES + lane]))
        size = error if error >= 0 else _I(~error)
        step, passed = low[STEP * LANES + lane], _I(1)
        for level in range(_LEVELS):
            passed = _I(passed + (_I(1) if size >= _scaled(LOW_STEPS[level], step, 12) else _I(0)))
        below = _I(64 - passed) if passed < 3 else _I(34 - passed)
        code[lane] = _I(62 - passed) if error >= 0 else below


@_inlined
def _encode_high(high: Ints, bands: Ints, code: Ints) -> None:
    """Four levels, codes of 2 bits (§3.3, QUANTH)."""
    for lane in range(LANES):
        error = _limited(_I(bands[LANES + lane] - high[PREDICTED * LANES + lane]))
        size = error if error >= 0 else _I(~error)
        large = size >= _scaled(_I(HIGH_STEP), high[STEP * LANES + lane], 12)
        number = _I(2) if error >= 0 else _I(0)
        code[LANES + lane] = number if large else _I(number + 1)


@_inlined
def _decode_low(low: Ints, code: Ints, bands: Ints) -> None:
    """§4.2: heard is the fine level, learned from the coarse one."""
    for lane in range(LANES):
        fine = _scaled(low[STEP * LANES + lane], FINE_LEVELS[code[lane] & 63], 15)
        heard = _I(low[PREDICTED * LANES + lane] + fine)
        heard = _I(16383) if heard > _I(16383) else heard
        bands[lane] = _I(-16384) if heard < _I(-16384) else heard
        _learn_low(low, lane, _I(code[lane] & 63))


@_inlined
def _decode_high(high: Ints, code: Ints, bands: Ints) -> None:
    for lane in range(LANES):
        number = _I(code[lane] >> 6)
        heard = _I(high[PREDICTED * LANES + lane] + _scaled(high[STEP * LANES + lane], HIGH_LEVELS[number], 15))
        heard = _I(16383) if heard > _I(16383) else heard
        bands[LANES + lane] = _I(-16384) if heard < _I(-16384) else heard
        _learn_high(high, lane, number)


@_inlined
def _join(window: Ints, bands: Ints, out: Ints) -> None:
    """Two samples of two bands (§4.4)."""
    newest = PAST * LANES
    for lane in range(LANES):
        low, high = bands[lane], bands[LANES + lane]
        window[newest + lane] = _I(low + high)
        window[newest + LANES + lane] = _I(low - high)
    for lane in range(LANES):
        one, other = _filtered(window, lane)
        out[lane] = _limited(_I(other >> 11))
        out[LANES + lane] = _limited(_I(one >> 11))


@_inlined
def _load(state: Ints, past: Ints, rows: NDArray[np.int64], lanes: Ints, samples: Ints) -> None:
    """What is known of the streams ``rows``, a lane each."""
    for lane in range(len(rows)):
        for field in range(2 * BAND):
            lanes[field * LANES + lane] = state[rows[lane], field]
        for at in range(PAST):
            samples[at * LANES + lane] = past[rows[lane], at]


@_inlined
def _keep(state: Ints, past: Ints, rows: NDArray[np.int64], lanes: Ints, samples: Ints, end: int) -> None:
    """The same back; ``end`` is the number of samples without those of the past."""
    for lane in range(len(rows)):
        for field in range(2 * BAND):
            state[rows[lane], field] = lanes[field * LANES + lane]
        for at in range(PAST):
            past[rows[lane], at] = samples[(end + at) * LANES + lane]


@_compiled("void(i4[:,::1], i4[:,::1], i8[::1], i2[:,::1], u1[:,::1])")
def encode(
    state: Ints, past: Ints, rows: NDArray[np.int64], frames: NDArray[np.int16], codes: NDArray[np.uint8]
) -> None:
    """Frames (n, 2m) of the streams ``rows`` to ``codes`` (n, m); ``state`` and ``past`` are of all streams."""
    lanes, bands, code = np.zeros(2 * BAND * LANES, _I), np.zeros(2 * LANES, _I), np.zeros(2 * LANES, _I)
    low, high = lanes[: BAND * LANES], lanes[BAND * LANES :]
    samples = np.zeros((PAST + frames.shape[1]) * LANES, _I)
    for start in range(0, len(rows), LANES):
        some = rows[start : start + LANES]
        _load(state, past, some, lanes, samples)
        for lane in range(len(some)):
            for at in range(frames.shape[1]):
                samples[(PAST + at) * LANES + lane] = frames[start + lane, at]
        for place in range(codes.shape[1]):
            _split(samples[2 * place * LANES :], bands)
            _encode_low(low, bands, code)
            _encode_high(high, bands, code)
            for lane in range(LANES):
                _learn_low(low, lane, code[lane])
            for lane in range(LANES):
                _learn_high(high, lane, code[LANES + lane])
            for lane in range(len(some)):
                codes[start + lane, place] = code[lane] | code[LANES + lane] << 6
        _keep(state, past, some, lanes, samples, frames.shape[1])


@_compiled("void(i4[:,::1], i4[:,::1], i8[::1], u1[:,::1], i2[:,::1])")
def decode(
    state: Ints, past: Ints, rows: NDArray[np.int64], codes: NDArray[np.uint8], frames: NDArray[np.int16]
) -> None:
    """Codes (n, m) of the streams ``rows`` to ``frames`` (n, 2m); ``state`` and ``past`` are of all streams."""
    lanes, bands, code = np.zeros(2 * BAND * LANES, _I), np.zeros(2 * LANES, _I), np.zeros(LANES, _I)
    low, high = lanes[: BAND * LANES], lanes[BAND * LANES :]
    samples, out = np.zeros((PAST + frames.shape[1]) * LANES, _I), np.zeros(2 * LANES, _I)
    for start in range(0, len(rows), LANES):
        some = rows[start : start + LANES]
        _load(state, past, some, lanes, samples)
        for place in range(codes.shape[1]):
            for lane in range(len(some)):
                code[lane] = codes[start + lane, place]
            _decode_low(low, code, bands)
            _decode_high(high, code, bands)
            _join(samples[2 * place * LANES :], bands, out)
            for lane in range(len(some)):
                frames[start + lane, 2 * place] = out[lane]
                frames[start + lane, 2 * place + 1] = out[LANES + lane]
        _keep(state, past, some, lanes, samples, frames.shape[1])
