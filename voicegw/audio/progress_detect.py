"""What the network plays instead of a person: busy, ringing, special information tones, fax (ITU-T E.180, T.30).

A tone is a run of frames of 20 ms whose power lies in its own bands; what it means is in how long it sounds and
pauses. Speech has such frames, too, but not such runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

_Pcm = NDArray[np.int16]
_FRAME: Final = 160
_FRAME_MS: Final = 20
_SILENCE_POWER: Final = 32768.0**2 * 10**-4.5
"""-45 dBov."""
_SHARE: Final = 0.85
_BANDS_HZ: Final = ((300, 530), (560, 690), (860, 1040), (1060, 1150), (1320, 1480), (1720, 1860), (2050, 2150))
_NEAR: Final = 0.25
"""Part by which on and off times of a busy tone may differ."""
_BUSY_MS: Final = 275
"""Busy from here on: in most countries it has 300 to 750 ms, congestion 165 to 250. In Brazil, Mexico, Spain and
Sweden busy has 200 or 250, which is congestion elsewhere."""


class Tone(Enum):
    """What is heard."""

    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    SPECIAL_INFORMATION = "special_information"
    """Three rising tones before an announcement: the call cannot be put through."""
    FAX_CALLING = "fax_calling"
    FAX_ANSWERING = "fax_answering"


class _Sound(Enum):
    """What one frame is."""

    OTHER = "other"
    SILENCE = "silence"
    LOW = "low"
    """One or two frequencies of 350 to 480 Hz."""
    TWO = "two"
    """480 and 620 Hz: busy in North America."""
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    CALLING = "calling"
    ANSWERING = "answering"


_SINGLE: Final = (
    _Sound.LOW,
    _Sound.OTHER,
    _Sound.FIRST,
    _Sound.CALLING,
    _Sound.SECOND,
    _Sound.THIRD,
    _Sound.ANSWERING,
)
"""By band, where one has nearly all of the power."""
_SPECIAL: Final = (_Sound.FIRST, _Sound.SECOND, _Sound.THIRD)


@dataclass(slots=True)
class _Line:
    """The runs of a row: the newest first, and its length in ms."""

    sound: _Sound = _Sound.SILENCE
    ms: int = 0
    stray: int = 0
    """Frames of something else that may be a click within the run."""
    before: list[tuple[_Sound, int]] = field(default_factory=list)
    told: Tone | None = None


class ToneDetector:
    """Progress tones on ``capacity`` rows of 20 ms frames, 8 kHz."""

    def __init__(self, capacity: int) -> None:
        self._lines = [_Line() for _ in range(capacity)]

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        self._lines[row] = _Line()

    def process(self, rows: NDArray[np.intp], frames: _Pcm) -> list[tuple[int, Tone]]:
        """Take one frame (len(rows), 160) of each row; the tones that are known now, each told when it begins."""
        found = []
        for row, sound in zip(rows.tolist(), _sounds(frames), strict=True):
            line = self._lines[row]
            _extend(line, sound)
            tone = _meaning(line)
            if tone is not None and tone is not line.told:
                found.append((row, tone))
                line.told = tone
        return found


def _extend(line: _Line, sound: _Sound) -> None:
    """One more frame. A single odd one does not end a run: tones are cut anywhere in a frame."""
    if sound is line.sound:
        line.ms += _FRAME_MS * (1 + line.stray)
        line.stray = 0
        return
    line.stray += 1
    if line.stray < 2:
        return
    line.before = [(line.sound, line.ms), *line.before[:4]]
    line.sound, line.ms, line.stray = sound, _FRAME_MS * line.stray, 0


def _meaning(line: _Line) -> Tone | None:
    runs = [(line.sound, line.ms), *line.before]
    sounds = [sound for sound, _ in runs]
    if line.sound is _Sound.ANSWERING and line.ms >= 1000:
        return Tone.FAX_ANSWERING
    if line.sound is _Sound.SILENCE and _is(runs[1:2], _Sound.CALLING, 400, 620) and line.ms >= 200:
        return Tone.FAX_CALLING
    played = [sound for sound in sounds if sound not in (_Sound.SILENCE, _Sound.OTHER)][:3]
    if tuple(reversed(played)) == _SPECIAL and all(ms >= 160 for sound, ms in runs if sound in _SPECIAL):
        return Tone.SPECIAL_INFORMATION
    if line.sound is _Sound.SILENCE:
        return _cadence(runs)
    return None


def _cadence(runs: list[tuple[_Sound, int]]) -> Tone | None:
    """In a pause: what the tones before it were."""
    (_, pause), *rest = runs
    if not rest or rest[0][0] not in (_Sound.LOW, _Sound.TWO):
        return None
    tone, on_ms = rest[0]
    if tone is _Sound.LOW and pause >= 1500 and (700 <= on_ms <= 2600 or _is_double_ring(rest)):
        return Tone.RINGBACK
    if len(rest) < 5 or [sound for sound, _ in rest[:5]] != [tone, _Sound.SILENCE, tone, _Sound.SILENCE, tone]:
        return None
    times = [ms for _, ms in rest[:4]]
    mean = sum(times) / len(times)
    if pause < 100 or not 160 <= mean <= 900 or any(abs(ms - mean) > max(_NEAR * mean, 60) for ms in times):
        return None
    return Tone.BUSY if mean >= _BUSY_MS else Tone.CONGESTION


def _is_double_ring(runs: list[tuple[_Sound, int]]) -> bool:
    """Twice 400 ms with 200 between them, as in Britain, India, Australia and South Africa."""
    (_, second), *before = runs
    return 300 <= second <= 500 and _is(before, _Sound.SILENCE, 120, 300) and _is(before[1:], _Sound.LOW, 300, 500)


def _is(runs: list[tuple[_Sound, int]], sound: _Sound, low_ms: int, high_ms: int) -> bool:
    return bool(runs) and runs[0][0] is sound and low_ms <= runs[0][1] <= high_ms


def _sounds(frames: _Pcm) -> list[_Sound]:
    """What each frame is."""
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    loud = np.flatnonzero(power >= _SILENCE_POWER)
    sounds = [_Sound.SILENCE] * len(frames)
    if len(loud):
        spectra = np.abs(np.fft.rfft(frames[loud] * _WINDOW, axis=1)) ** 2
        total = spectra[:, 3:].sum(axis=1) + 1e-9
        shares = (spectra @ _MASKS) / total[:, np.newaxis]
        for place, share in zip(loud.tolist(), shares.tolist(), strict=True):
            sounds[place] = _sound(share)
    return sounds


def _sound(shares: list[float]) -> _Sound:
    best = max(range(len(shares)), key=shares.__getitem__)
    if shares[best] >= _SHARE:
        return _SINGLE[best]
    low, high = shares[0], shares[1]
    return _Sound.TWO if low + high >= _SHARE and min(low, high) >= 0.15 else _Sound.OTHER


def _make_masks() -> NDArray[np.float64]:
    """(81, bands): which bins of 50 Hz belong to each band, one more on either side for the window."""
    hz = np.arange(_FRAME // 2 + 1) * 50
    return np.array([(hz >= low - 60) & (hz <= high + 60) for low, high in _BANDS_HZ], np.float64).T


_WINDOW: Final = np.hanning(_FRAME)
_MASKS: Final = _make_masks()
