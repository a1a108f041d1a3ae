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
"""At both ends of a piece: music that begins at once startles."""
RATES_HZ: Final = (8000, 16000)
"""At which calls are mixed: nothing is resampled while somebody waits."""
_LONGEST_S: Final = 600
_FIX: Final = "give a WAV file of 1 s to 10 minutes (PCM or G.711, any rate), or leave it out for the ringing tone"


class WavMusic:
    """What is played, at every rate that a call can have."""

    def __init__(self, at: Mapping[int, NDArray[np.int16]]) -> None:
        self._at = at

    def piece(self, rate_hz: int, begin_s: float, length_s: float) -> bytes:
        """``length_s`` of it at ``rate_hz`` from ``begin_s`` on, faded in and out; after its end it begins anew."""
        whole, fade = self._at[rate_hz], round(FADE_S * rate_hz)
        places = np.arange(round(length_s * rate_hz)) + round(begin_s * rate_hz)
        return fade_out(fade_in(np.take(whole, places, mode="wrap"), fade), fade).astype("<i2").tobytes()


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
    return WavMusic({rate_hz: resample(audio.mono(), audio.rate, rate_hz) for rate_hz in RATES_HZ})
