"""Three nodes on machines of their own behind Kamailio, with one Redis: one dies, one drains, Redis goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop import options_ping
from tests.interop.api_desk import ApiDesk
from tests.interop.cluster_net import Host, Network, RedisPeer
from tests.interop.far_phone import CALLER_HZ, FarPhone
from tests.interop.fault_server import FaultServer
from tests.interop.process import Process
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import read_wav, seconds_with

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CONFIGURATION = Path(__file__).parents[2] / "docker" / "kamailio" / "kamailio.cfg"
NAMES = ("a", "b", "c")
SIP_PORT, API_PORT = 5060, 8080
LONG_MS = 600_000


def until(holds: Callable[[], bool], what: str, within_s: float = 30.0) -> float:
    """Wait; how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


class Caller:
    """A call through the balancer: sipp's signalling, and media of our own."""

    def __init__(self, world: World, hold_ms: int) -> None:
        self._phone = FarPhone(world.network)
        values = {"rtp_port": str(self._phone.port), "hold_ms": str(hold_ms)}
        self._stack = ExitStack()
        self._stack.enter_context(self._phone)
        self.sipp = self._stack.enter_context(
            Sipp(
                world.work,
                "uac",
                target=f"{world.network.address}:{SIP_PORT}",
                values=values,
                namespace=world.network,
            )
        )
        self.host = ""

    def is_answered(self) -> None:
        """Until it is, and audio comes."""
        port = self.sipp.answered_port()
        body = self.sipp.received("SIP/2.0 200", "INVITE")[0].body
        self.host = next(line.split()[-1] for line in body.splitlines() if line.startswith("c="))
        self._phone.start(self.host, port)
        until(lambda: self._phone.packets() > 0, "audio comes")

    def talks(self) -> None:
        """Until the agent is heard."""
        until(lambda: self._phone.speech_s() > 0.3, "the agent is heard")

    def goes_on(self) -> None:
        """Until more audio has come."""
        before = self._phone.packets()
        until(lambda: self._phone.packets() > before + 25, "audio goes on")

    def close(self) -> None:
        self._stack.close()


class World:
    """All of it."""

    def __init__(self, work: Path, network: Network, hosts: list[Host], redis: RedisPeer, stack: ExitStack) -> None:
        self.work, self.network, self.redis = work, network, redis
        self._stack = stack
        self.servers = {name: self._server(name, host) for name, host in zip(NAMES, hosts, strict=True)}
        self.desks: dict[str, ApiDesk] = {}
        stack.enter_context(self.servers["a"])
        with ThreadPoolExecutor() as starting:
            list(starting.map(stack.enter_context, (self.servers["b"], self.servers["c"])))
        for name, host in zip(NAMES, hosts, strict=True):
            token = self.desks["a"].token if self.desks else ""
            desk = ApiDesk(self.servers[name], host, f"http://127.0.0.1:{API_PORT}", token)
            self.desks[name] = stack.enter_context(desk)

    def _server(self, name: str, host: Host) -> FaultServer:
        home = self.work / name
        home.mkdir()
        settings: dict[str, dict[str, Any]] = {
            "api": {"enabled": True, "listen_port": API_PORT, "key_file": str(self.work / "secrets.key")},
            "store": {"url": f"sqlite:///{self.work / 'store.sqlite'}"},
            "cluster": {"redis": self.redis.url, "node": name},
        }
        return FaultServer(home, namespace=host, settings=settings, expected=("cannot be reached",))

    def nodes(self, at: str) -> dict[str, tuple[str, int]]:
        """State and calls of each node, as one of them knows."""
        return {one["name"]: (one["state"], one["calls"]) for one in self.desks[at].get("/v1/nodes")}

    def live(self, at: str) -> dict[str, str]:
        """The running calls and their nodes, as one of them shows them."""
        return {one["id"]: one["node"] or at for one in self.desks[at].get("/v1/live/calls")["items"]}

    def hears_its_caller(self, name: str) -> bool:
        """Whether what a node records has the tone that the caller plays, a second of it, on the caller's side."""
        kept = [read_wav(path)[0] for path in (self.work / name).rglob("*.wav*")]
        return any(seconds_with(said, CALLER_HZ) > 1 for said in kept)

    def name_of(self, host: str) -> str:
        return next(name for name, server in self.servers.items() if server.host == host)

    @contextmanager
    def caller(self, hold_ms: int = LONG_MS) -> Iterator[Caller]:
        """A call that is up."""
        caller = Caller(self, hold_ms)
        try:
            caller.is_answered()
            yield caller
        finally:
            caller.close()

    def call(self) -> str:
        """A whole call; the node that took it."""
        with self.caller(hold_ms=500) as caller:
            caller.sipp.passed()
            return self.name_of(caller.host)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        hosts = [stack.enter_context(Host(network, number)) for number in (1, 2, 3)]
        redis = stack.enter_context(RedisPeer(tmp_path, network))
        world = World(tmp_path, network, hosts, redis, stack)
        until(lambda: len(world.nodes("c")) == 3, "all three see one another")
        stack.enter_context(balancer(world))
        yield world


