"""The connection to a collector of HEP that wants TCP or TLS: it comes and goes, and nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.base.tasks import kept_task

log = logging.getLogger(__name__)

MOST_BYTES: Final = 1_000_000
"""What waits for a collector that is slow or away; what comes then is dropped."""
_CONNECT_S: Final = 20.0
"""For a connection, with its TLS."""
_GOODBYE_S: Final = 1.0
"""At the end, for what waits to leave, and for the answer to the end of TLS."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between attempts to connect: from the first doubled up to the longest, and from the first again after
    a connection that lasted for longer than that."""

    first_s: float = 1.0
    longest_s: float = 60.0

    def next_s(self, last_s: float, lasted_s: float) -> float:
        """How long to wait now; ``last_s`` 0.0 before the first time, ``lasted_s`` 0.0 where nobody answered."""
        if not last_s or lasted_s > self.longest_s:
            return self.first_s
        return min(2 * last_s, self.longest_s)


@dataclass(frozen=True, slots=True)
class StreamTls:
    """TLS of the connection: ``make_context`` reads its files anew, so that renewed ones count for the next
    connection, and raises LocalError where one cannot be used; ``server_name`` must be in the certificate."""

    make_context: Callable[[], ssl.SSLContext]
    server_name: str


class HepStream:
    """Packets one behind the other: each says in its head how long it is. Needs a running loop."""

    def __init__(
        self,
        host: str,
        port: int,
        counters: Counters,
        backoff: Backoff | None = None,
        tls: StreamTls | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._counters = counters
        self._backoff = backoff or Backoff()
        self._tls = tls
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._gone.set()
        self._is_up = False
        self._task: asyncio.Task[None] | None = None

    def put(self, packet: bytes) -> bool:
        """Send it when there is a connection; False where there is no room."""
        if self._bytes + len(packet) > MOST_BYTES:
            return False
        self._waiting.append(packet)
        self._bytes += len(packet)
        self._gone.clear()
        self._news.set()
        if self._task is None:
            self._task = kept_task(self._run, "hep collector")
        return True

    async def close(self) -> None:
        """Send nothing any more. A collector that takes it gets what waits, for a second at most."""
        if self._task is None:
            return
        if self._is_up:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._gone.wait()
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        loop, pause_s = asyncio.get_running_loop(), 0.0
        while True:
            since = loop.time()
            try:
                async with asyncio.timeout(_CONNECT_S):
                    reader, writer = await self._connect()
            except (
                OSError,
                LocalError,
            ) as error:  # what TLS refuses, and a time that is over, are OSErrors as well
                log.warning("the collector of HEP cannot be reached: %s", error or "it does not answer")
                self._counters.add("hep_connects_failed")
                since = loop.time()
            else:
                await self._serve(reader, writer)
                self._counters.add("hep_connections_lost")
            pause_s = self._backoff.next_s(pause_s, loop.time() - since)
            await asyncio.sleep(pause_s)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._tls is None:
            return await asyncio.open_connection(self._host, self._port)
        context = await asyncio.to_thread(self._tls.make_context)
        return await asyncio.open_connection(
            self._host,
            self._port,
            ssl=context,
            server_hostname=self._tls.server_name,
            ssl_shutdown_timeout=_GOODBYE_S,
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the collector closes the connection; what was on the way then is lost."""
        sending = asyncio.create_task(self._send(writer), name="hep packets")
        ended = asyncio.create_task(_end_of(reader), name="hep end")
        self._is_up = True
        try:
            await asyncio.wait({sending, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_up = False
            for task in (sending, ended):
                task.cancel()
            await asyncio.wait({sending, ended})
            await _part(writer)

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                await self._news.wait()
                self._news.clear()
                packets = b"".join(self._waiting)
                self._waiting.clear()
                self._bytes = 0
                writer.write(packets)
                await writer.drain()
                if not self._waiting:
                    self._gone.set()


async def _end_of(reader: asyncio.StreamReader) -> None:
    """A collector has nothing to say."""
    with suppress(OSError):
        while await reader.read(4096):
            pass


async def _part(writer: asyncio.StreamWriter) -> None:
    """Close the connection; one whose other side takes nothing any more is not waited for."""
    writer.close()
    with suppress(OSError):  # a time that is over among them
        async with asyncio.timeout(_GOODBYE_S):
            await writer.wait_closed()
    writer.transport.abort()
