"""Copies for Homer by TCP and TLS: packets in order, collectors that go and come back, that do not read, or are not
believed."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.certificates import Authority
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.metrics import Counters
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.hep_packet import Captured
from voicegw.gateway.hep_sender import HepSender
from voicegw.gateway.hep_stream import MOST_BYTES, Backoff, HepStream
from voicegw.gateway.tls_config import TlsClientSettings
from voicegw.sip.address import Address

AT_ONCE, NEVER = Backoff(0.0, 0.0), Backoff(60.0, 60.0)
Visit = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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
        counters, visits = Counters(), asyncio.Queue[Visit]()

        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await visits.put((reader, writer))

        server = await asyncio.start_server(visited, "127.0.0.1", 0)
        stream = HepStream("127.0.0.1", server.sockets[0].getsockname()[1], counters, AT_ONCE)
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
        stream = HepStream("127.0.0.1", 1, Counters(), NEVER)
        one = packet(bytes(50_000))
        taken = sum(stream.put(one) for _ in range(100))
        assert taken == MOST_BYTES // len(one)
        await stream.close()

    asyncio.run(story())


def test_a_collector_that_reads_nothing_is_not_waited_for() -> None:
    """Its window is full, so that what was sent cannot leave: the end comes all the same."""

    async def story() -> None:
        visits = asyncio.Queue[Visit]()

        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await visits.put((reader, writer))

        server = await asyncio.start_server(visited, "127.0.0.1", 0, limit=1)
        stream = HepStream("127.0.0.1", server.sockets[0].getsockname()[1], Counters(), NEVER)
        async with asyncio.timeout(60):
            one = packet(bytes(50_000))
            assert stream.put(one)
            _, collector = await visits.get()
            taken = []
            for _ in range(1000):  # 50 MB: neither the kernel nor the queue takes as much
                taken.append(stream.put(one))
                await asyncio.sleep(0)
            assert taken[0] and not taken[-1]
            await stream.close()
            collector.transport.abort()
            server.close()
            await server.wait_closed()

    asyncio.run(story())


def test_the_pause_doubles_until_a_connection_lasts() -> None:
    backoff, pauses = Backoff(1.0, 60.0), [0.0]
    for _ in range(8):
        pauses.append(backoff.next_s(pauses[-1], 0.0))
    assert pauses[1:] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert backoff.next_s(60.0, 59.0) == 60.0
    assert backoff.next_s(60.0, 61.0) == 1.0


# ---------------------------------------------------------------- TLS

CAPTURED = Captured(Address("192.0.2.1", 5060), Address("192.0.2.2", 5060), 1.0, "one@two", b"OPTIONS")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class Watched(Counters):
    """Tells when the collector was not connected to."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = asyncio.Event()

    def add(self, name: str, by: int = 1) -> None:
        super().add(name, by)
        if name == "hep_connects_failed":
            self.failed.set()


async def _told(authority: Authority, names: tuple[str, ...], server_name: str, settings: TlsClientSettings) -> str:
    """What the collector got, or "refused" where we did not talk to it."""
    counters, visits = Watched(), asyncio.Queue[Visit]()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await visits.put((reader, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("homer", *names))
    server = await asyncio.start_server(visited, "127.0.0.1", 0, ssl=context)
    to = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sender = HepSender(HepConfig(to, "tls", settings, server_name), counters)
    try:
        async with asyncio.timeout(30):
            sender.send(CAPTURED)
            visit, refused = asyncio.create_task(visits.get()), asyncio.create_task(counters.failed.wait())
            await asyncio.wait({visit, refused}, return_when=asyncio.FIRST_COMPLETED)
            if not visit.done():
                visit.cancel()
                return "refused"
            refused.cancel()
            reader, writer = visit.result()
            told = await read(reader)
            writer.close()
            return "told" if b"one@two" in told else ""
    finally:
        await sender.close()
        server.close()
        await server.wait_closed()


def test_tls_with_the_right_name(authority: Authority) -> None:
    trusted = TlsClientSettings(ca=authority.ca)
    assert asyncio.run(_told(authority, ("127.0.0.1",), "", trusted)) == "told"
    assert asyncio.run(_told(authority, ("homer.example",), "homer.example", trusted)) == "told"


def test_a_collector_that_is_not_believed_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    trusted, others = TlsClientSettings(ca=authority.ca), Authority(tmp_path / "others")
    assert asyncio.run(_told(authority, ("homer.example",), "", trusted)) == "refused"
    assert asyncio.run(_told(others, ("127.0.0.1",), "", trusted)) == "refused"
    assert asyncio.run(_told(others, ("elsewhere",), "", TlsClientSettings(verify=False))) == "told"


def test_settings_of_tls(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="transport: tls"):
        HepConfig("homer:9060", "tcp", server_name="homer")
    with pytest.raises(ConfigError, match="udp, tcp, tls"):
        HepConfig("homer:9060", "sctp")
    placed = HepConfig("homer:9060", "tls", TlsClientSettings(ca="ca.pem")).placed(tmp_path)
    with pytest.raises(LocalError, match=r"ca\.pem cannot be used for TLS"):
        HepSender(placed, Counters())
