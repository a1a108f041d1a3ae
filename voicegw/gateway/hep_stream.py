"""The connection to a collector of HEP that wants TCP: it comes and goes, and nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import Final

from voicegw.base.metrics import Counters

log = logging.getLogger(__name__)

MOST_BYTES: Final = 1_000_000
"""What waits for a collector that is slow or away; what comes then is dropped."""
AGAIN_S: Final = 5.0
"""Between two attempts to connect."""


class HepStream:
    """Packets one behind the other: each says in its head how long it is. Needs a running loop."""

    def __init__(self, host: str, port: int, counters: Counters, again_s: float = AGAIN_S) -> None:
        self._host, self._port = host, port
        self._counters = counters
        self._again_s = again_s
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def put(self, packet: bytes) -> bool:
        """Send it when there is a connection; False where there is no room."""
        if self._bytes + len(packet) > MOST_BYTES:
            return False
        self._waiting.append(packet)
        self._bytes += len(packet)
        self._news.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="hep collector")
        return True

    async def close(self) -> None:
        """Send nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(self._host, self._port)
            except OSError as error:
                log.warning("the collector of HEP cannot be reached: %s", error)
            else:
                await self._serve(reader, writer)
                self._counters.add("hep_connections_lost")
            await asyncio.sleep(self._again_s)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the collector closes the connection; what was on the way then is lost."""
        sending = asyncio.create_task(self._send(writer), name="hep packets")
        ended = asyncio.create_task(_end_of(reader), name="hep end")
        try:
            await asyncio.wait({sending, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, ended):
                task.cancel()
            await asyncio.wait({sending, ended})
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

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


async def _end_of(reader: asyncio.StreamReader) -> None:
    """A collector has nothing to say."""
    with suppress(OSError):
        while await reader.read(4096):
            pass
