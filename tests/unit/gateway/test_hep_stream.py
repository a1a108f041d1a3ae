"""Copies for Homer by TCP: packets in order, a collector that goes and comes back, one that does not read."""

from __future__ import annotations

import asyncio

from voicegw.base.metrics import Counters
from voicegw.gateway.hep_stream import MOST_BYTES, HepStream


def packet(text: bytes) -> bytes:
    """With the head of HEP version 3, whose length counts itself."""
    return b"HEP3" + (6 + len(text)).to_bytes(2, "big") + text


async def read(reader: asyncio.StreamReader) -> bytes:
    """The next packet, by its own length."""
    head = await reader.readexactly(6)
    assert head[:4] == b"HEP3"
    return await reader.readexactly(int.from_bytes(head[4:], "big") - 6)


def test_packets_reach_a_collector_that_was_away_for_a_while() -> None:
    async def story() -> None:
        counters, visits = Counters(), asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()

        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await visits.put((reader, writer))

        server = await asyncio.start_server(visited, "127.0.0.1", 0)
        stream = HepStream("127.0.0.1", server.sockets[0].getsockname()[1], counters, again_s=0.0)
        async with asyncio.timeout(30):
            assert stream.put(packet(b"one")) and stream.put(packet(b"two"))
            reader, writer = await visits.get()
            assert [await read(reader), await read(reader)] == [b"one", b"two"]
            writer.close()
            await writer.wait_closed()
            reader, again = await visits.get()
            assert stream.put(packet(b"three")) and await read(reader) == b"three"
            assert counters.snapshot()["hep_connections_lost"] == 1
            await stream.close()
            again.close()
            await again.wait_closed()
            server.close()
            await server.wait_closed()

    asyncio.run(story())


def test_what_waits_for_nobody_is_bounded() -> None:
    async def story() -> None:
        stream = HepStream("127.0.0.1", 1, Counters(), again_s=60.0)
        one = packet(bytes(50_000))
        taken = sum(stream.put(one) for _ in range(100))
        assert taken == MOST_BYTES // len(one)
        await stream.close()

    asyncio.run(story())
