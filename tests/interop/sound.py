"""Make test audio and judge what was heard. Everything is 8 kHz, 16 bit, mono unless said otherwise.

G.711 is written here a second time, by the book, so that the code under test is not its own judge.
"""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
FRAME = RATE_HZ // 50
"""Samples in 20 ms."""

Samples = NDArray[np.int16]


def tone(hz: float, seconds: float, peak: int = 8000) -> Samples:
    """A sine that begins at zero."""
    time_s = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    return (peak * np.sin(2 * np.pi * hz * time_s)).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(int(RATE_HZ * seconds), dtype=np.int16)


def speech(text: str, folder: Path) -> Samples:
    """``text`` as flite reads it, by the one of its voices that was made for the telephone."""
    path = folder / "spoken.wav"
    subprocess.run(["flite", "-voice", "kal", "-t", text, "-o", str(path)], check=True)
    return read_wav(path)[0]


def ulaw_encode(samples: Samples) -> bytes:
    """ITU-T G.711 µ-law: sign, 3 bits of segment, 4 bits of step, all inverted."""
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), 32635) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 15
    sign = np.where(samples < 0, 0x80, 0)
    return bytes((~(sign | segment << 4 | step) & 0xFF).astype(np.uint8))


def ulaw_decode(data: bytes) -> Samples:
    """The inverse of :func:`ulaw_encode`."""
    code = ~np.frombuffer(data, dtype=np.uint8).astype(np.int32) & 0xFF
    magnitude = (((code & 15) << 3) + 132 << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def write_wav(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> list[Samples]:
    """The channels of a 16-bit 8 kHz WAV file."""
    channels, rate_hz = read_any_wav(path)
    assert rate_hz == RATE_HZ, path
    return channels


def read_any_wav(path: Path) -> tuple[list[Samples], int]:
    """The channels of a 16-bit WAV file, and its sample rate."""
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2, f"{path}: {file.getparams()}"
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        channels = [data[place :: file.getnchannels()].astype(np.int16) for place in range(file.getnchannels())]
        return channels, file.getframerate()


def share_above(samples: Samples, hz: float, rate_hz: int) -> float:
    """How much of the energy lies above a frequency, from 0 to 1."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    return float(power[np.fft.rfftfreq(len(samples), 1 / rate_hz) > hz].sum() / (power.sum() + 1e-9))


def seconds_with(samples: Samples, hz: float, share: float = 0.8) -> float:
    """How many seconds of ``samples`` are this tone: 100 ms blocks with ``share`` of their energy within 20 Hz."""
    spectra = _block_spectra(samples)
    frequencies = np.fft.rfftfreq(5 * FRAME, 1 / RATE_HZ)
    inside = spectra[:, np.abs(frequencies - hz) <= 20].sum(axis=1)
    return 0.1 * int(np.count_nonzero(inside > share * spectra.sum(axis=1)))


def speech_seconds(samples: Samples) -> float:
    """How many seconds of ``samples`` can be speech: loud, mostly below 3.4 kHz, and no single tone."""
    spectra = _block_spectra(samples)
    frequencies = np.fft.rfftfreq(5 * FRAME, 1 / RATE_HZ)
    total = spectra.sum(axis=1) + 1e-9
    in_band = spectra[:, (frequencies >= 80) & (frequencies <= 3400)].sum(axis=1) / total
    strongest = spectra.max(axis=1) / total
    # A sine puts about two thirds of its energy into one bin of a Hann window; a voiced sound far less.
    return 0.1 * int(np.count_nonzero((in_band > 0.8) & (strongest < 0.6)))


def energy(samples: Samples) -> float:
    """The sum of the squares: equal for equal sounds, wherever they lie."""
    return float((samples.astype(np.float64) ** 2).sum())


def _block_spectra(samples: Samples) -> NDArray[np.float64]:
    """Power spectra of the 100 ms blocks louder than −46 dB of full scale."""
    block = 5 * FRAME
    blocks = samples[: len(samples) // block * block].reshape(-1, block).astype(np.float64)
    loud = blocks[np.sqrt((blocks**2).mean(axis=1)) > 164] if len(blocks) else blocks
    return np.abs(np.fft.rfft(loud * np.hanning(block), axis=1)) ** 2
