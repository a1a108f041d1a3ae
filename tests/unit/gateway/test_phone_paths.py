"""Phones behind a balancer: the way that it names is taken back, is asked whether they are there, and nobody else's
word counts for it (RFC 3327)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from tests.unit.gateway.test_phones import DOMAIN, IP, OUT, entry, phone
from voicegw.gateway import registrar
from voicegw.gateway.config import SipConfig
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.sip.address import Address
from voicegw.sip.bindings import Binding
from voicegw.sip.events import RequestAnswered
from voicegw.sip.message import Request, Response

CONTACT = "sip:anna@10.0.0.7:5060"


def house(*balancers: str, **phones: float) -> Node:
    config = SipConfig(listen_ip=IP, listen_port=0, t1_ms=50, guard=GuardConfig(balancers=balancers))
    accounts = PhonesConfig(DOMAIN, accounts=(entry("anna"),), **phones)  # type: ignore[arg-type]
    return Node(config=config, phones=accounts)


async def register(device: Node, server: Node, *path: str, supported: str = "") -> Response:
    paths = tuple(("Path", value) for value in path)
    event = await device.gateway.requests.send(
        "REGISTER",
        f"sip:{DOMAIN}",
        server.address,
        from_=f"<sip:anna@{DOMAIN}>",
        to=f"<sip:anna@{DOMAIN}>",
        headers=(("Contact", f"<{CONTACT}>"), ("Supported", supported or "gruu"), *paths),
        account="anna",
    )
    assert isinstance(event, RequestAnswered)
    return event.response


def hop(proxy: RawSocket, seen: str = "10.0.0.9:40001") -> str:
    return f"<sip:{IP}:{proxy.port};lr;received=sip:{seen}>"


def answer(request: Request, status: int) -> bytes:
    kept = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join([f"SIP/2.0 {status} So", *kept, "Content-Length: 0", "", ""]).encode()


def test_a_path_is_believed_of_a_balancer_and_refused_of_anybody_else() -> None:
    async def scenario() -> None:
        proxy, device = RawSocket(), phone()
        for server, believes in ((house(), False), (house(f"{IP}/32"), True)):
            response = await register(device, server, hop(proxy), supported="path")
            bound = server.gateway.phones.registrar.bindings("anna", 0.0)
            if believes:
                assert response.status == 200 and response.headers.get("Path") == hop(proxy)
                assert [one.path for one in bound] == [(hop(proxy),)]
            else:
                assert (response.status, response.headers.get("Unsupported")) == (420, "path") and not bound
            server.gateway.close()
        device.gateway.close()
        proxy.close()

    run(scenario())


def test_a_phone_that_does_not_know_paths_is_taken_all_the_same_and_called_by_it() -> None:
    async def scenario() -> None:
        server, device, proxy = house(f"{IP}/32", ping_s=0.0), phone(), RawSocket()
        response = await register(device, server, hop(proxy))
        assert response.status == 200 and response.headers.get("Path") is None
        (bound,) = server.gateway.phones.registrar.bindings("anna", 0.0)
        # Where the REGISTER came from is where the proxy is: here the device plays both.
        server.gateway.registrar.adopt("anna", (bound_at(bound, proxy),))
        server.gateway.dial(OUT, f"sip:anna@{DOMAIN}", IP, 30_000, "sip:+4930@127.0.0.1")
        invite = await proxy.receive()
        assert isinstance(invite, Request) and (invite.method, invite.uri) == ("INVITE", CONTACT)
        assert invite.headers.values("Route") == (hop(proxy),)
        for node in (server, device):
            node.gateway.close()
        proxy.close()

    run(scenario())


def test_a_phone_behind_nat_and_a_balancer_is_asked_by_its_path_and_lost_when_the_balancer_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence is the balancer's: it knows the phones still when it is back."""
    monkeypatch.setattr(registrar, "PING_PATIENCE_S", 0.2)

    async def scenario() -> None:
        server, device, proxy = house(f"{IP}/32", ping_s=0.05, pings_missed=2), phone(), RawSocket()
        await register(device, server, hop(proxy))
        (bound,) = server.gateway.phones.registrar.bindings("anna", 0.0)
        gone = asyncio.Event()
        server.gateway.registrar.keep = lambda _name, bindings: None if bindings else gone.set()
        server.gateway.registrar.adopt("anna", (bound_at(bound, proxy),))
        asked: list[str | None] = []
        while not gone.is_set():
            listening = asyncio.ensure_future(proxy.receive())
            await asyncio.wait({listening, asyncio.ensure_future(gone.wait())}, return_when="FIRST_COMPLETED")
            if not listening.done():
                listening.cancel()
                break
            ping = listening.result()
            assert isinstance(ping, Request) and (ping.method, ping.uri) == ("OPTIONS", CONTACT)
            assert ping.headers.values("Route") == (hop(proxy),)
            if (call_id := ping.headers.get("Call-ID")) not in asked:
                asked.append(call_id)
            if len(asked) == 4:
                await proxy.send(answer(ping, 404), server.address)
            if len(asked) > 4:
                await proxy.send(answer(ping, 408), server.address)
        assert len(asked) >= 6, "three without an answer and an answer of the phone count for nothing"
        for node in (server, device):
            node.gateway.close()
        proxy.close()

    run(scenario())


def bound_at(bound: Binding, proxy: RawSocket) -> Binding:
    """The same, heard from that proxy."""
    return replace(bound, source=Address(IP, proxy.port))
