"""Opus between the jitter buffer and the mixer: packets of any length, with a clock of 48 kHz, one leg at a time.

The jitter buffer holds one byte for each sample at 8 kHz. A packet is kept here, and what lies in the buffer for
each 2.5 ms of it, the shortest frame, is a reference: its sequence number, and which part of it that is. So what
the buffer does with packets that are late, doubled or of odd lengths holds for Opus, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import opus
from voicegw.base.errors import RemoteProtocolError
from voicegw.media.config import WIDE_FRAME_SAMPLES, WIDE_HZ
from voicegw.media.filling import Pcm

_Codes = NDArray[np.uint8]
_Present = NDArray[np.bool_]

CLOCK: Final = 6
"""Ticks of the RTP clock in a sample at 8 kHz."""
_PART: Final = 20
"""Bytes in the buffer for 2.5 ms."""
_PART_PCM: Final = 40
"""Samples at 16 kHz in 2.5 ms."""
_KEPT: Final = 64
"""Packets: more than the jitter buffer ever holds."""
_TIMESTAMPS: Final = 1 << 32
_SENT_MS: Final = (10, 20, 40, 60)
"""Packet lengths that libopus makes of one frame."""


class OpusReceiver:
    """What a leg receives."""

    def __init__(self) -> None:
        self._decoder = opus.Decoder()
        self._packets: dict[int, bytes] = {}
        self._timestamp = -1  # newest, counted on past 32 bits
        self._decoded: tuple[int, Pcm] = (-1, np.empty(0, np.int16))
        self._concealing = np.empty(WIDE_FRAME_SAMPLES, np.int16)
        self.torn = 0
        """Packets that libopus refused."""

    def restart(self) -> None:
        """Another source: its timestamps have nothing to do with the old ones."""
        self._timestamp = -1
        self._packets.clear()
        self._decoded = (-1, self._decoded[1])

    def keep(self, sequence: int, timestamp: int, packet: bytes) -> tuple[int, _Codes]:
        """Keep a packet. Returns its timestamp at 8 kHz and the references, as many as it has samples at 8 kHz."""
        count = round(opus.duration_ms(packet) * 8) // _PART
        if count:
            self._packets[sequence] = packet
            if len(self._packets) > _KEPT:
                del self._packets[next(iter(self._packets))]
        references = np.zeros((count, _PART), np.uint8)
        references[:, 0], references[:, 1], references[:, 2] = sequence >> 8, sequence & 0xFF, np.arange(count)
        return self._unwrap(timestamp) // CLOCK % _TIMESTAMPS, references.reshape(-1)

    def _unwrap(self, timestamp: int) -> int:
        """Divided by six, 32 bits would wrap around in the middle of a sample."""
        if self._timestamp < 0:
            self._timestamp = timestamp + CLOCK * _TIMESTAMPS  # room for what is older than the first
        ahead = (timestamp - self._timestamp + _TIMESTAMPS // 2) % _TIMESTAMPS - _TIMESTAMPS // 2
        whole = self._timestamp + ahead
        self._timestamp = max(self._timestamp, whole)
        return whole

    def decode(self, codes: _Codes, present: _Present, frame: Pcm, upcoming: Callable[[], int]) -> None:
        """Fill ``frame`` with the 20 ms that ``codes`` refer to; what is missing is recovered or concealed.

        ``upcoming`` tells the sequence number of the packet that begins right after, -1 for none.
        """
        parts = codes.reshape(-1, _PART)
        there = present[::_PART]
        at, end = 0, len(parts)
        while at < end:
            if there[at]:
                sequence, part = int(parts[at, 0]) << 8 | int(parts[at, 1]), int(parts[at, 2])
                pcm = self._pcm_of(sequence)[part * _PART_PCM :]
                count = max(1, min(end - at, len(pcm) // _PART_PCM))
                piece = frame[at * _PART_PCM : (at + count) * _PART_PCM]
                piece[:] = pcm[: len(piece)] if len(pcm) else 0
            else:
                rest = np.flatnonzero(there[at:])
                count = int(rest[0]) if len(rest) else end - at
                follower = first_reference(parts[at + count]) if len(rest) else upcoming()
                self._bridge(frame[at * _PART_PCM : (at + count) * _PART_PCM], follower)
            at += count

    def _pcm_of(self, sequence: int) -> Pcm:
        """All samples of a packet, decoded once."""
        if self._decoded[0] == sequence:
            return self._decoded[1]
        packet = self._packets.pop(sequence, b"")
        pcm = np.zeros(round(opus.duration_ms(packet) * WIDE_HZ / 1000), np.int16)
        if len(pcm):
            try:
                self._decoder.decode(packet, pcm)
            except RemoteProtocolError:
                self.torn += 1
        self._decoded = (sequence, pcm)
        return pcm

    def _bridge(self, piece: Pcm, follower: int) -> None:
        """Nothing came. It was lost if the next packet is not the one after the last: then that one may tell it."""
        packet = self._packets.get(follower) if follower >= 0 else None
        last = self._decoded[0]
        lost = last >= 0 and follower != (last + 1) & 0xFFFF
        pcm = self._concealing[: len(piece)]
        try:
            if packet is not None and lost:
                self._decoder.recover(packet, pcm)
            else:
                self._decoder.conceal(pcm)
        except RemoteProtocolError:
            self.torn += 1
        piece[:] = pcm


def first_reference(part: _Codes) -> int:
    """The sequence number that a part refers to, if it is the first of its packet; else -1."""
    return -1 if part[2] else int(part[0]) << 8 | int(part[1])


class OpusSender:
    """What a leg sends: packets of ``ptime_ms``, or the next shorter length that Opus has."""

    def __init__(self, settings: opus.EncoderSettings, ptime_ms: int) -> None:
        self._settings = settings
        self._encoder = opus.Encoder(settings)
        self._waiting = np.empty(0, np.int16)
        self._size = 0
        self.set_ptime(ptime_ms)

    def change(self, settings: opus.EncoderSettings, ptime_ms: int) -> None:
        """The peer wishes something else now."""
        if settings != self._settings:
            self._settings = settings
            self._encoder.change(settings)
        self.set_ptime(ptime_ms)

    def set_ptime(self, ptime_ms: int) -> None:
        """Packets of this length from the next one on."""
        fitting = [length for length in _SENT_MS if length <= ptime_ms]
        self._size = (fitting[-1] if fitting else _SENT_MS[0]) * WIDE_HZ // 1000

    def packets(self, frame: Pcm) -> list[tuple[int, bytes]]:
        """Take a frame. Returns packets, and how long before the end of the frame each begins, in samples at 8 kHz;
        an empty one is silence that need not be sent (RFC 7587 §3.1.3)."""
        if not len(self._waiting) and len(frame) == self._size:
            return [(len(frame) // 2, self._encoder.encode(frame))]
        self._waiting = np.concatenate([self._waiting, frame]) if len(self._waiting) else frame
        made = []
        while len(self._waiting) >= self._size:
            made.append((len(self._waiting) // 2, self._encoder.encode(self._waiting[: self._size])))
            self._waiting = self._waiting[self._size :]
        self._waiting = self._waiting.copy()  # the frame is the mixer's
        return made
