"""Music for callers who wait: one file, read when the server starts, played piece by piece and around again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import wav
from voicegw.audio.levels import fade_in, fade_out
from voicegw.audio.resample import resample
from voicegw.base.errors import ConfigError

FADE_S: Final = 0.2
"""Where it begins: music that is there at once startles. And at both ends of the file, which need not fit."""
RATES_HZ: Final = (8000, 16000)
"""At which calls are mixed: nothing is resampled while somebody waits."""
_LONGEST_S: Final = 600
_FIX: Final = "give a WAV file of 1 s to 10 minutes (PCM or G.711, any rate), or leave it out for the ringing tone"


class WavMusic:
    """What is played, at every rate that a call can have."""

    def __init__(self, at: Mapping[int, NDArray[np.int16]]) -> None:
        self._at = at

    def piece(self, rate_hz: int, begin_s: float, length_s: float, *, begins: bool) -> bytes:
        """``length_s`` of it at ``rate_hz`` from ``begin_s`` on; after its end it begins anew. ``begins``: nothing
        was heard before, so that it is faded in."""
        whole = self._at[rate_hz]
        places = np.arange(round(length_s * rate_hz)) + round(begin_s * rate_hz)
        piece = np.take(whole, places, mode="wrap")
        return (fade_in(piece, round(FADE_S * rate_hz)) if begins else piece).astype("<i2").tobytes()


def read_music(path: Path) -> wav.WavAudio:
    """A file of music as it is; raises ConfigError for one that cannot be played."""
    try:
        audio = wav.parse(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"the music {path} cannot be read: {error.strerror}", fix=_FIX) from None
    except wav.WavFormatError as error:
        raise ConfigError(f"the music {path} is no WAV that can be read: {error}", fix=_FIX) from None
    length_s = len(audio.samples) / audio.rate
    if not 1 <= length_s <= _LONGEST_S:
        raise ConfigError(f"the music {path} is {length_s:.1f} s long", fix=_FIX)
    return audio


def load_music(path: str) -> WavMusic:
    """A file of music, to be played; raises ConfigError."""
    audio = read_music(Path(path))
    return WavMusic({hz: _looped(resample(audio.mono(), audio.rate, hz), hz) for hz in RATES_HZ})


def _looped(whole: NDArray[np.int16], rate_hz: int) -> NDArray[np.int16]:
    fade = round(FADE_S * rate_hz)
    return fade_out(fade_in(whole, fade), fade)
