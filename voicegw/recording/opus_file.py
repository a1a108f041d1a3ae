"""One stereo recording as Opus in Ogg (RFC 7845): a small part of a WAV file, playable up to the last page written.

The left channel is what the caller said, the right one what the caller was sent, as in the WAV form.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Final

import numpy as np

from voicegw.audio.opus import CLOCK_HZ, StereoEncoder
from voicegw.recording.ogg_pages import BEGIN, END, OggPages, fits
from voicegw.recording.part_file import PartFile, PlainPart

SUFFIX: Final = ".opus"
BITRATE: Final = 32_000
"""Of both channels: transparent for telephone speech."""
_FRAME_MS: Final = 20
_BYTES: Final = 2


class StereoOpusFile:
    """An open recording. Every method may raise OSError; it stays closable after that.

    Making one raises LocalError where libopus is not installed. ``open_part`` makes the file of the path, sealed or
    not.
    """

    def __init__(self, path: str, rate_hz: int = 8000, open_part: Callable[[str], PartFile] = PlainPart) -> None:
        self.samples = 0
        self._rate_hz = rate_hz
        self._frame = rate_hz * _FRAME_MS // 1000
        self._encoder = StereoEncoder(rate_hz, BITRATE)
        self._skip = self._encoder.lookahead * CLOCK_HZ // rate_hz
        self._encoded = 0
        self._waiting = b""
        self._packets: list[bytes] = []
        self._pages = OggPages(int.from_bytes(os.urandom(4), "little"))
        self._part = open_part(path)
        try:
            self._part.write(self._pages.page([_head(self._skip, rate_hz)], 0, BEGIN))
            self._part.write(self._pages.page([_tags()], 0))
        except OSError:
            self.abandon()
            raise

    @property
    def path(self) -> str:
        """Its final name."""
        return self._part.path

    def append(self, left: bytes, right: bytes) -> None:
        """Add equally long 16-bit mono stretches; a page follows with :meth:`checkpoint`."""
        both = np.stack([np.frombuffer(left, "<i2"), np.frombuffer(right, "<i2")], axis=1)
        self.samples += len(both)
        self._encode(both.tobytes())

    def append_silence(self, samples: int) -> None:
        """Keep the timeline right where audio was lost."""
        self.samples += samples
        second = bytes(2 * _BYTES * self._rate_hz)
        for start in range(0, samples, self._rate_hz):
            self._encode(second[: 2 * _BYTES * min(self._rate_hz, samples - start)])

    def checkpoint(self) -> None:
        """Let readers see what is there."""
        if self._packets:
            packets, self._packets = self._packets, []
            self._part.write(self._pages.page(packets, self._encoded * CLOCK_HZ // self._rate_hz))

    def finish(self, *, sync: bool) -> None:
        """Write the last page and give the file its final name, atomically; ``sync`` waits for the disk."""
        try:
            self._end()
        except OSError:
            self.abandon()
            raise
        self._part.finish(sync=sync)

    def _end(self) -> None:
        tail = self._encoder.lookahead + self._frame - 1  # what is still inside of the encoder comes out, too
        self._encode(bytes(2 * _BYTES * tail))
        last = min(self._skip + self.samples * CLOCK_HZ // self._rate_hz, self._position)
        packets, self._packets = self._packets, []
        self._part.write(self._pages.page(packets, last, END))

    def discard(self) -> None:
        """Close the file and remove it."""
        self._part.discard()

    def abandon(self) -> None:
        """Close and leave the ``.part`` file as it is."""
        self._part.abandon()

    @property
    def _position(self) -> int:
        return self._encoded * CLOCK_HZ // self._rate_hz

    def _encode(self, pcm: bytes) -> None:
        """Whole frames now, the rest with what comes next."""
        self._waiting += pcm
        step = self._frame * 2 * _BYTES
        whole = len(self._waiting) // step * step
        frames, self._waiting = self._waiting[:whole], self._waiting[whole:]
        for start in range(0, whole, step):
            packet = self._encoder.encode(frames[start : start + step])
            if not fits([*self._packets, packet]):
                self.checkpoint()
            self._packets.append(packet)
            self._encoded += self._frame


def _head(skip: int, rate_hz: int) -> bytes:
    """RFC 7845 §5.1."""
    return b"OpusHead" + struct.pack("<BBHIhB", 1, 2, skip, rate_hz, 0, 0)


def _tags() -> bytes:
    """RFC 7845 §5.2."""
    vendor = b"voicegw"
    return b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)
