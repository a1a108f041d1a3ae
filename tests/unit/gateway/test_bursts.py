"""Bursts on a stream (INTEROP, INVITEs of death): thousands in one write, byte by byte, and torture."""

from __future__ import annotations

from tests.unit.gateway.nodes import Node, run
from tests.unit.gateway.stream_peer import StreamPeer, request
from tests.unit.gateway.torture import OWN_VECTORS, vectors

BURST = 2000


def test_two_thousand_requests_in_one_write_are_all_answered_in_order() -> None:
    async def scenario() -> None:
        node = Node()
        async with StreamPeer(node.address) as peer:
            peer.send(b"".join(request(branch=str(number)) for number in range(BURST)))
            for number in range(BURST):
                assert (await peer.response()).headers.get("Call-ID") == str(number)
        node.gateway.close()

    run(scenario())


def test_a_request_that_comes_byte_by_byte_is_answered_once() -> None:
    async def scenario() -> None:
        node = Node()
        async with StreamPeer(node.address) as peer:
            for byte in request(branch="slow"):
                peer.send(bytes([byte]))
                await peer.writer.drain()
            assert (await peer.response()).status == 200
        node.gateway.close()

    run(scenario())


def test_torture_messages_end_no_more_than_their_own_connection() -> None:
    async def scenario() -> None:
        node = Node()
        async with StreamPeer(node.address) as bystander:
            for data in vectors(OWN_VECTORS, "*.sip").values():
                async with StreamPeer(node.address) as peer:
                    peer.send(data)
                    peer.writer.write_eof()
                    await peer.ended()
            bystander.send(request(branch="after"))
            assert (await bystander.response()).status == 200
        async with StreamPeer(node.address) as newcomer:
            newcomer.send(request(branch="new"))
            assert (await newcomer.response()).status == 200
        node.gateway.close()

    run(scenario())
