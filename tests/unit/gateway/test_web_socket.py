"""SIP over WebSocket (RFC 7118) with the client of ``websockets``, and with bytes that are none."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.unit.gateway.nodes import Node, run, until
from tests.unit.gateway.stream_peer import StreamPeer, request
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegAnswered, LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.sip.address import Address, Transport
from voicegw.sip.counters import SipCounter
from voicegw.sip.incoming import read_request
from voicegw.sip.message import Request, Response, serialize
from voicegw.sip.parser import parse
from voicegw.sip.reply import make_response

SIP = [Subprotocol("sip")]


def web(*origins: str) -> SipConfig:
    return SipConfig(listeners=(ListenerConfig("ws", 0, "127.0.0.1", origins=origins),))


def url(node: Node) -> str:
    return f"ws://127.0.0.1:{node.address.port}/"


def test_requests_as_messages_whole_and_in_fragments() -> None:
    async def scenario() -> None:
        node = Node(config=web())
        async with connect(url(node), subprotocols=SIP) as socket:
            assert socket.subprotocol == "sip"
            data = request(transport="WS", length="")
            for message in (data.decode(), data.replace(b"bK1", b"bK2"), [data[:40].decode(), data[40:].decode()]):
                await socket.send(message)
                response = parse(str(await socket.recv()).encode())
                assert isinstance(response, Response)
                assert response.status == 200
                assert response.headers.get("Contact") == f"<sip:127.0.0.1:{node.address.port};transport=ws>"
            await socket.send("\r\n\r\n")
            assert await socket.recv() == "\r\n"
            await (await socket.ping())
        await until(lambda: not len(node.wire.connections))
        node.gateway.close()

    run(scenario())


def test_a_browser_is_called_back_on_its_connection_only() -> None:
    """Its Contact is a name that nobody can look up (RFC 7118 §5): the connection is the only way there."""

    async def scenario() -> None:
        node = Node(config=web())
        async with connect(url(node), subprotocols=SIP) as socket:
            invite = request(
                "INVITE", "Contact: <sip:x@df7jal23ls0d.invalid;transport=ws>", transport="WS", length=""
            )
            invite = invite.replace(b"127.0.0.1:5999", b"df7jal23ls0d.invalid")
            await socket.send(invite.decode())
            assert str(await socket.recv()).startswith("SIP/2.0 100")
            leg = (await node.expect(LegInvited)).leg_id
            node.gateway.accept(leg, "127.0.0.1", 4000)
            ok = parse(str(await socket.recv()).encode())
            assert isinstance(ok, Response) and ok.status == 200
            tag = (ok.headers.get("To") or "").partition(";tag=")[2]
            ack = request("ACK", transport="WS", branch="ack", length="").replace(b"Call-ID: ack", b"Call-ID: 1")
            ack = ack.replace(b"To: <sip:demo@127.0.0.1>", f"To: <sip:demo@127.0.0.1>;tag={tag}".encode())
            await socket.send(ack.decode())
            await node.expect(LegConfirmed)
            node.gateway.hangup(leg, HangupCause.CALLER_HANGUP)
            bye = parse(str(await socket.recv()).encode())
            assert isinstance(bye, Request) and bye.method == "BYE"
            incoming = read_request(bye, Address("127.0.0.1", 1, Transport.WS))
            await socket.send(serialize(make_response(incoming, 200, "")).decode())
            await node.expect(LegEnded)
        node.gateway.close()

    run(scenario())


def test_a_node_calls_a_node_over_web_socket() -> None:
    async def scenario() -> None:
        caller, called = Node(config=web()), Node(config=web())
        target = f"sip:demo@127.0.0.1:{called.address.port};transport=ws"
        caller.gateway.dial(LegId("out"), target, "127.0.0.1", 4000, "sip:a@127.0.0.1")
        invited = await called.expect(LegInvited)
        called.gateway.accept(invited.leg_id, "127.0.0.1", 4002)
        await caller.expect(LegAnswered)
        await called.expect(LegConfirmed)
        caller.gateway.hangup(LegId("out"), HangupCause.CALLER_HANGUP)
        await called.expect(LegEnded)
        await caller.expect(LegEnded)
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_only_sip_is_spoken_and_only_to_the_pages_that_may() -> None:
    async def scenario() -> None:
        node = Node(config=web("https://console.example.com"))
        with pytest.raises(InvalidStatus, match="400"):
            async with connect(url(node), origin="https://console.example.com"):  # type: ignore[arg-type]
                pass
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(url(node), subprotocols=SIP, origin="https://evil.example"):  # type: ignore[arg-type]
                pass
        async with connect(url(node), subprotocols=SIP, origin="https://console.example.com") as good:  # type: ignore[arg-type]
            await good.send(request(transport="WS").decode())
            assert str(await good.recv()).startswith("SIP/2.0 200")
        assert node.counters.get(SipCounter.STREAM_BROKEN) == 2
        node.gateway.close()

    run(scenario())


@pytest.mark.parametrize(
    "data", [b"\x00" * 30, b"GET / HTTP/1.0\r\n\r\n", request(), b"GET /" + b"x" * 9000 + b"\r\n", b"\xff" * 999]
)
def test_what_is_no_web_socket_is_refused_and_closed(data: bytes) -> None:
    async def scenario() -> None:
        node = Node(config=web())
        async with StreamPeer(node.address) as peer:
            peer.send(data)
            peer.writer.write_eof()
            await peer.ended()
        await until(lambda: not len(node.wire.connections))
        node.gateway.close()

    run(scenario())


def test_a_message_beyond_the_limit_ends_the_connection() -> None:
    async def scenario() -> None:
        node = Node(config=web())
        async with connect(url(node), subprotocols=SIP) as socket:
            with pytest.raises(ConnectionClosed, match="1009"):
                await socket.send("x" * 400_000)
                await socket.recv()
        assert node.counters.get(SipCounter.STREAM_BROKEN) == 1
        node.gateway.close()

    run(scenario())
