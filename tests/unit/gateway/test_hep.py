"""Copies of SIP messages for Homer."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.gateway import hep_sender
from voicegw.gateway.blotting import without_secrets
from voicegw.gateway.hep import HepTap
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.hep_packet import Captured, HepIdentity, hep_packet
from voicegw.gateway.hep_sender import HepSender
from voicegw.sip.address import Address, Transport
from voicegw.testing.manual_clock import ManualClock

PEER, HERE = Address("192.0.2.1", 5070), Address("192.0.2.9", 5060)
MESSAGE = (
    b'OPTIONS sip:a@b SIP/2.0\r\nCall-ID: one@two\r\nAuthorization: Digest nonce="n",\r\n response="r"\r\n\r\n'
)


def chunks(packet: bytes) -> dict[int, bytes]:
    assert packet[:4] == b"HEP3" and struct.unpack("!H", packet[4:6])[0] == len(packet)
    found, at = {}, 6
    while at < len(packet):
        vendor, kind, length = struct.unpack("!HHH", packet[at : at + 6])
        assert vendor == 0 and length >= 6
        found[kind] = packet[at + 6 : at + length]
        at += length
    assert at == len(packet)
    return found


def test_a_packet() -> None:
    found = chunks(
        hep_packet(HepIdentity(2001, b"secret"), Captured(PEER, HERE, 1_700_000_000.25, "one@two", MESSAGE))
    )
    assert (found[1], found[2]) == (b"\x02", b"\x11")
    assert (found[3], found[4]) == (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 9]))
    assert struct.unpack("!HH", found[7] + found[8]) == (5070, 5060)
    assert struct.unpack("!II", found[9] + found[10]) == (1_700_000_000, 250_000)
    assert (found[11], struct.unpack("!I", found[12])[0]) == (b"\x01", 2001)
    assert (found[14], found[15], found[17]) == (b"secret", MESSAGE, b"one@two")


def test_a_packet_of_ipv6_over_tls() -> None:
    peer = Address("2001:db8::1", 5061, Transport.TLS)
    here = Address("2001:db8::9", 5061, Transport.TLS)
    found = chunks(hep_packet(HepIdentity(1), Captured(peer, here, 1.0, "c", b"x")))
    assert (found[1], found[2], len(found[5]), len(found[6])) == (b"\x0a", b"\x06", 16, 16)
    assert 14 not in found and 3 not in found


@pytest.mark.parametrize(
    ("source", "message"), [(Address("a.example", 1), b""), (Address("::1", 1), b""), (PEER, bytes(70_000))]
)
def test_what_cannot_be_copied(source: Address, message: bytes) -> None:
    with pytest.raises(ValueError):
        hep_packet(HepIdentity(1), Captured(source, HERE, 1.0, "c", message))


def test_a_call_id_that_is_too_long_harms_no_message() -> None:
    """It may be as long as its message (RFC 3261 §8.1.1.4 has no limit)."""

    async def story() -> None:
        counters = Counters()
        sender = HepSender(HepConfig("127.0.0.1:9"), counters)
        message = MESSAGE.replace(b"one@two", b"1" * 40_000)
        HepTap(sender, lambda _peer: HERE, ManualClock()).received(message, PEER)
        await sender.close()
        assert counters.snapshot() == {"hep_packets_dropped": 1}

    asyncio.run(story())


def test_secrets_are_blotted_out_and_nothing_moves() -> None:
    sdp = b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20\r\na=sendrecv\r\n"
    blotted = without_secrets(MESSAGE + sdp)
    assert len(blotted) == len(MESSAGE + sdp)
    for secret in (b"nonce", b"response", b"inline", b"abc"):
        assert secret not in blotted
    assert blotted.endswith(b"\r\na=sendrecv\r\n") and b"Call-ID: one@two\r\nAuthorization:" in blotted
    assert without_secrets(b"SIP/2.0 200 OK\r\n\r\n") == b"SIP/2.0 200 OK\r\n\r\n"


def test_it_sends_drops_and_counts() -> None:
    async def story() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
            homer.bind(("127.0.0.1", 0))
            homer.settimeout(30)
            counters = Counters()
            place = f"127.0.0.1:{homer.getsockname()[1]}"
            sender = HepSender(HepConfig(place), counters)
            tap = HepTap(sender, lambda _peer: HERE, ManualClock())
            tap.received(MESSAGE, PEER)
            tap.sent(MESSAGE, PEER)
            came, went = chunks(homer.recv(65536)), chunks(homer.recv(65536))
            assert came[3] == went[4] == bytes([192, 0, 2, 1])
            assert b"nonce" not in came[15]
            tap.sent(bytes(70_000), PEER)
            await sender.close()
            tap.sent(MESSAGE, PEER)
            assert counters.snapshot() == {"hep_packets_sent": 2, "hep_packets_dropped": 2}

    asyncio.run(story())


NOWHERE = "255.255.255.255"
"""Nobody may connect there without asking the kernel first."""


def test_a_collector_to_whom_no_way_leads_does_not_stop_a_message() -> None:
    async def story() -> None:
        counters = Counters()
        sender = HepSender(HepConfig(f"{NOWHERE}:9060"), counters)
        HepTap(sender, lambda _peer: HERE, ManualClock()).received(MESSAGE, PEER)
        await sender.close()
        assert counters.snapshot() == {"hep_packets_dropped": 1}

    asyncio.run(story())


def test_a_name_that_leads_nowhere_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hep_sender, "LOOK_AGAIN_S", 0.0)

    async def story() -> None:
        asked = asyncio.Event()
        found = iter([NOWHERE, "127.0.0.1"])

        async def getaddrinfo(_host: str, port: int, **_kind: object) -> list[tuple[object, ...]]:
            place = next(found)
            if place != NOWHERE:
                asked.set()
            return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (place, port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        sender = HepSender(HepConfig("homer.example:9060"), Counters())
        HepTap(sender, lambda _peer: HERE, ManualClock()).received(MESSAGE, PEER)
        async with asyncio.timeout(30):
            await asked.wait()
        await sender.close()

    asyncio.run(story())


def test_settings() -> None:
    assert HepConfig("[2001:db8::5]:9060").place == ("2001:db8::5", 9060)
    for wrong in ("homer", "homer:0", ":9060", "homer:x", f"{'h' * 64}:9060", "ho..mer:9060"):
        with pytest.raises(ConfigError):
            HepConfig(wrong)
