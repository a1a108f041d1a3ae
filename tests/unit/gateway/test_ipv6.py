"""IPv6 beside IPv4: in brackets where an address stands in a message, bare where it is used (RFC 5118)."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.unit.gateway.nodes import Node, run, sdp
from tests.unit.gateway.stream_peer import StreamPeer, request
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegAnswered, LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.sip.address import Address
from voicegw.sip.headers import Via
from voicegw.sip.message import Response
from voicegw.sip.parser import parse


def dual() -> SipConfig:
    return SipConfig(
        listeners=tuple(ListenerConfig(kind, 0, ip) for ip in ("127.0.0.1", "::1") for kind in ("udp", "tcp"))
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_by_ipv6(transport: str) -> None:
    async def scenario() -> None:
        caller, called = Node(config=dual()), Node(config=dual())
        port = next(
            address.port
            for address in called.wire.bound
            if address.host == "::1" and address.transport.value.lower() == transport
        )
        target = f"sip:demo@[::1]:{port};transport={transport}"
        assert await caller.gateway.media_route(target) == ("::1", "::1")
        caller.gateway.dial(LegId("out"), target, "::1", 4000, "sip:a@[::1]")
        invited = await called.expect(LegInvited)
        assert called.gateway.media_address(invited.leg_id) == "::1"
        session = called.gateway.accept(invited.leg_id, "::1", 4002)
        assert session is not None and session.remote_ip == "::1"
        answered = await caller.expect(LegAnswered)
        assert answered.session.remote_ip == "::1"
        await called.expect(LegConfirmed)
        called.gateway.hangup(invited.leg_id, HangupCause.CALLER_HANGUP)
        await caller.expect(LegEnded)
        await called.expect(LegEnded)
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


@pytest.mark.parametrize("received", ["2001:db8::9:1", "[2001:db8::9:1]"])
def test_received_with_and_without_brackets(received: str) -> None:
    """RFC 5118 §4.5 allows both to be read; we write it without, as its grammar has it."""
    via = Via.parse(f"SIP/2.0/UDP [2001:db8::9:1]:5060;received={received};branch=z9hG4bK1")
    assert via.received == "2001:db8::9:1"
    assert ";received=2001:db8::9:255;" in str(via.with_source("2001:db8::9:255", 5061))


def test_an_answer_tells_the_source_that_it_saw() -> None:
    async def scenario() -> None:
        node = Node(config=dual())
        place = next(address for address in node.wire.bound if address.host == "::1")
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.bind(("::1", 0))
            data = request(transport="UDP").replace(b"127.0.0.1:5999", b"[2001:db8::5]:5060")
            await loop.sock_sendto(peer, data, place.place)
            response = parse(await loop.sock_recv(peer, 65_535))
            assert isinstance(response, Response)
            via = Via.parse(response.headers.get("Via") or "")
            assert (via.received, via.rport) == ("::1", peer.getsockname()[1])
            assert response.headers.get("Contact") == f"<sip:[::1]:{place.port}>"
        async with StreamPeer(node.wire.bound[3], host="::1") as stream:
            stream.send(request())
            contact = (await stream.response()).headers.get("Contact")
            assert contact == f"<sip:[::1]:{node.wire.bound[3].port};transport=tcp>"
        node.gateway.close()

    run(scenario())


def test_media_of_the_other_family_than_the_signalling() -> None:
    """RFC 6157: an edge signals by IPv6 and has its media by IPv4."""

    async def scenario() -> None:
        node = Node(config=dual())
        place = next(address for address in node.wire.bound if address.host == "::1")
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.bind(("::1", 0))
            body = sdp(4000, ip="127.0.0.1")
            extra = ("Contact: <sip:c@[::1]:5999>", "Content-Type: application/sdp")
            invite = request("INVITE", *extra, transport="UDP", length=str(len(body))) + body
            await loop.sock_sendto(peer, invite, place.place)
            leg = (await node.expect(LegInvited)).leg_id
            assert node.gateway.media_address(leg) == "127.0.0.1"
            assert node.gateway.media_bind_address(leg) == "127.0.0.1"
            session = node.gateway.accept(leg, "127.0.0.1", 4002)
            assert session is not None and session.remote_ip == "127.0.0.1"
        node.gateway.close()

    run(scenario())


def test_addresses_are_written_in_brackets() -> None:
    assert str(Address("2001:db8::1", 5060)) == "[2001:db8::1]:5060"
