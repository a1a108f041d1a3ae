"""A whole wish over a real wire: ledger on disk, desk, web client, and a service that books and then hangs up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.unit.agents.tools.rig import House
from voicegw.agents.tools.config import HttpToolConfig
from voicegw.agents.tools.http_tool import make_http_tool
from voicegw.base.clock import SystemClock
from voicegw.ports.tools import ToolStatus
from voicegw.runtime.http_client import HttpxClient
from voicegw.storage.tool_ledger import SqliteToolLedger


class BookingService:
    """Books what it is asked to; answers a key that it knows from memory. Drops the first answers it owes."""

    def __init__(self, drops: int) -> None:
        self.booked: list[object] = []
        self.keys: dict[str, int] = {}
        self.seen: list[str] = []
        self._drops = drops

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        key = fields["idempotency-key"]
        self.seen.append(key)
        if key not in self.keys:
            self.booked.append(body)
            self.keys[key] = len(self.booked)
        if self._drops > 0:
            self._drops -= 1
        else:
            answer = json.dumps({"id": self.keys[key]}).encode()
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


def with_service(
    path: Path, service: BookingService, effect: str, story: Callable[[House], Awaitable[None]]
) -> None:
    async def no_pause(_seconds: float) -> None:
        return None

    async def run() -> None:
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        http, ledger = HttpxClient(), SqliteToolLedger(path / "tools.db")
        config = HttpToolConfig.model_validate(
            {
                "type": "http",
                "name": "book",
                "description": "d",
                "method": "POST",
                "url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tables",
                "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
                "effect": effect,
            }
        )
        house = House(make_http_tool(config, http, {}, SystemClock(), no_pause), ledger=ledger)
        try:
            await story(house)
        finally:
            await house.desk.close()
            await http.close()
            server.close()
            await server.wait_closed()
            await ledger.close()

    asyncio.run(run())


def test_a_service_that_honours_the_key_books_once_however_often_it_is_asked(tmp_path: Path) -> None:
    service = BookingService(drops=2)

    async def story(house: House) -> None:
        house.tools.begin_reply(0)
        outcome = await house.tools.run(house.ask("book"))
        assert outcome.result.content_json == '{"id":1}'
        house.tools.begin_reply(1)
        assert await house.tools.run(house.ask("book")) == outcome

    with_service(tmp_path, service, "idempotent", story)
    assert service.booked == [{"n": 1}]
    assert len(service.seen) == 3
    assert len(set(service.seen)) == 1


def test_one_that_does_not_is_asked_once_and_the_outcome_is_unknown(tmp_path: Path) -> None:
    service = BookingService(drops=1)

    async def story(house: House) -> None:
        house.tools.begin_reply(0)
        prepared = house.ask("book")
        assert (await house.tools.run(prepared)).result.status is ToolStatus.UNKNOWN
        house.tools.begin_reply(1)
        assert (await house.tools.run(house.ask("book"))).result.status is ToolStatus.UNKNOWN
        assert len(service.seen) == 1
        house.tools.settle([prepared])
        house.tools.begin_reply(2)
        assert (await house.tools.run(house.ask("book"))).result.content_json == '{"id":2}'

    with_service(tmp_path, service, "once", story)
    assert len(set(service.seen)) == 2