@contextmanager
def balancer(world: World) -> Iterator[Process]:
    """Kamailio with the configuration that ships, and the nodes as the cluster lists them."""
    home = world.work / "kamailio"
    home.mkdir()
    places = [(one["name"], one["sip"]) for one in world.desks["a"].get("/v1/nodes")]
    (home / "list").write_text("".join(f"1 sip:{sip} 0 0 duid={name}\n" for name, sip in places))
    address = world.network.address
    defined = [f"VOICEGW_LISTEN=udp:{address}:{SIP_PORT}", f'VOICEGW_LIST="{home / "list"}"']
    args = ["/usr/sbin/kamailio", "-f", str(CONFIGURATION), "-DD", "-E", "-m", "32", "-M", "4", "-w", str(home)]
    args += ["-Y", str(home), *(word for one in defined for word in ("-A", one))]
    ping = [sys.executable, options_ping.__file__, address, str(SIP_PORT), "20"]
    with Process(args, home / "log", namespace=world.network, cwd=home) as kamailio:
        with Process(ping, home / "ping.log", namespace=world.network) as ready:
            assert ready.wait(30) == 0, kamailio.output
        yield kamailio


@pytest.mark.long
@pytest.mark.timeout(240)
def test_three_nodes_are_one_to_callers_and_supervisors(world: World) -> None:
    with world.caller() as one, world.caller() as two, world.caller() as three:
        callers = {world.name_of(caller.host): caller for caller in (one, two, three)}
        assert set(callers) == set(NAMES), "the balancer goes by turns"
        for name, caller in callers.items():
            caller.talks()
            until(lambda name=name: world.hears_its_caller(name), "the caller is heard")  # type: ignore[misc]
        for at in NAMES:
            until(lambda at=at: sorted(world.live(at).values()) == list(NAMES), "every node shows every call")  # type: ignore[misc]
        controlled_from_another_node(world, callers)
        redis_goes_and_comes(world, callers)
        one_drains(world, callers)
        one_dies(world, callers)
        for call_id in world.live("a"):
            world.desks["a"].post(f"/v1/live/calls/{call_id}/end")
        until(lambda: not world.live("b"), "all calls are over")


def controlled_from_another_node(world: World, callers: dict[str, Caller]) -> None:
    with world.caller() as extra:
        owner = world.name_of(extra.host)
        at = next(name for name in NAMES if name != owner)
        until(lambda: list(world.live(at).values()).count(owner) == 2, "the call is shown elsewhere")
        known = world.desks[at].get("/v1/live/calls")["items"]
        newest = max((call for call in known if call["node"] == owner), key=lambda call: str(call["started_at"]))
        world.desks[at].post(f"/v1/live/calls/{newest['id']}/end")
        extra.sipp.wait_for("BYE")
        until(lambda: newest["id"] not in world.live(at), "it is over for all")


def redis_goes_and_comes(world: World, callers: dict[str, Caller]) -> None:
    world.redis.stop()
    until(lambda: "cluster" in world.desks["a"].get("/readyz").get("degraded", {}), "it says what does not work")
    world.call()
    for caller in callers.values():
        caller.goes_on()
    world.redis.start()
    until(lambda: all(len(world.nodes(at)) == 3 for at in NAMES), "all three see one another again")
    until(lambda: all(sorted(world.live(at).values()) == list(NAMES) for at in NAMES), "and their calls")


def one_drains(world: World, callers: dict[str, Caller]) -> None:
    world.desks["b"].post("/v1/node/drain", {"deadline_s": 600}, 200)
    until(lambda: world.nodes("a").get("b", ("", 0))[0] == "draining", "the others know that it drains")
    assert {world.call() for _ in range(2)} == {"a", "c"}
    callers["b"].goes_on()
    assert world.nodes("a")["b"] == ("draining", 1)


def one_dies(world: World, callers: dict[str, Caller]) -> None:
    died = next(call_id for call_id, node in world.live("a").items() if node == "c")
    world.servers["c"].kill()
    began = time.monotonic()
    assert world.call() == "a", "a call that finds it silent goes to the next"
    print(f"killed: a call was taken by another node, and over, after {time.monotonic() - began:.1f} s")
    until(lambda: set(world.nodes("a")) == {"a", "b"}, "the others know that it is gone", 10.0)
    until(lambda: died not in world.live("a") and died not in world.live("b"), "its call is over")
    until(lambda: world.desks["a"].get(f"/v1/calls/{died}")["call"]["cause"] == "node_lost", "the store says so")
    print(f"killed: over for the others, and in the store, after {time.monotonic() - began:.1f} s")
    assert {world.call() for _ in range(2)} == {"a"}
    callers["a"].goes_on()
