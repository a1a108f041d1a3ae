"""A copy of every SIP message for Homer. It never waits: what cannot go at once is dropped and counted."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.metrics import Counters
from voicegw.gateway.blotting import without_secrets
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.hep_packet import HepIdentity, hep_packet
from voicegw.gateway.hep_stream import HepStream
from voicegw.gateway.trace_message import call_id_of
from voicegw.sip.address import Address

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 30.0
"""After the collector's name was not found."""


class HepTap:
    """A :class:`voicegw.sip.tap.Tap`. ``here`` tells how a peer reaches us. Needs a running loop from the first
    message on."""

    def __init__(
        self, config: HepConfig, counters: Counters, here: Callable[[Address], Address], clock: Clock
    ) -> None:
        self._config = config
        self._counters = counters
        self._here = here
        self._clock = clock
        self._identity = HepIdentity(config.capture_id, config.password.encode())
        self._socket: socket.socket | None = None
        self._stream = HepStream(*config.place, counters) if config.to and config.transport == "tcp" else None
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    def received(self, data: bytes, source: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._pass_on(source, self._here(source), data)

    def sent(self, data: bytes, destination: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._pass_on(self._here(destination), destination, data)

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

    def _pass_on(self, source: Address, destination: Address, data: bytes) -> None:
        if self._socket is None and self._stream is None:
            self._open()
        message = data if self._config.secrets else without_secrets(data)
        try:
            packet = hep_packet(self._identity, source, destination, self._clock.wall(), call_id_of(data), message)
            is_sent = self._send(packet)
        except (OSError, ValueError):  # a full buffer, nobody there, no address: Homer goes without
            is_sent = False
        self._counters.add("hep_packets_sent" if is_sent else "hep_packets_dropped")

    def _send(self, packet: bytes) -> bool:
        """Raises OSError."""
        if self._stream is not None:
            return self._stream.put(packet)
        if self._socket is None:
            return False
        self._socket.send(packet)
        return True

    def _open(self) -> None:
        """At once where the collector is an address, else as soon as its name is found."""
        if self._is_closed or self._looking is not None:
            return
        host, port = self._config.place
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            self._looking = asyncio.get_running_loop().create_task(self._look_up(host, port), name="hep collector")
            return
        self._connect(found[0][0], found[0][4])

    async def _look_up(self, host: str, port: int) -> None:
        while self._socket is None:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            except OSError as error:
                log.warning("the collector of HEP is not found: %s", error, extra={"host": host})
                await asyncio.sleep(LOOK_AGAIN_S)
            else:
                self._connect(found[0][0], found[0][4])

    def _connect(
        self, family: int, address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
    ) -> None:
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.connect(address)
        self._socket = made
