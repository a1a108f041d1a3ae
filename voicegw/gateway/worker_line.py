"""Audio that comes otherwise than by RTP, on its way to the media worker and back.

µ-law RTP (RFC 3551 §4.5.14) on loopback: so the worker sees a leg like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import g711
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.gateway.loopback import LOOPBACK
from voicegw.rtp.packet import RtpPacket
from voicegw.sdp.codec_choice import PCMU

Pcm: TypeAlias = NDArray[np.int16]
RATE_HZ: Final = 8_000
FRAME_SAMPLES: Final = 160
"""20 ms."""


class RtpWriter:
    """Puts headers on one stream of 20 ms frames. Numbers begin at random (RFC 3550 §5.1)."""

    def __init__(self, random: RandomBytes) -> None:
        self._ssrc = int.from_bytes(random(4), "big")
        self._sequence = int.from_bytes(random(2), "big")
        self._timestamp = int.from_bytes(random(4), "big")
        self._first = True

    def write(self, pcm: Pcm, skipped_samples: int = 0) -> bytes:
        """The packet of one frame, ``skipped_samples`` after the end of the last one: lost ones stay lost time."""
        self._timestamp = (self._timestamp + skipped_samples) & 0xFFFFFFFF
        codes = g711.encode(pcm, g711.Law.ULAW).tobytes()
        packet = RtpPacket(
            PCMU.payload_type, self._sequence, self._timestamp, self._ssrc, codes, marker=self._first
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(pcm)) & 0xFFFFFFFF
        self._first = False
        return packet.to_bytes()


def read_ulaw(data: bytes) -> Pcm | None:
    """The audio of a datagram; None for one that carries none, such as RTCP or keys."""
    try:
        packet = RtpPacket.parse(data)
    except RemoteProtocolError:
        return None
    if packet.payload_type != PCMU.payload_type or not packet.payload:
        return None
    return g711.decode(np.frombuffer(packet.payload, dtype=np.uint8), g711.Law.ULAW)


class WorkerLine(asyncio.DatagramProtocol):
    """A socket towards one port of the media worker. Nobody else on this machine is listened to."""

    def __init__(self, heard: Callable[[Pcm], None], random: RandomBytes) -> None:
        """``heard``: what is to be heard at the far end, 20 ms at a time."""
        self._heard = heard
        self._writer = RtpWriter(random)
        self._transport: asyncio.DatagramTransport | None = None
        self._worker: tuple[str, int] | None = None
        self.port = 0

    @classmethod
    async def open(cls, heard: Callable[[Pcm], None], random: RandomBytes) -> Self:
        """Take a port; raises LocalError where there is none."""
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_datagram_endpoint(lambda: cls(heard, random), local_addr=(LOOPBACK, 0))
        except OSError as error:
            raise LocalError(f"no port for audio on loopback: {error.strerror}") from None
        return line

    def connect(self, worker_port: int) -> None:
        """From now on audio goes to this port and is taken from it."""
        self._worker = (LOOPBACK, worker_port)

    def speak(self, pcm: Pcm, skipped_samples: int = 0) -> None:
        """Send a frame of the far end's; nowhere while no call wants it."""
        packet = self._writer.write(pcm, skipped_samples)
        if self._transport is not None and self._worker is not None:
            self._transport.sendto(packet, self._worker)

    def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """See :class:`asyncio.DatagramProtocol`."""
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """See :class:`asyncio.DatagramProtocol`."""
        if addr == self._worker and (pcm := read_ulaw(data)) is not None:
            self._heard(pcm)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the worker closed its port first, as it does at the end of a call."""
