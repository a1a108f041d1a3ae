"""Many watchers of live events in a process of their own: how long each event took to reach each of them.

``python -m voicegw.testing.bench._watchers PORT TOKEN WATCHERS SECONDS``; says ``ready`` when all are connected and
have caught up, and at the end one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from base64 import b64encode
from contextlib import suppress
from typing import Final

from voicegw.testing.bench._report import percentile, show

_SENT: Final = b'"sent_wall":'
_TEXT: Final = 0x81
_PING: Final = 0x89
_PONG: Final = 0x8A
_MASKED: Final = 0x80
_MASK_BYTES: Final = 4
"""A mask of zeros leaves the payload as it is."""
_KNOCKS: Final = 20
"""Connections that are made at once."""
_SETTLE_S: Final = 2.0


class Tally:
    """What all watchers together have seen; ``late_ms`` from the fact to the watcher."""

    def __init__(self) -> None:
        self.counting = False
        self.late_ms: list[float] = []

    def take(self, payload: bytes) -> None:
        """One message with one event or several."""
        if not self.counting:
            return
        now, at = time.time(), 0
        while (at := payload.find(_SENT, at)) >= 0:
            at += len(_SENT)
            self.late_ms.append((now - float(payload[at : payload.index(b",", at)])) * 1000)


async def watch(port: int, token: str, tally: Tally, knock: asyncio.Semaphore, ready: asyncio.Event) -> None:
    """One watcher, until it is cancelled. RFC 6455: a server's frames are not masked."""
    reader, writer = await _connected(port, token, knock)
    ready.set()
    try:
        while True:
            head = await reader.readexactly(2)
            length = head[1]
            if length >= 126:
                length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
            payload = await reader.readexactly(length)
            if head[0] == _TEXT:
                tally.take(payload)
            elif head[0] == _PING:
                writer.write(bytes((_PONG, _MASKED | length)) + bytes(_MASK_BYTES) + payload)
    finally:
        writer.close()


async def _connected(
    port: int, token: str, knock: asyncio.Semaphore
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with knock:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = b64encode(os.urandom(16)).decode()
        lines = [
            "GET /v1/live/ws?together=1 HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Authorization: Bearer {token}",
        ]
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer:
            raise ConnectionError(answer.partition(b"\r\n")[0].decode())
        return reader, writer


async def _all(events: list[asyncio.Event]) -> None:
    for event in events:
        await event.wait()


async def run(port: int, token: str, watchers: int, seconds: float) -> None:
    """Watch for so long after all are there."""
    tally, knock = Tally(), asyncio.Semaphore(_KNOCKS)
    events = [asyncio.Event() for _ in range(watchers)]
    tasks = [asyncio.create_task(watch(port, token, tally, knock, ready)) for ready in events]
    everybody = asyncio.create_task(_all(events))
    await asyncio.wait({everybody, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(_SETTLE_S)
    lost = [task for task in tasks if task.done()]
    show("ready" if not lost else f"failed: {lost[0].exception()}")
    tally.counting = True
    cpu = time.process_time()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*tasks)
    late = tally.late_ms
    result = {
        "events": len(late),
        "p50_ms": percentile(late, 50),
        "p95_ms": percentile(late, 95),
        "worst_ms": round(max(late, default=0.0), 1),
        "cpu_s": round(time.process_time() - cpu, 1),
    }
    show(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
