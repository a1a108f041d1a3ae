"""The way of HEP packets to their collector. It never waits: what cannot go at once is dropped and counted."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Final

from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.hep_packet import Captured, HepIdentity, hep_packet
from voicegw.gateway.hep_stream import HepStream, StreamTls

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 30.0
"""After the collector's name was not found, or led nowhere."""


class HepSender:
    """One for all that a node has to tell. Needs a running loop from the first packet on."""

    def __init__(self, config: HepConfig, counters: Counters) -> None:
        """LocalError where a file for TLS cannot be used."""
        self._config = config
        self._counters = counters
        self._identity = HepIdentity(config.capture_id, config.password.encode())
        self._socket: socket.socket | None = None
        self._stream = _stream_of(config, counters)
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    def send(self, captured: Captured) -> None:
        """Tell the collector of it, or count that it was not told."""
        try:
            if self._socket is None and self._stream is None:
                self._open()
            is_sent = self._send(hep_packet(self._identity, captured))
        except (OSError, ValueError):  # a full buffer, no way there, no address: Homer goes without
            is_sent = False
        self._counters.add("hep_packets_sent" if is_sent else "hep_packets_dropped")

    async def close(self) -> None:
        """Send nothing any more."""
        self._is_closed = True
        if self._stream is not None:
            await self._stream.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, packet: bytes) -> bool:
        """Raises OSError."""
        if self._is_closed:
            return False
        if self._stream is not None:
            return self._stream.put(packet)
        if self._socket is None:
            return False
        self._socket.send(packet)
        return True

    def _open(self) -> None:
        """At once where the collector is an address, else as soon as its name is found. Raises OSError."""
        if self._is_closed or self._looking is not None:
            return
        host, port = self._config.place
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            self._looking = child_task(self._look_up(host, port), "hep collector")
            return
        self._connect(found[0][0], found[0][4])

    async def _look_up(self, host: str, port: int) -> None:
        while self._socket is None:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
                self._connect(found[0][0], found[0][4])
            except OSError as error:
                log.warning("the collector of HEP cannot be reached: %s", error, extra={"host": host})
                await asyncio.sleep(LOOK_AGAIN_S)

    def _connect(
        self, family: int, address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
    ) -> None:
        """Raises OSError where no way leads there."""
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        try:
            made.connect(address)
        except OSError:
            made.close()
            raise
        self._socket = made


def _stream_of(config: HepConfig, counters: Counters) -> HepStream | None:
    """None for datagrams. LocalError where a file for TLS cannot be used."""
    if not config.to or config.transport == "udp":
        return None
    host, port = config.place
    if config.transport == "tcp":
        return HepStream(host, port, counters)

    def make_context() -> ssl.SSLContext:
        context = config.tls.context()
        context.check_hostname = config.tls.verify
        return context

    make_context()  # a missing file is found at the start, not when the first call comes
    return HepStream(host, port, counters, tls=StreamTls(make_context, config.server_name or host))
