"""The level of what recognisers get: quiet callers raised, loud ones lowered, slowly, each ear by itself.

Recognisers were trained on speech of about one level; a line delivers −45 dBov as well as −8. The gain of an ear
goes towards the one that brings its *active* speech to the wished level: pauses do not count (ITU-T P.56 leaves out
what is 15.9 dB below the speech, too), or a caller who thinks would be turned up until the line hums.
It moves so slowly that the words of a sentence keep their proportions. All ears of a tick at once, in arrays
that are made once: what is done for each sample is a product and some comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.ids import CallId
from voicegw.media.config import FRAME_MS
from voicegw.media.filling import Pcm

Ear = tuple[CallId, str, int]
"""Call, name of the ear, its sink in the mix."""
Flags = NDArray[np.bool_]
_Float = NDArray[np.float32]

LEAST_DB: Final = -12.0
MOST_DB: Final = 18.0
"""More would raise the noise of the line to the level of speech."""
_STEP_DB: Final = 6.0 * FRAME_MS / 1000
"""6 dB a second: a sentence is too short to be heard as a swell."""
_MARGIN_DB: Final = 16.0
"""What is so far below the speech of late is a pause in it (ITU-T P.56 §8)."""
_FORGET_DB: Final = 4.0 * FRAME_MS / 1000
"""Each frame of "pause" in open speech makes the margin wider: somebody may have gone on much more quietly."""
_LEARNING: Final = 25
"""Frames, half a second of speech, that weigh alike at first; then the newest counts for one part in so many."""
_LEAST_SPEECH_DBOV: Final = -58.0
"""Below that is no speech, whatever a detector thinks: the weakest telephone speech is near -50."""
_FULL_SCALE_POWER: Final = 32768.0**2
_LOUDEST: Final = 32_000.0
"""Peaks that the gain would lift beyond are held here, frame by frame."""


@dataclass(slots=True)
class _Ears:
    """What is known of some ears, an element each."""

    ears: Sequence[Ear]
    sinks: NDArray[np.intp]
    power_dbov: _Float
    """Of active speech."""
    frames: _Float
    """Of active speech that were counted, up to ``_LEARNING``."""
    gain_db: _Float
    samples: _Float = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def room(self, frame_samples: int) -> _Float:
        """For one frame of each."""
        if self.samples.shape != (len(self.sinks), frame_samples):
            self.samples = np.empty((len(self.sinks), frame_samples), np.float32)
        return self.samples


class EarLevels:
    """The gains of the ears of the calls of one rate."""

    def __init__(self, target_dbov: float) -> None:
        """``target_dbov``: the level that active speech is brought to."""
        self.target_dbov = target_dbov
        self._known = _Ears((), *_fresh(0))

    def process(self, ears: Sequence[Ear], mixed: Pcm, speaking: Flags) -> Pcm:
        """One frame of each of ``ears``, (ears, samples), from ``mixed``.

        ``speaking``: whether the leg that each hears is speaking, as its detector says.
        """
        if ears is not self._known.ears:
            self._known = self._renumbered(ears)
        known = self._known
        heard: Pcm = mixed[known.sinks]
        samples = known.room(heard.shape[1])
        samples[:] = heard
        if speaking.any():
            power = np.einsum("ij,ij->i", samples, samples) / np.float32(_FULL_SCALE_POWER * heard.shape[1])
            levels = 10 * np.log10(power + np.float32(1e-10))
            self._learn(known, levels, speaking & (levels > _LEAST_SPEECH_DBOV))
        if not known.gain_db.any():
            return heard
        samples *= _limited(known.gain_db, heard)[:, np.newaxis]
        np.rint(samples, out=samples)
        heard[:] = samples
        return heard

    def _learn(self, known: _Ears, levels: _Float, speaking: Flags) -> None:
        first = known.frames == 0
        active = speaking & (first | (levels > known.power_dbov - _MARGIN_DB))
        known.power_dbov -= np.float32(_FORGET_DB) * (speaking & ~active)
        known.frames += active & (known.frames < _LEARNING)
        weight = active / np.maximum(known.frames, np.float32(1))
        power = 10 ** (known.power_dbov / 10)
        known.power_dbov = (10 * np.log10(power + weight * (10 ** (levels / 10) - power))).astype(np.float32)
        wish = np.clip(np.float32(self.target_dbov) - known.power_dbov, LEAST_DB, MOST_DB)
        known.gain_db += np.clip(wish - known.gain_db, -_STEP_DB, _STEP_DB).astype(np.float32) * active

    def _renumbered(self, ears: Sequence[Ear]) -> _Ears:
        """Ears that were there before are known still."""
        sinks, *values = _fresh(len(ears))
        sinks[:] = [sink for _, _, sink in ears]
        old = {ear[:2]: place for place, ear in enumerate(self._known.ears)}
        for place, ear in enumerate(ears):
            if ear[:2] in old:
                was = old[ear[:2]]
                for value, before in zip(
                    values, (self._known.power_dbov, self._known.frames, self._known.gain_db), strict=True
                ):
                    value[place] = before[was]
        return _Ears(ears, sinks, *values)


def _limited(gain_db: _Float, heard: Pcm) -> _Float:
    """Factors for these frames that lift no peak beyond ``_LOUDEST``."""
    peaks = np.maximum(heard.max(axis=1).astype(np.float32), -heard.min(axis=1).astype(np.float32))
    factors: _Float = np.minimum(10 ** (gain_db / 20), _LOUDEST / np.maximum(peaks, 1)).astype(np.float32)
    return factors


def _fresh(count: int) -> tuple[NDArray[np.intp], _Float, _Float, _Float]:
    floor = np.full(count, -100, np.float32)
    return np.zeros(count, np.intp), floor, np.zeros(count, np.float32), np.zeros(count, np.float32)
