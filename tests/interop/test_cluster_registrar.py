"""Two nodes and one account at a Kamailio: one of them is registered, whatever happens to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.interop.fault_server import FaultServer
from tests.interop.kamailio_peer import Kamailio
from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import until
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone
from voicegw.cli.main import main
from voicegw.testing.redis_server import RedisServer

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ = 1000
EXPIRES_S = 600
"""Much longer than the test: what is gone from the registrar was taken back or replaced."""


def node(work: Path, name: str, redis: RedisServer, registrar: Kamailio) -> FaultServer:
    home = work / name
    home.mkdir()
    cluster = {"redis": redis.url, "node": name, "beat_ms": 200, "node_ttl_ms": 4000, "lease_ttl_ms": 6000}
    server = FaultServer(home, settings={"cluster": cluster}, expected=("cannot be reached",))
    server.write_trunk(
        "carrier",
        hosts=["127.0.0.1"],
        port=registrar.port,
        domain="carrier.test",
        realm="carrier.test",
        username="us",
        password_env="CARRIER_PASSWORD",
        register_there=True,
        registration={"registrar": f"sip:{registrar.address}", "outbound": True, "expires_s": EXPIRES_S},
        health={"options_s": 0},
    )
    return server


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Kamailio]:
    with Kamailio(tmp_path, "core", echo="127.0.0.1:9", expires=str(EXPIRES_S)) as core:
        yield core


def reached_only(registrar: Kamailio, server: FaultServer) -> None:
    """Wait until this node is what the registrar knows, and nothing else."""
    asyncio.run(until(lambda: registrar.contacts() == [server.address]))


@pytest.mark.timeout(180)
def test_one_node_is_registered_and_the_next_one_takes_its_place(
    tmp_path: Path, registrar: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRIER_PASSWORD", "secret")
    with RedisServer() as redis, ExitStack() as stack:
        one, two = (node(tmp_path, name, redis, registrar) for name in ("one", "two"))
        stack.enter_context(one)
        reached_only(registrar, one)
        stack.enter_context(two)
        two.wait_logged("in contact with the other nodes")
        assert len(registrar.contacts()) == 1, "one node at a time"

        assert main(["drain", "-c", str(one.configuration)]) == 0
        reached_only(registrar, two)
        assert main(["undrain", "-c", str(one.configuration)]) == 0
        two.kill()
        reached_only(registrar, one)

        with RtpPeer() as here:
            values = {"rtp_port": str(here.port), "hold_ms": "8000"}
            with Sipp(tmp_path, "uac", target=registrar.address, service="us", values=values) as caller:
                here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 20))
                caller.passed()
            log = one.call()
        heard, _ = one.recording(log)
        assert log.one("CallWasIntroduced")["trunk"] == "carrier"
        assert seconds_with(heard, CALLER_HZ) >= 2 and speech_seconds(here.heard()) >= 1
    assert registrar.contacts() == [], "who stops takes its binding back"


def each_for_itself(server: FaultServer, wished: bool) -> None:
    """Reload with another rule."""
    config = yaml.safe_load(server.configuration.read_text())
    config["cluster"]["own_registrations"] = not wished
    server.configuration.write_text(yaml.safe_dump(config))
    assert main(["reload", "-c", str(server.configuration)]) == 0


@pytest.mark.timeout(180)
def test_nodes_are_registered_by_turns_or_each_for_itself_as_a_reload_says(
    tmp_path: Path, registrar: Kamailio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRIER_PASSWORD", "secret")
    with RedisServer() as redis, ExitStack() as stack:
        one, two = (node(tmp_path, name, redis, registrar) for name in ("one", "two"))
        both = {one.address, two.address}
        stack.enter_context(one)
        reached_only(registrar, one)
        stack.enter_context(two)
        two.wait_logged("in contact with the other nodes")
        for server in (one, two):
            each_for_itself(server, wished=True)
        asyncio.run(until(lambda: set(registrar.contacts()) == both))
        each_for_itself(one, wished=False)
        one.wait_logged("a registration is held", 2)
        asyncio.run(until(lambda: set(registrar.contacts()) == both))
        each_for_itself(two, wished=False)
        reached_only(registrar, one)
    assert registrar.contacts() == []
