"""Phones that register through Kamailio as it ships at one of two nodes with one Redis: each node calls them, also
when the other one is dead, and knows when they leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.balancer_peer import Balancer
from tests.interop.baresip_peer import Baresip, Step
from tests.interop.cluster_calls import DirectCall, until
from tests.interop.cluster_net import Host, Network, RedisPeer
from tests.interop.fault_server import FaultServer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, tone
from tests.interop.test_phones import DESK_HZ, DOMAIN, SECRET, phones
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

SIP_PORT, API_PORT = 5060, 8080
CALLER_HZ = 1000
EXPIRES_S = 600
"""Much longer than a test: what is gone was told."""
NAMES = ("a", "b")


class World:
    """Two nodes that put every caller through to Anna, Redis, a balancer, and a machine for her phone."""

    def __init__(self, work: Path, stack: ExitStack, phones: Mapping[str, Any]) -> None:
        self.work = work
        self._phones = phones
        self._stack = stack
        self.network = stack.enter_context(Network())
        self.hosts = {name: stack.enter_context(Host(self.network, at)) for at, name in enumerate(NAMES, 1)}
        self.desk_host = stack.enter_context(Host(self.network, 10))
        self.redis = stack.enter_context(RedisPeer(work, self.network))
        self.servers = {name: self._server(name) for name in NAMES}
        self.desks: dict[str, ApiDesk] = {}
        for name in NAMES:
            self.start(name)
        places = {name: server.address for name, server in self.servers.items()}
        self.balancer = stack.enter_context(Balancer(work, places, port=SIP_PORT, namespace=self.network))
        for name in NAMES:
            self.takes_calls(name)

    def _server(self, name: str) -> FaultServer:
        home = self.work / name
        home.mkdir()
        settings: dict[str, dict[str, Any]] = {
            "sip": {"guard": {"balancers": [self.network.address]}},
            "phones": {**phones(), "max_expires_s": EXPIRES_S, "ping_s": 0, **self._phones},
            "transfer": {"targets": [{"name": "desk", "uri": f"sip:anna@{DOMAIN}", "kind": "bridged"}]},
            "api": {"enabled": True, "listen_port": API_PORT, "key_file": str(self.work / "secrets.key")},
            "store": {"url": f"sqlite:///{self.work / 'store.sqlite'}"},
            "cluster": {"redis": self.redis.url, "node": name, "node_ttl_ms": 6000},
        }
        expected = ("cannot be reached", "a node is lost")
        return FaultServer(
            home, agent="put_through", namespace=self.hosts[name], settings=settings, expected=expected
        )

    def start(self, name: str) -> None:
        self._stack.enter_context(self.servers[name])
        token = next((desk.token for desk in self.desks.values()), "")
        desk = ApiDesk(self.servers[name], self.hosts[name], f"http://127.0.0.1:{API_PORT}", token)
        self.desks[name] = self._stack.enter_context(desk)

    def takes_calls(self, name: str, takes: bool = True) -> None:
        """Until the balancer says so."""
        place = self.servers[name].address
        until(lambda: self.balancer.takes_calls(place) is takes, f"{name} gets calls: {takes}")

    def devices(self, at: str) -> list[str]:
        """Anna's, as a node knows them."""
        found: list[str] = self.desks[at].get("/v1/phones/anna")["devices"]
        return found

    def knows(self, *names: str, devices: int = 1) -> None:
        """Until these nodes know so many."""
        for name in names:
            until(lambda name=name: len(self.devices(name)) == devices, f"{devices} at {name}")  # type: ignore[misc]

    @contextmanager
    def only_to(self, name: str) -> Iterator[None]:
        """The balancer sends what is new to this node."""
        others = [other for other in NAMES if other != name]
        for other in others:
            self.desks[other].post("/v1/node/drain", {"deadline_s": 600}, 200)
            self.takes_calls(other, False)
        yield
        for other in others:
            self.desks[other].delete("/v1/node/drain", 200)
            self.takes_calls(other)

    def baresip(self, transport: str, regint: int) -> Baresip:
        """Anna's phone."""
        registrar = f"sip:{self.balancer.address};transport={transport}"
        account = (
            f'<sip:anna@{DOMAIN};transport={transport}>;auth_user=anna;auth_pass="{SECRET}";outbound="{registrar}"'
            f";regint={regint};answermode=auto"
        )
        return Baresip(self.work, self.desk_host, tone(DESK_HZ, 60), account=account)

    def registers(self, port: int) -> None:
        """A phone behind NAT, whose signalling is at that port of its machine."""
        extra = ("-au", "anna", "-ap", SECRET)
        values = {"expires": str(EXPIRES_S)}
        sipp = Sipp(
            self.work,
            "registers",
            target=self.balancer.address,
            port=port,
            values=values,
            namespace=self.desk_host,
            extra=extra,
        )
        with sipp:
            sipp.passed()

    def is_degraded(self, at: str) -> bool:
        """Whether a node says that it goes by itself."""
        return "cluster" in self.desks[at].get("/readyz").get("degraded", {})

    def is_put_through(self, at: str, number: str) -> None:
        """A caller at a node hears Anna; the node ends the call."""
        with DirectCall(self, at, number, self.network.stranger) as caller:
            assert caller.status() == 200
            caller.hears(DESK_HZ)
            self.end_calls(at)
            caller.sipp.wait_for("BYE")

    def end_calls(self, at: str) -> None:
        for call in self.desks[at].get("/v1/live/calls")["items"]:
            self.desks[at].post(f"/v1/live/calls/{call['id']}/end")
        until(lambda: not self.desks[at].get("/v1/live/calls")["items"], "the call is over")


