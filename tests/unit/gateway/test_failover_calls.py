"""Calls and requests that go to the next server, with servers written by hand and a name server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.dns_stub import DnsStub
from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegAnswered, LegEarlyMedia, LegEnded, LegRinging
from voicegw.gateway.located_requests import LocatedRequests
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.way import DIRECT, Way, loose_route
from voicegw.sip.address import Address, Transport
from voicegw.sip.events import RequestAnswered, RequestFailed
from voicegw.sip.message import Request
from voicegw.testing.ports import free_port

OUT = LegId("out")
IP = "127.0.0.1"
US = "<sip:us@127.0.0.1>"


class House:
    """A node and two servers, which ``carrier.test`` names in this order."""

    def __init__(self, **settings: float) -> None:
        self.first, self.second = RawSocket(), RawSocket()
        places = [f"{n} 1 {server.port} pbx.carrier.test." for n, server in enumerate(self.servers)]
        self.dns = DnsStub({("_sip._udp.carrier.test", "SRV"): places, ("pbx.carrier.test", "A"): [IP]})
        given = {"attempt_s": 5.0} | settings
        self.node = Node(locating=LocatingConfig(dns_servers=(self.dns.address,), **given))  # type: ignore[arg-type]
        self.requests = LocatedRequests(self.node.gateway.requests, self.node.gateway.servers, self.node.counters)

    @property
    def servers(self) -> tuple[RawSocket, RawSocket]:
        return self.first, self.second

    def address(self, server: RawSocket) -> Address:
        return Address(IP, server.port)

    def dial(self, way: Way = DIRECT, target: str = "sip:+4930@carrier.test") -> None:
        self.node.gateway.dial(OUT, target, IP, 30_000, "sip:us@127.0.0.1", way=way)

    async def gets(self, server: RawSocket, method: str = "INVITE") -> Request:
        """The next request of this kind; what is repeated before it is passed over."""
        while True:
            message = await server.receive()
            if isinstance(message, Request) and message.method == method:
                return message

    async def answer(self, server: RawSocket, request: Request, status: int, *extra: str, media: int = 0) -> None:
        """Answer a request; with SDP that names the port ``media``, which a 200 to an INVITE has always."""
        copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        to = f"To: {request.headers.get('To')};tag=t{server.port}"
        accepted = (status, request.method) == (200, "INVITE")
        body = sdp(media or 40_000) if media or accepted else b""
        kind = ["Content-Type: application/sdp"] if body else []
        lines = [f"SIP/2.0 {status} X", *copied, to, f"Contact: <sip:b@127.0.0.1:{server.port}>", *extra, *kind]
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        await server.send(data, self.node.address)

    def close(self) -> None:
        self.node.gateway.close()
        for server in self.servers:
            server.close()
        self.dns.close()


def in_house(scenario: Callable[[House], Awaitable[None]], **settings: float) -> None:
    async def whole() -> None:
        house = House(**settings)
        try:
            await scenario(house)
        finally:
            house.close()

    run(whole())


def test_a_refusing_server_sends_the_call_to_the_next() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        first = await house.gets(house.first)
        await house.answer(house.first, first, 503)
        second = await house.gets(house.second)
        for name in ("From", "To", "Call-ID", "CSeq"):
            assert first.headers.get(name) == second.headers.get(name)
        assert first.body == second.body
        await house.answer(house.second, second, 180)
        await house.node.expect(LegRinging)
        await house.answer(house.second, second, 200)
        assert (await house.node.expect(LegAnswered)).leg_id == OUT
        assert house.node.gateway.active_legs == 1
        assert house.node.counters.get(LocatingCounter.FAILED_OVER) == 1
        assert house.node.gateway.servers.listed == (), "503 without Retry-After speaks of one call"
        await house.gets(house.second, "ACK")

    in_house(scenario)


def test_a_silent_server_is_passed_over_from_then_on() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.gets(house.first)
        await house.answer(house.second, await house.gets(house.second), 486)
        assert (await house.node.expect(LegEnded)).sip_status == 486
        assert house.node.gateway.servers.listed == (house.address(house.first),)
        house.dial()
        await house.answer(house.second, await house.gets(house.second), 486)
        await house.node.expect(LegEnded)
        assert house.node.counters.get(LocatingCounter.FAILED_OVER) == 1

    in_house(scenario, attempt_s=0.3)


def test_a_server_that_rested_is_asked_before_it_is_used() -> None:
    async def scenario(house: House) -> None:
        house.node.gateway.servers.failed(house.address(house.first), 0.1)
        options = await house.gets(house.first, "OPTIONS")
        assert options.uri == f"sip:127.0.0.1:{house.first.port}"
        await house.answer(house.first, options, 200)
        await asyncio.gather(*house.node.gateway.servers._probes)
        assert house.node.counters.get(LocatingCounter.REINSTATED) == 1
        house.dial()
        await house.answer(house.first, await house.gets(house.first), 600)
        await house.node.expect(LegEnded)

    in_house(scenario)


def test_retry_after_lists_a_server() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.first, await house.gets(house.first), 503, "Retry-After: 60")
        await house.answer(house.second, await house.gets(house.second), 503, "Retry-After: 30")
        ended = await house.node.expect(LegEnded)
        assert (ended.cause, ended.sip_status) == (HangupCause.PEER_OVERLOADED, 503)
        assert set(house.node.gateway.servers.listed) == {house.address(house.first), house.address(house.second)}
        house.dial()
        await house.answer(house.second, await house.gets(house.second), 200)
        await house.node.expect(LegAnswered)
        assert house.node.gateway.servers.listed == (house.address(house.first),)

    in_house(scenario)


@pytest.mark.parametrize("status", [302, 404, 408, 486, 500, 504, 603])
def test_any_other_answer_is_the_answer(status: int) -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.first, await house.gets(house.first), status)
        assert (await house.node.expect(LegEnded)).sip_status == status

    in_house(scenario)


def test_silence_everywhere_ends_the_call() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        ended = await house.node.expect(LegEnded)
        assert (ended.leg_id, ended.cause) == (OUT, HangupCause.UNREACHABLE)
        assert house.node.gateway.active_legs == 0
        assert len(house.node.gateway.servers.listed) == 2

    in_house(scenario, attempt_s=0.3)


def test_a_call_that_is_hung_up_goes_nowhere_else() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        invite = await house.gets(house.first)
        house.node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        await house.answer(house.first, invite, 503)
        assert (await house.node.expect(LegEnded)).cause is HangupCause.AGENT_HANGUP
        assert house.node.counters.get(LocatingCounter.FAILED_OVER) == 0

    in_house(scenario)


def test_only_so_many_servers_are_tried() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.first, await house.gets(house.first), 503)
        assert (await house.node.expect(LegEnded)).sip_status == 503

    in_house(scenario, max_attempts=1)


def test_an_outbound_proxy_gets_the_call_and_the_route() -> None:
    async def scenario(house: House) -> None:
        routes = (loose_route(f"sip:127.0.0.1:{house.second.port}"), "<sip:far.example.com;lr>")
        house.dial(Way(routes=routes), "sip:+4930@elsewhere.invalid")
        invite = await house.gets(house.second)
        assert invite.uri == "sip:+4930@elsewhere.invalid"
        assert invite.headers.values("Route") == routes
        assert routes[0].endswith(";lr>")
        assert house.dns.questions == []

    in_house(scenario)


def test_the_hosts_of_a_trunk_stand_in_for_its_domain() -> None:
    async def scenario(house: House) -> None:
        hosts = tuple(f"sip:127.0.0.1:{server.port}" for server in house.servers)
        house.dial(Way(hosts=("sip:nowhere.test", *hosts)), "sip:+4930@brand.example")
        await house.answer(house.first, await house.gets(house.first), 503)
        invite = await house.gets(house.second)
        assert (invite.uri, invite.headers.get("Route")) == ("sip:+4930@brand.example", None)

    in_house(scenario)


def test_a_request_outside_calls_goes_to_the_next_server_too() -> None:
    async def scenario(house: House) -> None:
        sending = asyncio.create_task(house.requests.send("MESSAGE", "sip:carrier.test", from_=US, body=b"hello"))
        await house.answer(house.first, await house.gets(house.first, "MESSAGE"), 503, "Retry-After: 5")
        await house.answer(house.second, await house.gets(house.second, "MESSAGE"), 202)
        delivered = await sending
        assert isinstance(delivered.event, RequestAnswered)
        assert (delivered.event.response.status, delivered.server.port) == (202, house.second.port)
        assert delivered.server.name == "carrier.test"

    in_house(scenario)


def test_a_request_that_nobody_answers() -> None:
    async def scenario(house: House) -> None:
        delivered = await house.requests.send("OPTIONS", "sip:carrier.test", from_=US, patience_s=0.2)
        assert isinstance(delivered.event, RequestFailed)
        with pytest.raises(LocalError):
            await house.requests.send("OPTIONS", "sip:nowhere.test", from_=US)

    in_house(scenario, attempt_s=0.2)


def test_who_waits_for_a_name_server_holds_up_nobody() -> None:
    async def scenario(house: House) -> None:
        house.dns.silent = True
        house.dial(target="sip:+4930@slow.test")
        for _ in range(20):
            await house.second.is_answered(house.node)
        assert house.node.events.empty(), "it still waits"
        ended = await house.node.expect(LegEnded)
        assert "slow.test cannot be found" in ended.reason_text

    in_house(scenario, dns_timeout_s=0.5)


def test_a_server_that_refuses_connections_costs_no_time() -> None:
    async def scenario(house: House) -> None:
        hosts = (f"sip:127.0.0.1:{free_port()};transport=tcp", f"sip:127.0.0.1:{house.second.port}")
        house.dial(Way(hosts=hosts), "sip:+4930@brand.example")
        await house.gets(house.second)
        assert [address.transport for address in house.node.gateway.servers.listed] == [Transport.TCP]

    in_house(scenario, attempt_s=30.0)  # longer than the test may take


def test_early_media_of_a_server_that_failed_is_forgotten() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        first = await house.gets(house.first)
        await house.answer(house.first, first, 183, media=41_000)
        await house.node.expect(LegRinging)
        early = await house.node.expect(LegEarlyMedia)
        assert early.session.remote_port == 41_000
        await house.answer(house.first, first, 503)
        second = await house.gets(house.second)
        assert second.body == first.body
        await house.answer(house.second, second, 183, media=42_000)
        await house.node.expect(LegRinging)
        assert (await house.node.expect(LegEarlyMedia)).session.remote_port == 42_000
        await house.answer(house.second, second, 200, media=42_000)
        assert (await house.node.expect(LegAnswered)).session.remote_port == 42_000

    in_house(scenario)
