"""Three nodes on machines of their own behind Kamailio, with one Redis: one dies, one drains, Redis goes."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop import cluster_limits, scanner
from tests.interop.api_desk import ApiDesk
from tests.interop.balancer_peer import Balancer
from tests.interop.cluster_calls import until
from tests.interop.cluster_net import Host, Network, RedisPeer
from tests.interop.cluster_supervised import supervised_from_other_nodes
from tests.interop.far_phone import CALLER_HZ, FarPhone
from tests.interop.fault_server import FaultServer
from tests.interop.grave import FarGrave
from tests.interop.process import Process
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import read_wav, seconds_with

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

NAMES = ("a", "b", "c")
SIP_PORT, API_PORT = 5060, 8080
LONG_MS = 600_000
TTL_MS = 6000
"""All nodes share the cores of one machine: none is dead because it had none for two seconds."""


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
                service=str(next(world.numbers)),
                timeout_s=200,
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

    def hears(self, hz: int) -> float:
        """How many seconds of this tone so far."""
        return self._phone.tone_s(hz)

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
        self.numbers = itertools.count(100)
        """Each caller dials one of its own: a number has one line."""
        self._stack = stack
        self.hosts = dict(zip(NAMES, hosts, strict=True))
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
            "cluster": {"redis": self.redis.url, "node": name, "node_ttl_ms": TTL_MS},
            "limits": cluster_limits.LIMITS,
        }
        server = FaultServer(home, namespace=host, settings=settings, expected=("cannot be reached",))
        server.write_trunk("carrier", **cluster_limits.trunk(self.network.carrier))
        return server

    def has_a_balancer(self) -> None:
        """One with the nodes that the cluster lists. Calls go by turns once all of them have answered it."""
        places = {one["name"]: one["sip"] for one in self.desks["a"].get("/v1/nodes")}
        balancer = Balancer(self.work, places, port=SIP_PORT, namespace=self.network)
        self.balancer = self._stack.enter_context(balancer)
        for place in places.values():
            until(lambda place=place: balancer.takes_calls(place), "the node gets calls")  # type: ignore[misc]

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
        world.has_a_balancer()
        yield world


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
        owner = {node: call_id for call_id, node in world.live("a").items()}
        supervised_from_other_nodes(world, "b", owner["b"], callers["b"].hears)
        cluster_limits.published_elsewhere(world)
        cluster_limits.one_call_over_all_nodes(world)
        controlled_from_another_node(world, callers)
        a_scanner_is_ignored_by_all(world)
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
        capture = f"/v1/calls/{newest['id']}/capture"
        world.desks[at].post(capture, {"audio": False})
        world.desks[at].post(f"/v1/live/calls/{newest['id']}/end")
        extra.sipp.wait_for("BYE")
        until(lambda: newest["id"] not in world.live(at), "it is over for all")
        until(lambda: bool(list((world.work / owner).rglob(f"{newest['id']}*.pcap"))), "its packets are there")
        assert f"on node {owner}: http" in world.desks[at].get(capture, 409)["detail"]


def a_scanner_is_ignored_by_all(world: World) -> None:
    """What names a scanner at one node finds nobody at the others, until somebody lifts it at any of them."""

    def answers(name: str, agent: str = "phone") -> bool:
        network, server = world.network, world.servers[name]
        asks = [network.stranger, agent, network.address, server.host, str(server.port)]
        with Process(
            [sys.executable, scanner.__file__, *asks], world.work / "ask.log", namespace=network
        ) as asking:
            asking.wait(60)
        assert asking.output in ("answers\n", "silence\n"), asking.output
        return asking.output == "answers\n"

    def ignored(at: str) -> list[tuple[str, str]]:
        return [(ban["host"], ban["reason"]) for ban in world.desks[at].get("/v1/guard/bans")]

    assert answers("b")
    assert not answers("a", "friendly-scanner")
    ban = (world.network.stranger, "it names a scanner in User-Agent")
    took = until(lambda: all(ignored(at) == [ban] for at in NAMES), "all ignore it")
    print(f"banned at one, ignored by all after {took:.1f} s")
    assert not answers("b")
    world.desks["c"].delete(f"/v1/guard/bans/{ban[0]}")
    until(lambda: not any(ignored(at) for at in NAMES), "all hear it again")
    assert answers("a") and answers("b")


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
    until(lambda: not world.balancer.takes_calls(world.servers["b"].address), "the balancer knows it, too")
    assert {world.call() for _ in range(2)} == {"a", "c"}
    callers["b"].goes_on()
    assert world.nodes("a")["b"] == ("draining", 1)


def one_dies(world: World, callers: dict[str, Caller]) -> None:
    died = next(call_id for call_id, node in world.live("a").items() if node == "c")
    server = world.servers["c"]
    server.kill()
    began = time.monotonic()
    with FarGrave(world.hosts["c"], server.port) as grave:
        assert world.call() == "a", "a call that finds it silent goes to the next"
        print(f"killed: a call was taken by another node, and over, after {time.monotonic() - began:.1f} s")
        until(lambda: not world.balancer.takes_calls(server.address), "the balancer passes it over")
        before = grave.calls
        until(lambda: set(world.nodes("a")) == {"a", "b"}, "the others know that it is gone")
        until(lambda: died not in world.live("a") and died not in world.live("b"), "its call is over")
        until(
            lambda: world.desks["a"].get(f"/v1/calls/{died}")["call"]["cause"] == "node_lost", "the store says so"
        )
        print(f"killed: over for the others, and in the store, after {time.monotonic() - began:.1f} s")
        assert {world.call() for _ in range(2)} == {"a"}
        assert grave.calls == before, "no new call comes to where it was"
    callers["a"].goes_on()
