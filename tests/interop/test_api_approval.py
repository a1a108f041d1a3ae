"""A tool waits for a person: a caller on a real line, a model that wishes for it, a supervisor at the API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.chat import chat_server, words
from tests.interop.fault_server import FaultServer
from tests.interop.raw_phone import RawPhone
from voicegw.testing.faulty_llm_server import Script, ScriptedTool
from voicegw.testing.order_service import OrderService
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You look orders up.
fallback: echo_keys
tools:
  - type: http
    name: find_order
    description: Find an order by its number.
    parameters:
      type: object
      properties: {{number: {{type: string}}}}
      required: [number]
      additionalProperties: false
    url: "http://127.0.0.1:{port}/orders/{{{{ number }}}}"
    approval: human
"""
WISH = ScriptedTool("find_order", '{"number": "4711"}')


@contextmanager
def shop() -> Iterator[OrderService]:
    """The service that the tool asks, in a thread of its own."""
    service, loop = OrderService(0), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(service.start(), loop).result(30)
    try:
        yield service
    finally:
        asyncio.run_coroutine_threadsafe(service.close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def wait_waiting(server: FaultServer, desk: ApiDesk, call_id: str) -> dict[str, Any]:
    """The tool that waits, as the live list shows it."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        calls = {call["id"]: call for call in desk.get("/v1/live/calls")["items"]}
        found[:] = calls[call_id]["waiting_tools"]
        return bool(found)

    server.wait(look, 30, "a tool waits")
    return found[0]


def ask(server: FaultServer, phone: RawPhone, desk: ApiDesk) -> tuple[str, dict[str, Any]]:
    """A call that wishes for an order; its id, and what waits."""
    assert phone.dial() == 200
    server.wait_said(phone, "Clerk here.")
    phone.press("4711#")
    call_id = desk.wait_call()
    return call_id, wait_waiting(server, desk, call_id)


@pytest.mark.long
def test_a_tool_runs_when_a_supervisor_says_so_by_the_api_and_not_when_they_refuse(tmp_path: Path) -> None:
    scripts = (
        Script(words("warm")),
        *(Script((), tools=(WISH,)), Script(words("It was shipped."))),
        *(Script((), tools=(WISH,)), Script(words("I may not look that up."))),
    )
    port = free_port()
    with chat_server(*scripts) as chat, shop() as service:
        settings: dict[str, dict[str, Any]] = {
            "api": {"enabled": True, "listen_port": port, "key_file": "secrets.key"},
            "llm": {"servers": [{"name": "local", "base_url": chat.base_url, "model": "any"}]},
        }
        server = FaultServer(tmp_path, settings=settings, expected=("did not warm up",))
        clerk = tmp_path / "clerk.yaml"
        clerk.write_text(CLERK.format(port=service.port))
        server.use_agent(clerk)
        with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk:
            with server.phone() as phone:
                mark = phone.mark()
                call_id, waiting = ask(server, phone, desk)
                assert (waiting["tool"], waiting["arguments"]) == ("find_order", '{"number":"4711"}')
                assert service.requests == [], "it ran before anybody had said yes"
                tool = f"/v1/live/calls/{call_id}/tools/{waiting['key']}"
                desk.post(tool, {"approved": True})
                server.wait_said(phone, "It was shipped.")
                desk.post(tool, {"approved": False}, 409)
                assert service.requests == ["/orders/4711"]
                assert server.log_of(phone).one("ToolWasApproved")["by"] == "ada"
                assert phone.heard(mark).any(), "the caller was kept company"
                phone.hang_up()
                server.wait_ended(phone)
            with server.phone() as phone:
                call_id, waiting = ask(server, phone, desk)
                desk.post(f"/v1/live/calls/{call_id}/tools/{waiting['key']}", {"approved": False})
                server.wait_said(phone, "I may not look that up.")
                assert service.requests == ["/orders/4711"]
                assert server.log_of(phone).one("ToolWasRefused")["by"] == "ada"
                phone.hang_up()
                server.wait_ended(phone)
            rows = desk.get("/v1/audit?action=call.approve_tool")["items"]
            assert [row["after"]["approved"] for row in rows] == [False, False, True]
