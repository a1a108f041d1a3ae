"""FFmpeg's coders and decoders for what a test's own RTP peer says and hears (:mod:`tests.interop.rtp`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from tests.interop.sound import Samples


@dataclass(frozen=True, slots=True)
class Format:
    """A codec by FFmpeg's names. ``rate_hz``: of its samples; ``clock_hz``: of its RTP timestamps."""

    coder: str
    decoder: str
    rate_hz: int
    clock_hz: int
    rtpmap: str


FORMATS = {
    "PCMU": Format("pcm_mulaw", "pcm_mulaw", 8000, 8000, "PCMU/8000"),
    "PCMA": Format("pcm_alaw", "pcm_alaw", 8000, 8000, "PCMA/8000"),
    "G722": Format("g722", "g722", 16000, 8000, "G722/8000"),
    "opus": Format("libopus", "opus", 48000, 48000, "opus/48000/2"),
}


def sine(hz: float, seconds: float, rate_hz: int, peak: int = 8000) -> Samples:
    """One that begins at zero, whatever the rate."""
    return np.rint(peak * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.int16)


def coded(name: str, samples: Samples, packet_ms: int = 20) -> list[bytes]:
    """The payloads of a stream."""
    known = FORMATS[name]
    length = known.rate_hz * packet_ms // 1000
    options = {"frame_duration": str(packet_ms)} if name == "opus" else {}
    coder = av.CodecContext.create(known.coder, "w")
    coder.sample_rate, coder.layout, coder.format = known.rate_hz, "mono", "s16"
    coder.time_base, coder.options = Fraction(1, known.rate_hz), options
    payloads = []
    for piece in samples[: len(samples) // length * length].reshape(-1, length):
        frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = known.rate_hz
        payloads += [bytes(packet) for packet in coder.encode(frame)]
    return payloads


def decoded(name: str, payloads: Iterable[bytes]) -> Samples:
    """What a stream says, at the rate of its codec."""
    known = FORMATS[name]
    decoder = av.CodecContext.create(known.decoder, "r")
    decoder.sample_rate, decoder.layout = known.rate_hz, "mono"
    to_pcm = av.AudioResampler(format="s16", layout="mono", rate=known.rate_hz)
    frames = [frame for payload in payloads for frame in decoder.decode(av.Packet(payload))]
    pieces = [piece.to_ndarray().ravel() for frame in [*frames, None] for piece in to_pcm.resample(frame)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
