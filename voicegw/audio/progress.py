"""Call progress tones (ITU-T E.180). Without numpy: the gateway plays them, and needs it for nothing else."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import Final

_LEVEL_DBOV: Final = -16.0
"""Of each frequency."""
_PEAK: Final = 32768 * 2**0.5 * 10 ** (_LEVEL_DBOV / 20)


@dataclass(frozen=True, slots=True)
class Cadence:
    """A progress tone: its frequencies in Hz, then how long it sounds and pauses, in ms (0: it does not pause)."""

    frequencies: tuple[int, ...]
    on_ms: int
    off_ms: int


PROGRESS: Final = {
    "eu": {
        "dial": Cadence((425,), 1000, 0),
        "ringback": Cadence((425,), 1000, 4000),
        "busy": Cadence((425,), 500, 500),
        "congestion": Cadence((425,), 250, 250),
    },
    "us": {
        "dial": Cadence((350, 440), 1000, 0),
        "ringback": Cadence((440, 480), 2000, 4000),
        "busy": Cadence((480, 620), 500, 500),
        "congestion": Cadence((480, 620), 250, 250),
    },
}
"""By plan and name."""


def progress_tone(name: str, duration_ms: int, plan: str = "eu", rate: int = 8000) -> bytes:
    """``duration_ms`` of a progress tone as 16-bit PCM, cadence included; KeyError for an unknown plan or name."""
    cadence = PROGRESS[plan][name]
    samples, sounds = duration_ms * rate // 1000, cadence.on_ms * rate // 1000
    # Frequencies are whole hertz: the wave repeats after so many samples, and no more of it need be computed.
    period = rate // math.gcd(rate, *cadence.frequencies)
    wave = array("h", (_sample(cadence.frequencies, at / rate) for at in range(period)))
    once = (wave * math.ceil(sounds / period))[:sounds] + array("h", bytes(2 * (cadence.off_ms * rate // 1000)))
    return (once * math.ceil(samples / len(once)))[:samples].tobytes()


def _sample(frequencies: tuple[int, ...], at_s: float) -> int:
    return round(sum(_PEAK * math.sin(2 * math.pi * frequency * at_s) for frequency in frequencies))