@contextmanager
def house(work: Path, **phones: Any) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(work, stack, phones)


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_every_node_calls_a_phone_and_knows_that_it_left_also_while_redis_was_away(
    tmp_path: Path, transport: str
) -> None:
    with house(tmp_path) as world, ExitStack() as stack:
        with world.only_to("a"):
            desk = stack.enter_context(world.baresip(transport, EXPIRES_S))
            world.knows("a", "b")
        world.is_put_through("b", "101")
        world.is_put_through("a", "102")
        world.servers["a"].kill()
        world.is_put_through("b", "103")
        world.start("a")
        world.knows("a")
        world.is_put_through("a", "104")
        world.redis.stop()
        for name in NAMES:
            until(lambda name=name: world.is_degraded(name), "it says what does not work")  # type: ignore[misc]
        world.is_put_through("b", "105")
        desk.process.stop(timeout_s=10)
        until(
            lambda: sorted(len(world.devices(name)) for name in NAMES) == [0, 1], "one node knows that it has left"
        )
        world.redis.start()
        world.knows("a", "b", devices=0)
        assert seconds_with(desk.heard(), CALLER_HZ) >= 1


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_phone_registers_anew_at_another_node_when_its_own_is_dead(tmp_path: Path) -> None:
    with house(tmp_path) as world, ExitStack() as stack:
        with world.only_to("a"):
            desk = stack.enter_context(world.baresip("udp", 20))
            world.knows("a", "b")
        world.servers["a"].kill()
        desk.do([Step(wait="REGISTER_OK", within_s=60)])
        world.knows("b")
        world.is_put_through("b", "101")
        world.start("a")
        world.knows("a")
        desk.process.stop(timeout_s=10)
        world.knows("a", "b", devices=0)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_phone_behind_nat_is_reached_within_a_call_too(tmp_path: Path) -> None:
    """Its Contact leads nowhere: everything goes to where Kamailio saw it."""
    with house(tmp_path, algorithms=["MD5"]) as world:
        port = free_port()
        world.registers(port)
        world.knows("a", "b")
        for name, number in (("b", "101"), ("a", "102")):
            phone = Sipp(world.work, "uas_behind_nat", port=port, namespace=world.desk_host, extra=("-rtp_echo",))
            with phone, DirectCall(world, name, number, world.network.stranger) as caller:
                assert caller.status() == 200
                caller.hears(CALLER_HZ)
                world.end_calls(name)
                phone.passed()


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_phone_behind_nat_that_answers_no_more_is_gone_for_all_also_when_its_node_is_dead(tmp_path: Path) -> None:
    with house(tmp_path, algorithms=["MD5"], ping_s=1, pings_missed=2) as world:
        with world.only_to("a"):
            world.registers(free_port())
            world.knows("a", "b")
            world.servers["a"].kill()
            world.knows("b", devices=0)
        assert world.servers["b"].logged("a phone does not answer any more")
