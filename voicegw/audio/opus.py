"""Opus (RFC 6716) by the system's libopus: mono at 16 kHz in and out, whatever the stream itself has.

A thin layer of ctypes over the six functions that are needed (docs/decisions/0013 says why not opuslib). libopus
resamples inside, so a decoder asked for 16 kHz gives 16 kHz for streams of 8 to 48 kHz, mono or stereo.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.libraries import libopus
from voicegw.base.errors import LocalError, RemoteProtocolError

RATE_HZ: Final = 16_000
CLOCK_HZ: Final = 48_000
"""Of RTP timestamps, whatever is coded (RFC 7587 §4.1)."""
LONGEST_MS: Final = 120
"""Of a packet (RFC 6716 §3.1)."""
MAX_PACKET_BYTES: Final = 1500

_Pcm = NDArray[np.int16]

_ROOM: Final = RATE_HZ * LONGEST_MS // 1000
"""Samples of the longest packet. libopus reads and writes where each coder has them, whose address is known: to ask
an array for its own takes as long as to copy a frame."""

_VOIP: Final = 2048
_SET_BITRATE: Final = 4002
_SET_MAX_BANDWIDTH: Final = 4004
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS: Final = 4014
_SET_DTX: Final = 4016
_BANDWIDTHS: Final = ((8_000, 1101), (12_000, 1102), (16_000, 1103))
"""Highest sample rate that a listener plays → libopus's name of the band."""
_GET_LOOKAHEAD: Final = 4027
_FILE_COMPLEXITY: Final = 3
"""Of recordings: less than half the work of the default, and nobody hears the difference in telephone speech."""
_SILENT_BYTES: Final = 2
"""A packet of up to so many bytes need not be sent (opus_encode)."""


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = libopus()
    if library is None:
        raise LocalError("Opus needs the system library libopus (Debian: libopus0), which is not installed")
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    library.opus_encoder_create.restype = library.opus_decoder_create.restype = pointer
    library.opus_encoder_create.argtypes = [integer, integer, integer, pointer]
    library.opus_decoder_create.argtypes = [integer, integer, pointer]
    library.opus_encoder_destroy.argtypes = library.opus_decoder_destroy.argtypes = [pointer]
    library.opus_encode.argtypes = [pointer, pointer, integer, pointer, integer]
    library.opus_decode.argtypes = [pointer, ctypes.c_char_p, integer, pointer, integer, integer]
    library.opus_encoder_ctl.argtypes = [pointer, integer]  # the rest is variadic and passed as it is
    return library


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How to encode. ``max_playback_hz``: what the listener plays at most; ``loss_percent``: what FEC is made for;
    ``complexity`` 0 to 10."""

    bitrate: int = 24_000
    fec: bool = True
    dtx: bool = False
    max_playback_hz: int = 48_000
    loss_percent: int = 10
    complexity: int = 3


class Encoder:
    """One stream on its way out; LocalError where libopus is not installed or refuses."""

    def __init__(self, settings: EncoderSettings) -> None:
        library = self._library = _library()
        error = ctypes.c_int()
        self._encoder = library.opus_encoder_create(RATE_HZ, 1, _VOIP, ctypes.byref(error))
        if error.value:
            raise LocalError(f"libopus cannot make an encoder: error {error.value}")
        self._encode = library.opus_encode
        self._packet = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        self._room, self._address = _room()
        self._settings: EncoderSettings | None = None
        self.change(settings)

    def __del__(self) -> None:
        if getattr(self, "_encoder", None):
            self._library.opus_encoder_destroy(self._encoder)

    def change(self, settings: EncoderSettings) -> None:
        """Go on with other settings, seamlessly."""
        band = next((band for hz, band in _BANDWIDTHS if settings.max_playback_hz <= hz), _BANDWIDTHS[-1][1])
        for request, value in (
            (_SET_BITRATE, settings.bitrate),
            (_SET_COMPLEXITY, settings.complexity),
            (_SET_INBAND_FEC, int(settings.fec)),
            (_SET_PACKET_LOSS, settings.loss_percent if settings.fec else 0),
            (_SET_DTX, int(settings.dtx)),
            (_SET_MAX_BANDWIDTH, band),
        ):
            self._library.opus_encoder_ctl(self._encoder, request, ctypes.c_int(value))
        self._settings = settings

    def encode(self, pcm: _Pcm) -> bytes:
        """A packet of 10, 20, 40 or 60 ms of PCM; empty where nothing need be sent (DTX)."""
        count = len(pcm)
        self._room[:count] = pcm
        size = self._encode(self._encoder, self._address, count, self._packet, MAX_PACKET_BYTES)
        if size < 0:
            raise LocalError(f"libopus cannot encode {count} samples: error {size}")
        return self._packet.raw[:size] if size > _SILENT_BYTES else b""


class StereoEncoder:
    """Two channels on their way into a file; LocalError where libopus is not installed or refuses.

    ``lookahead``: so many samples per channel come out later than they went in.
    """

    def __init__(self, rate_hz: int, bitrate: int) -> None:
        library = self._library = _library()
        error = ctypes.c_int()
        self._encoder = library.opus_encoder_create(rate_hz, 2, _VOIP, ctypes.byref(error))
        if error.value:
            raise LocalError(f"libopus cannot make an encoder: error {error.value}")
        library.opus_encoder_ctl(self._encoder, _SET_BITRATE, ctypes.c_int(bitrate))
        library.opus_encoder_ctl(self._encoder, _SET_COMPLEXITY, ctypes.c_int(_FILE_COMPLEXITY))
        found = ctypes.c_int()
        library.opus_encoder_ctl(self._encoder, _GET_LOOKAHEAD, ctypes.byref(found))
        self.lookahead = found.value
        self._packet = ctypes.create_string_buffer(MAX_PACKET_BYTES)

    def __del__(self) -> None:
        if getattr(self, "_encoder", None):
            self._library.opus_encoder_destroy(self._encoder)

    def encode(self, interleaved: bytes) -> bytes:
        """A packet of 20 ms of 16-bit PCM, left and right in turn."""
        samples = len(interleaved) // 4
        size = self._library.opus_encode(self._encoder, interleaved, samples, self._packet, MAX_PACKET_BYTES)
        if size < 0:
            raise LocalError(f"libopus cannot encode {samples} samples: error {size}")
        return self._packet.raw[:size]


class Decoder:
    """One stream on its way in; LocalError where libopus is not installed or refuses.

    ``pcm`` of each method is where the samples go, as long as the time that is wanted.
    """

    def __init__(self) -> None:
        library = self._library = _library()
        error = ctypes.c_int()
        self._decoder = library.opus_decoder_create(RATE_HZ, 1, ctypes.byref(error))
        if error.value:
            raise LocalError(f"libopus cannot make a decoder: error {error.value}")
        self._decode = library.opus_decode
        self._room, self._address = _room()

    def __del__(self) -> None:
        if getattr(self, "_decoder", None):
            self._library.opus_decoder_destroy(self._decoder)

    def decode(self, packet: bytes, pcm: _Pcm) -> None:
        """The packet after the last one. RemoteProtocolError if it is torn; ``pcm`` is silence then."""
        self._run(packet, pcm, fec=0)

    def recover(self, following: bytes, pcm: _Pcm) -> None:
        """What came right before ``following`` and was lost: from its redundant data, else as :meth:`conceal`."""
        self._run(following, pcm, fec=1)

    def conceal(self, pcm: _Pcm) -> None:
        """What was lost, or was not sent because there was nothing to hear: the sound goes on, and dies away."""
        self._run(None, pcm, fec=0)

    def _run(self, packet: bytes | None, pcm: _Pcm, fec: int) -> None:
        size = 0 if packet is None else len(packet)
        count = self._decode(self._decoder, packet, size, self._address, len(pcm), fec)
        if count != len(pcm):
            pcm[:] = 0
            raise RemoteProtocolError(f"torn Opus packet: {count}")
        pcm[:] = self._room[:count]


def _room() -> tuple[_Pcm, ctypes.c_void_p]:
    """Samples and their address."""
    samples = np.zeros(_ROOM, np.int16)
    return samples, ctypes.c_void_p(samples.ctypes.data)


def duration_ms(packet: bytes) -> float:
    """How long a packet is, from its first bytes (RFC 6716 §3.1, §3.2); 0 for one that cannot be valid."""
    if not packet:
        return 0.0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame_ms = (10.0, 20.0, 40.0, 60.0)[config & 3]
    elif config < 16:
        frame_ms = (10.0, 20.0)[config & 1]
    else:
        frame_ms = (2.5, 5.0, 10.0, 20.0)[config & 3]
    if code < 3:
        return frame_ms * (1 if code == 0 else 2)
    total = frame_ms * (packet[1] & 63) if len(packet) > 1 else 0.0
    return total if total <= LONGEST_MS else 0.0
