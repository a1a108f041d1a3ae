"""SIP over TCP through real sockets: framing, keep-alives, deadlines, bounds, reuse."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.unit.gateway.nodes import Node, run, until
from tests.unit.gateway.stream_peer import StreamPeer, request
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.connections import ConnectionLimits
from voicegw.gateway.events import LegAnswered, LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.stream_messages import SipStream
from voicegw.sip.address import Address, Transport
from voicegw.sip.counters import SipCounter
from voicegw.sip.headers import Via
from voicegw.testing.manual_clock import ManualClock

STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12


def limited(**limits: float) -> SipConfig:
    return SipConfig(listen_ip="127.0.0.1", listen_port=0, connections=ConnectionLimits(**limits))  # type: ignore[arg-type]


async def sweep(node: Node, clock: ManualClock, seconds: float) -> None:
    """Let time pass for the deadlines."""
    clock.advance(seconds)
    node.wire.connections._sweep()


def test_torn_and_pipelined_requests_are_answered_in_order_on_their_connection() -> None:
    async def scenario() -> None:
        node = Node()
        async with StreamPeer(node.address) as peer:
            stream = b"".join(request(branch=str(number)) for number in range(20))
            for start in range(0, len(stream), 97):
                peer.send(stream[start : start + 97])
                await peer.writer.drain()
            for number in range(20):
                response = await peer.response()
                assert response.status == 200
                assert response.headers.get("Call-ID") == str(number)
            via = Via.parse(response.headers.get("Via") or "")
            assert via.rport == peer.writer.get_extra_info("sockname")[1]
            contact = f"<sip:127.0.0.1:{node.address.port};transport=tcp>"
            assert response.headers.get("Contact") == contact
        node.gateway.close()

    run(scenario())


def test_keep_alives_and_stun_are_answered() -> None:
    async def scenario() -> None:
        node = Node()
        async with StreamPeer(node.address) as peer:
            peer.send(b"\r\n\r\n")
            assert await peer.reader.readexactly(2) == b"\r\n"
            peer.send(STUN)
            assert (await peer.reader.readexactly(32))[:2] == b"\x01\x01"
            peer.send(request())
            assert (await peer.response()).status == 200
        assert node.counters.get(SipCounter.STUN) == 1
        node.gateway.close()

    run(scenario())


def test_stun_on_the_datagram_port() -> None:
    async def scenario() -> None:
        node = Node()
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.bind(("127.0.0.1", 0))
            await loop.sock_sendto(peer, STUN, node.address.place)
            answer = await loop.sock_recv(peer, 100)
            port = int.from_bytes(answer[26:28], "big") ^ 0x2112
            assert port == peer.getsockname()[1]
        node.gateway.close()

    run(scenario())


@pytest.mark.parametrize(
    ("message", "status"),
    [(request(length=""), 400), (request(length="999999"), 513), (request(length="x"), 400)],
)
def test_a_stream_whose_next_message_cannot_be_found_is_answered_and_closed(message: bytes, status: int) -> None:
    async def scenario() -> None:
        node = Node()
        async with StreamPeer(node.address) as peer:
            peer.send(message + request(branch="hidden"))
            assert (await peer.response()).status == status
            assert await peer.ended() == b""
        assert node.counters.get(SipCounter.STREAM_BROKEN) == 1
        async with StreamPeer(node.address) as other:
            other.send(request())
            assert (await other.response()).status == 200
        node.gateway.close()

    run(scenario())


def test_a_message_that_takes_too_long_ends_its_connection_and_no_other() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        node = Node(config=limited(), clock=clock)
        async with StreamPeer(node.address) as slow, StreamPeer(node.address) as good:
            slow.send(request() + request()[:50])
            good.send(request())
            assert (await slow.response()).status == 200
            assert (await good.response()).status == 200
            await sweep(node, clock, 4.9)
            assert len(node.wire.connections) == 2
            slow.send(b"one more byte is no excuse")
            good.send(request(branch="2"))
            assert (await good.response()).status == 200
            await sweep(node, clock, 0.2)
            assert await slow.ended() == b""
            good.send(request(branch="3"))
            assert (await good.response()).status == 200
        assert node.counters.get(SipCounter.STREAM_SLOW) == 1
        node.gateway.close()

    run(scenario())


def test_who_says_nothing_or_nothing_more_is_closed() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        node = Node(config=limited(idle_s=100), clock=clock)
        async with StreamPeer(node.address) as silent, StreamPeer(node.address) as idle:
            idle.send(request())
            await idle.response()
            await until(lambda: len(node.wire.connections) == 2)
            await sweep(node, clock, 31)
            assert await silent.ended() == b""
            assert len(node.wire.connections) == 1
            await sweep(node, clock, 70)
            assert await idle.ended() == b""
        assert node.counters.get(SipCounter.STREAM_IDLE) == 2
        node.gateway.close()

    run(scenario())


def test_one_address_gets_only_so_many_connections() -> None:
    async def scenario() -> None:
        node = Node(config=limited(per_address=3))
        peers = [StreamPeer(node.address) for _ in range(4)]
        for peer in peers[:3]:
            await peer.__aenter__()
            peer.send(request())
            assert (await peer.response()).status == 200
        async with peers[3] as fourth:
            assert await fourth.ended() == b""
        assert node.counters.get(SipCounter.CONNECTION_REFUSED) == 1
        await peers[0].__aexit__(None, None, None)
        await until(lambda: len(node.wire.connections) == 2)
        async with StreamPeer(node.address) as again:
            again.send(request())
            assert (await again.response()).status == 200
        for peer in peers[1:3]:
            await peer.__aexit__(None, None, None)
        node.gateway.close()

    run(scenario())


def test_one_ipv6_subscriber_gets_no_more_connections_by_more_of_its_addresses() -> None:
    async def scenario() -> None:
        node = Node(config=limited(per_address=2))
        connections, far = node.wire.connections, [listening := socket.create_server(("127.0.0.1", 0))]

        def accept(host: str) -> None:
            far.append(socket.create_connection(listening.getsockname()))
            ours, _ = listening.accept()
            ours.setblocking(False)
            connections.accept(ours, Address(host, 5060, Transport.TCP), (SipStream(), None), 0)

        for number in range(4):
            accept(f"2001:db8::{number}")
        assert len(connections) == 2
        accept("2001:db8:0:1::1")
        accept("192.0.2.1")
        assert len(connections) == 4
        connections.close_from("2001:db8::1")
        await until(lambda: len(connections) == 3)
        accept("2001:db8::9")
        assert len(connections) == 4
        node.gateway.close()
        for one in far:
            one.close()

    run(scenario())


def test_when_all_are_taken_one_that_never_spoke_goes() -> None:
    async def scenario() -> None:
        node = Node(config=limited(total=2))
        async with StreamPeer(node.address) as scan, StreamPeer(node.address) as phone:
            phone.send(request())
            await phone.response()
            async with StreamPeer(node.address) as another:
                another.send(request())
                assert (await another.response()).status == 200
                assert await scan.ended() == b""
                async with StreamPeer(node.address) as refused:
                    assert await refused.ended() == b""
        node.gateway.close()

    run(scenario())


def test_who_does_not_read_is_cut_off() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        node = Node(config=limited(), clock=clock)
        loop = asyncio.get_running_loop()
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            await loop.sock_connect(peer, node.address.place)
            await loop.sock_sendall(peer, request())
            await until(lambda: node.counters.get(SipCounter.RECEIVED) == 1)
            connection = node.wire.connections.by_flow(3)
            assert connection is not None
            await until(lambda: not connection.send(b"x" * 100_000))
            node.wire.send(b"x", connection.peer)
            assert node.counters.get(SipCounter.SEND_DROPPED) == 1
            await sweep(node, clock, 1)
            await sweep(node, clock, 10.5)
            assert len(node.wire.connections) == 0
        assert node.counters.get(SipCounter.STREAM_SLOW) == 1
        node.gateway.close()

    run(scenario())


async def answer(called: Node, invited: LegInvited) -> None:
    called.gateway.ring(invited.leg_id)
    called.gateway.accept(invited.leg_id, "127.0.0.1", 4002)
    await called.expect(LegConfirmed)


def test_a_call_over_one_connection_and_its_end_from_the_called_side() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        target = f"sip:demo@127.0.0.1:{called.address.port};transport=tcp"
        caller.gateway.dial(LegId("out"), target, "127.0.0.1", 4000, "sip:a@127.0.0.1")
        invited = await called.expect(LegInvited)
        await answer(called, invited)
        while not isinstance(await caller.events.get(), LegAnswered):
            pass
        called.gateway.hangup(invited.leg_id, HangupCause.CALLER_HANGUP)
        assert (await caller.expect(LegEnded)).leg_id == LegId("out")
        await called.expect(LegEnded)
        assert caller.counters.get(SipCounter.CONNECTIONS_OUT) == 1
        assert called.counters.get(SipCounter.CONNECTIONS_OUT) == 0, (
            "the BYE must take the connection that is there"
        )
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_a_dialog_outlives_its_connection() -> None:
    """The connection dies in mid-call: the next request opens one to the Contact (RFC 5923, RFC 3261 §12.2.1.1)."""

    async def scenario() -> None:
        caller, called = Node(), Node()
        target = f"sip:demo@127.0.0.1:{called.address.port};transport=tcp"
        caller.gateway.dial(LegId("out"), target, "127.0.0.1", 4000, "sip:a@127.0.0.1")
        invited = await called.expect(LegInvited)
        await answer(called, invited)
        while not isinstance(await caller.events.get(), LegAnswered):
            pass
        caller.wire.connections.close()
        await until(lambda: not len(called.wire.connections))
        called.gateway.hangup(invited.leg_id, HangupCause.CALLER_HANGUP)
        await caller.expect(LegEnded)
        await called.expect(LegEnded)
        assert called.counters.get(SipCounter.CONNECTIONS_OUT) == 1
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_nobody_listens_there() -> None:
    async def scenario() -> None:
        node = Node()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            target = f"sip:x@127.0.0.1:{port};transport=tcp"
            node.gateway.dial(LegId("out"), target, "127.0.0.1", 4000, "sip:a@127.0.0.1")
            ended = await node.expect(LegEnded)
        assert ended.cause is HangupCause.CONNECTION_FAILED
        assert node.counters.get(SipCounter.CONNECT_FAILED) == 1
        node.gateway.close()

    run(scenario())


def test_a_reset_fails_what_waits_for_an_answer() -> None:
    async def scenario() -> None:
        node = Node()
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_server(lambda _reader, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = f"sip:x@127.0.0.1:{port};transport=tcp"
        node.gateway.dial(LegId("out"), target, "127.0.0.1", 4000, "sip:a@127.0.0.1")
        writer = await accepted.get()
        writer.transport.abort()
        assert (await node.expect(LegEnded)).cause is HangupCause.CONNECTION_FAILED
        server.close()
        node.gateway.close()

    run(scenario())


def test_answers_leave_by_the_socket_that_was_asked() -> None:
    async def scenario() -> None:
        config = SipConfig(
            listeners=(
                ListenerConfig("udp", 0, "127.0.0.1"),
                ListenerConfig("udp", 0, "127.0.0.2", advertised_name="sip.example.com", advertised_port=5999),
                ListenerConfig("udp", 0, "::1"),
            )
        )
        node = Node(config=config)
        loop = asyncio.get_running_loop()
        for bound, host, contact in zip(
            node.wire.bound,
            ("127.0.0.1", "127.0.0.2", "::1"),
            (None, "<sip:sip.example.com:5999>", f"<sip:[::1]:{node.wire.bound[2].port}>"),
            strict=True,
        ):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as peer:
                peer.setblocking(False)
                peer.bind((host, 0))
                await loop.sock_sendto(peer, request(transport="UDP", branch=host), bound.place)
                data, source = await loop.sock_recvfrom(peer, 65_535)
            assert source[:2] == bound.place
            assert contact is None or f"Contact: {contact}\r\n".encode() in data
        node.gateway.close()

    run(scenario())


def test_a_listener_that_is_taken_is_named() -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(Exception, match=f"TCP 127.0.0.1:{port}"):
                Node(config=SipConfig(listen_ip="127.0.0.1", listen_port=port))

    run(scenario())


def test_browsers_are_not_dialled() -> None:
    async def scenario() -> None:
        failed: list[Address] = []
        node = Node()
        node.wire.connections._receiver.failed = failed.append  # type: ignore[method-assign]
        gone = Address("127.0.0.1", 9, Transport.WS, flow=77)
        node.wire.send(b"BYE", gone)
        await asyncio.sleep(0)
        assert failed == [gone]
        node.gateway.close()

    run(scenario())
