"""WAV bytes (RIFF WAVE, Microsoft Multimedia Standards Update of 1994) to samples and back; no files here.

The reader takes what speech engines, recorders and people really send: stream headers whose sizes were never
filled in, odd chunks before and after the audio, WAVE_FORMAT_EXTENSIBLE, G.711, 8 to 32 bits. The writer makes
plain 16-bit PCM.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import g711
from voicegw.audio.wav_header import header
from voicegw.base.errors import VoicegwError

_EXTENSIBLE: Final = 0xFFFE


class WavFormatError(VoicegwError):
    """The bytes are no WAV that can be read. Whose fault that is, the caller knows: a user's file or a provider."""


@dataclass(frozen=True, slots=True)
class WavAudio:
    """Decoded audio: ``samples`` is (frames, channels) at ``rate`` Hz."""

    rate: int
    samples: NDArray[np.int16]

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo."""
        return int(self.samples.shape[1])

    def mono(self) -> NDArray[np.int16]:
        """All channels averaged, (frames,)."""
        if self.channels == 1:
            return self.samples[:, 0]
        mixed: NDArray[np.int16] = np.rint(self.samples.mean(axis=1)).astype(np.int16)
        return mixed


def make(rate: int, samples: NDArray[np.int16]) -> bytes:
    """A whole file of (frames,) or (frames, channels)."""
    channels = samples.shape[1] if samples.ndim == 2 else 1
    data = samples.astype("<i2").tobytes()
    return header(rate, channels, len(data)) + data


def parse(data: bytes) -> WavAudio:
    """Read a file; raises :class:`WavFormatError`.

    A data size that is missing, huge or beyond the end means "to the end": engines that write to a pipe cannot go
    back to fill it in, and a recording cut off by a crash is still worth hearing.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavFormatError("no RIFF WAVE header")
    layout: _Layout | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            layout = _parse_format(body)
        elif name == b"data":
            if layout is None:
                raise WavFormatError("the data chunk comes before the fmt chunk")
            return WavAudio(layout.rate, _decode(body, layout))
        at += 8 + size + size % 2
    raise WavFormatError("no data chunk")


@dataclass(frozen=True, slots=True)
class _Layout:
    tag: int
    channels: int
    rate: int
    bits: int


def _parse_format(body: bytes) -> _Layout:
    if len(body) < 16:
        raise WavFormatError("the fmt chunk is too short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE:
        if len(body) < 26:
            raise WavFormatError("the fmt chunk has no subformat")
        (tag,) = struct.unpack_from("<H", body, 24)  # the first two bytes of the GUID are the plain tag
    if not 1 <= channels <= 8 or not 1000 <= rate <= 384000:
        raise WavFormatError(f"{channels} channels at {rate} Hz")
    return _Layout(tag, channels, rate, bits)


def _decode(body: bytes, layout: _Layout) -> NDArray[np.int16]:
    frame = layout.channels * max(layout.bits // 8, 1)
    raw = np.frombuffer(body[: len(body) // frame * frame], np.uint8)
    match layout.tag, layout.bits:
        case (1, 16):
            pcm = raw.view("<i2").astype(np.int16)
        case (1, 8):
            pcm = (raw.astype(np.int16) - 128) << 8
        case (1, 24 | 32):
            width = layout.bits // 8
            pcm = np.ascontiguousarray(raw.reshape(-1, width)[:, -2:]).view("<i2").astype(np.int16)
        case (3, 32 | 64):
            wide = np.nan_to_num(raw.view(f"<f{layout.bits // 8}").astype(np.float64))
            pcm = np.clip(np.rint(wide * 32768), -32768, 32767).astype(np.int16)
        case (6, 8):
            pcm = g711.decode(raw, g711.Law.ALAW)
        case (7, 8):
            pcm = g711.decode(raw, g711.Law.ULAW)
        case _:
            raise WavFormatError(f"format tag {layout.tag} with {layout.bits} bits is not supported")
    return pcm.reshape(-1, layout.channels)
