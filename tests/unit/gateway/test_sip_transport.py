"""The real UDP socket: nothing that arrives or fails ends it."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.gateway.sip_transport import MAX_UNSENT, SipTransport
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter


def test_hostile_datagrams_leave_the_node_answering() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        noise = random.Random(3)
        for port in ("99999", "0", "65536"):
            via = f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}"
            await peer.send(peer.request("OPTIONS", via=via), node.address)
        for size in (0, 1, 100, 1500, 65_507):
            await peer.send(noise.randbytes(size), node.address)
        await peer.is_answered(node)
        assert node.counters.get(SipCounter.RECEIVED) == 9
        node.gateway.close()
        peer.close()

    run(scenario())


def test_a_message_of_64_kb_is_read_whole() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        filler = "X-Filler: " + "f" * 1000
        data = peer.request("OPTIONS", *[filler] * 60)
        assert len(data) > 60_000
        await peer.send(data, node.address)
        await peer.response(200)
        node.gateway.close()
        peer.close()

    run(scenario())


class Fragile:
    """A socket whose next reading fails as CPython and kernels have been seen to fail."""

    def __init__(self, real: socket.socket, error: OSError) -> None:
        self.real = real
        self.error: OSError | None = error

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self.real.recvfrom(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


@pytest.mark.parametrize(
    ("error", "reopened"), [(OSError(9, "bad descriptor"), 1), (ConnectionRefusedError(111, "refused"), 0)]
)
def test_a_failing_socket_is_opened_again_on_the_same_port(error: OSError, reopened: int) -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        transport = node.gateway._driver.wire._listeners[0].udp
        assert transport is not None
        assert transport._socket is not None
        transport._socket = Fragile(transport._socket, error)  # type: ignore[assignment]
        transport._readable()
        await peer.is_answered(node)
        assert node.counters.get(SipCounter.SOCKET_REOPENED) == reopened
        node.gateway.close()
        peer.close()

    run(scenario())


def test_what_the_kernel_refuses_to_send_is_reported_and_counted() -> None:
    async def scenario() -> None:
        failed: asyncio.Queue[Address] = asyncio.Queue()
        counters = Counters()
        transport = SipTransport(Address("127.0.0.1", 0), lambda *_: None, failed.put_nowait, counters)
        transport.open()
        for destination, data in [(Address("::1", 5060), b"x"), (Address("127.0.0.1", 5060), b"x" * 65_536)]:
            transport.send(data, destination)
            assert await failed.get() == destination
        assert counters.get(SipCounter.TRANSPORT_ERROR) == 2
        transport.close()
        transport.send(b"x", Address("127.0.0.1", 5060))
        assert counters.get(SipCounter.SEND_DROPPED) == 1

    run(scenario())


class Full:
    """A socket whose send buffer is full until it is told otherwise."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.full = True

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        if self.full:
            raise BlockingIOError
        return self.real.sendto(data, address)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


def test_while_the_buffer_is_full_datagrams_wait_in_order_and_in_bounds() -> None:
    async def scenario() -> None:
        counters, peer = Counters(), RawSocket()
        transport = SipTransport(Address("127.0.0.1", 0), lambda *_: None, lambda _: None, counters)
        transport.open()
        assert transport._socket is not None
        full = Full(transport._socket)
        transport._socket = full  # type: ignore[assignment]
        there = Address("127.0.0.1", peer.port)
        for number in range(MAX_UNSENT + 5):
            transport.send(b"%d" % number, there)
        assert counters.get(SipCounter.SEND_DROPPED) == 5
        full.full = False
        loop = asyncio.get_running_loop()
        assert [await loop.sock_recv(peer.socket, 100) for _ in range(3)] == [b"0", b"1", b"2"]
        transport.close()
        peer.close()

    run(scenario())


def test_a_port_that_is_taken_is_our_own_mistake() -> None:
    async def scenario() -> None:
        peer = RawSocket()
        transport = SipTransport(Address("127.0.0.1", peer.port), lambda *_: None, lambda _: None, Counters())
        with pytest.raises(LocalError, match="cannot listen"):
            transport.open()
        peer.close()

    run(scenario())
