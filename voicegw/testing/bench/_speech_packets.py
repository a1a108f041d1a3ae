"""Speech as payloads of 20 ms in a codec, for the load of the media bench."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import g722, opus, wav
from voicegw.audio.g711 import Law, encode
from voicegw.audio.resample import resample

MAX_BYTES: Final = 160
_TEXT: Final = (
    "Good morning, I would like to book an appointment for next Tuesday, if that is possible. "
    "My account number is four seven one, nine zero two. Yes, half past ten is fine. Thank you very much."
)


@dataclass(frozen=True, slots=True)
class BenchCodec:
    """``step``: what a packet adds to the timestamp; ``compiled``: see ``MediaConfig.g722_compiled``."""

    name: str
    payload_type: int
    rate_hz: int = 8000
    step: int = 160
    compiled: bool = False

    @property
    def label(self) -> str:
        """Its name in tables."""
        return f"{self.name}c" if self.compiled else self.name


CODECS: Final = {
    "PCMU": BenchCodec("PCMU", 0),
    "PCMA": BenchCodec("PCMA", 8),
    "G722": BenchCodec("G722", 9, 16000),
    "G722c": BenchCodec("G722", 9, 16000, compiled=True),
    "opus": BenchCodec("opus", 111, 16000, 960),
}


@dataclass(frozen=True, slots=True)
class BenchSpeech:
    """What is said, in one codec."""

    path: Path
    """Of the packets of the callers."""
    agent: NDArray[np.int16]
    """What agents say, at the rate of the codec."""

    @property
    def packets(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The payloads and their lengths."""
        return read_packets(self.path)


def make_speech(folder: Path, codec: BenchCodec) -> BenchSpeech:
    """A voice of flite in ``codec``; the packets are kept in ``folder``."""
    made, packets = folder / "speech.wav", folder / f"speech.{codec.name}"
    subprocess.run(["flite", "-voice", "kal", "-t", _TEXT, "-o", str(made)], check=True)
    audio = wav.parse(made.read_bytes())
    write_packets(packets, codec, audio.mono(), audio.rate)
    return BenchSpeech(packets, resample(audio.mono(), audio.rate, codec.rate_hz))


def write_packets(path: Path, codec: BenchCodec, pcm: NDArray[np.int16], rate_hz: int) -> None:
    """A file of payloads (n, 160), with their lengths in front of each as two bytes; the last is silence."""
    samples = resample(pcm, rate_hz, codec.rate_hz)
    size = codec.rate_hz // 50
    frames = [*samples[: len(samples) // size * size].reshape(-1, size), np.zeros(size, np.int16)]
    make = encoder(codec)
    payloads = [make(frame) for frame in frames]
    path.write_bytes(b"".join(len(data).to_bytes(2, "big") + data.ljust(MAX_BYTES, b"\0") for data in payloads))


def encoder(codec: BenchCodec) -> Callable[[NDArray[np.int16]], bytes]:
    """Makes payloads of frames at the rate of the codec, one after the other."""
    match codec.name:
        case "G722":
            return g722.Encoder().encode
        case "opus":
            return opus.Encoder(opus.EncoderSettings()).encode
        case _:
            law = Law.ALAW if codec.name == "PCMA" else Law.ULAW
            return lambda frame: encode(frame, law).tobytes()


def read_packets(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The payloads and their lengths."""
    rows = np.fromfile(path, np.uint8).reshape(-1, 2 + MAX_BYTES)
    return np.ascontiguousarray(rows[:, 2:]), rows[:, 0].astype(np.int64) << 8 | rows[:, 1]
