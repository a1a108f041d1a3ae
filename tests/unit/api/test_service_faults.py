"""The API's thread and its work beside requests, when they break."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from pathlib import Path

import pytest
import uvicorn

from tests.unit.api.test_settings_in_force import running
from voicegw.api import service as service_module
from voicegw.api.config import ApiConfig
from voicegw.api.outbox import Outbox
from voicegw.api.service import ApiService
from voicegw.base.errors import LocalError


def break_parts(*_: object) -> None:
    raise ValueError("a fault of ours")


def test_a_thread_that_breaks_is_told_to_who_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ApiService, "_parts", break_parts)

    async def story() -> None:
        async with running(tmp_path, ApiConfig()):
            pass

    with pytest.raises(LocalError, match="cannot start: ValueError: a fault of ours"):
        asyncio.run(asyncio.wait_for(story(), 30))
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told.exc_info, "with the place"


def test_a_thread_that_breaks_later_is_counted_and_can_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()

    async def serve(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(broken.wait)
        raise ValueError("a fault of ours")

    monkeypatch.setattr(uvicorn.Server, "serve", serve)

    async def story() -> None:
        async with running(tmp_path, ApiConfig()) as (service, _):
            broken.set()
            assert service._thread is not None
            await asyncio.to_thread(service._thread.join)
            assert service.counters.snapshot()["api_failed"] == 1

    asyncio.run(story())


def test_webhooks_that_break_begin_anew_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    async def story() -> None:
        again = asyncio.Event()
        here = asyncio.get_running_loop()

        async def run(_: Outbox) -> None:
            begun.append("once")
            if len(begun) == 1:
                raise ValueError("a fault of ours")
            here.call_soon_threadsafe(again.set)
            await asyncio.Event().wait()

        monkeypatch.setattr(Outbox, "run", run)
        monkeypatch.setattr(service_module, "_STORE_AGAIN_S", 0.01)
        async with running(tmp_path, ApiConfig()) as (service, client):
            await asyncio.wait_for(again.wait(), 30)
            assert service.counters.snapshot()["api_work_broken"] == 1
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(story())
    assert len(begun) == 2
