"""An administrator sees by the API how trunks stand: up, down with the reason, up again, and is told live."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.carrier import carrier
from tests.interop.fault_server import FaultServer
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def wait(done: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_trunk_goes_down_and_comes_up(tmp_path: Path) -> None:
    place, port = free_port(), free_port()
    settings = {"api": {"enabled": True, "listen_port": port}, "sip": {"t1_ms": 50}}
    server = FaultServer(tmp_path, settings=settings, expected=("a SIP server failed", "a trunk is down"))
    health = {"options_s": 1, "down_after": 1}
    server.write_trunk("carrier", hosts=["127.0.0.1"], port=place, carries=["+49*"], max_calls=5, health=health)
    with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk:

        def up() -> bool:
            (state,) = desk.get("/v1/trunk-states")
            return bool(state["up"]) and state["health"]["health"] == "up"

        with carrier(tmp_path, port=place):
            wait(up)
            (state,) = desk.get("/v1/trunk-states")
            assert state["health"]["servers"] == [f"UDP 127.0.0.1:{place}"]
            assert (state["calls"], state["max_calls"], state["registration"]) == (0, 5, None)
            last = desk.get("/v1/live/calls")["last_event_id"]
        down = desk.events("", last, until="TrunkChanged")[-1]
        assert (down["name"], down["up"], "OPTIONS" in down["why"]) == ("carrier", False, True)
        (state,) = desk.get("/v1/trunk-states")
        assert (state["up"], state["why"]) == (False, down["why"])
        with carrier(tmp_path, port=place):
            wait(up)
        assert desk.get("/v1/guard/bans") == []
        desk.post("/v1/guard/bans", {"host": "127.0.0.1"}, 409)
        desk.post("/v1/guard/bans", {"host": "198.51.100.7", "seconds": 60})
        assert [ban["host"] for ban in desk.get("/v1/guard/bans")] == ["198.51.100.7"]
