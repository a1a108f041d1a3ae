"""SRTP by the library against the RFCs, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.rtp.srtp_reference import Reference, derived
from voicegw.base.errors import LocalError
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.rtp.packet import RtpPacket
from voicegw.rtp.rtcp import ReceiverReport, SourceDescription, build_compound
from voicegw.rtp.srtp import (
    FORGED,
    REPLAYED,
    SEAL_BYTES,
    SrtpKey,
    SrtpReceiver,
    SrtpSender,
    available_suites,
    seal_place,
)

AES_128 = "AES_CM_128_HMAC_SHA1_80"
TAGS = {"_80": 10, "_32": 4, "GCM": 16}
REPORT = build_compound([ReceiverReport(7), SourceDescription(7, "someone@here")])


def key_of(suite: str, mki: bytes = b"") -> SrtpKey:
    return SrtpKey(suite, bytes(range(100, 100 + SRTP_SUITES[suite].secret_bytes)), mki)


def reference(suite: str) -> Reference:
    secret, length = key_of(suite).secret, SRTP_SUITES[suite].key_bytes
    return Reference(secret[:length], secret[length:], TAGS[suite[-3:]])


def packet(sequence: int, payload: bytes = bytes(range(160)), ssrc: int = 7) -> bytes:
    return RtpPacket(0, sequence, sequence * 160, ssrc, payload).to_bytes()


def protected(sender: SrtpSender, plain: bytes) -> bytes:
    made = sender.protect(plain)
    assert made is not None
    return bytes(made)


def test_sealed_where_it_lies_a_packet_is_the_same() -> None:
    for suite in SRTP_SUITES:
        sender, other = SrtpSender(key_of(suite)), SrtpSender(key_of(suite))
        room = np.zeros((3, 172 + SEAL_BYTES), np.uint8)
        for sequence, row in enumerate(room):
            row[:172] = np.frombuffer(packet(sequence), np.uint8)
            size = sender.seal(seal_place(row.data), 172)
            assert row[:size].tobytes() == protected(other, packet(sequence))


def opened(receiver: SrtpReceiver, data: bytes) -> bytes | int:
    receiver.buffer[: len(data)] = data
    size = receiver.unprotect(len(data))
    return size if size < 0 else bytes(receiver.buffer[:size])


def opened_report(receiver: SrtpReceiver, data: bytes) -> bytes | int:
    receiver.buffer[: len(data)] = data
    size = receiver.unprotect_report(len(data))
    return size if size < 0 else bytes(receiver.buffer[:size])


def test_the_reference_derives_the_keys_of_the_rfc() -> None:
    """RFC 3711 §B.3."""
    key, salt = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139"), bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert derived(key, salt, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derived(key, salt, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert derived(key, salt, 1, 20).hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


def test_all_suites_are_there() -> None:
    assert available_suites() == SRTP_SUITES.keys()


@pytest.mark.parametrize("suite", SRTP_SUITES)
def test_packets_are_those_of_the_rfcs(suite: str) -> None:
    sender, receiver, other = SrtpSender(key_of(suite)), SrtpReceiver(key_of(suite)), reference(suite)
    for sequence in (100, 101, 103):
        assert protected(sender, packet(sequence)) == other.protect(packet(sequence))
        assert opened(receiver, other.protect(packet(sequence))) == packet(sequence)


@pytest.mark.parametrize("suite", SRTP_SUITES)
def test_reports_are_those_of_the_rfcs(suite: str) -> None:
    sender, receiver, other = SrtpSender(key_of(suite)), SrtpReceiver(key_of(suite)), reference(suite)
    for index in (1, 2):
        made = sender.protect_report(REPORT)
        assert made is not None
        assert bytes(made) == other.protect_report(REPORT, index)
        assert opened_report(receiver, bytes(made)) == REPORT
    assert opened_report(receiver, other.protect_report(REPORT, 2)) == REPLAYED


@pytest.mark.parametrize("suite", SRTP_SUITES)
def test_the_rollover_counter_is_kept_on_both_sides(suite: str) -> None:
    sender, receiver, other = SrtpSender(key_of(suite)), SrtpReceiver(key_of(suite)), reference(suite)
    for number in (65534, 65535, 65536, 65537):
        plain = packet(number & 0xFFFF)
        made = protected(sender, plain)
        assert made == other.protect(plain, number >> 16)
        assert opened(receiver, made) == plain


@pytest.mark.parametrize("suite", SRTP_SUITES)
@pytest.mark.parametrize("place", [1, 2, 5, 9, 20, -1])
def test_one_changed_bit_anywhere_is_refused(suite: str, place: int) -> None:
    data = bytearray(protected(SrtpSender(key_of(suite)), packet(1)))
    data[place] ^= 1
    receiver = SrtpReceiver(key_of(suite))
    assert opened(receiver, bytes(data)) == FORGED
    data[place] ^= 1
    assert opened(receiver, bytes(data)) == packet(1), "and it has changed nothing"


def test_what_has_come_or_is_too_old_is_refused() -> None:
    other, receiver = reference(AES_128), SrtpReceiver(key_of(AES_128))
    assert opened(receiver, other.protect(packet(10))) == packet(10)
    assert opened(receiver, other.protect(packet(10))) == REPLAYED
    assert opened(receiver, other.protect(packet(1000))) == packet(1000)
    assert opened(receiver, other.protect(packet(990))) == packet(990), "overtaken, but new"
    assert opened(receiver, other.protect(packet(11))) == REPLAYED


def test_every_ssrc_has_its_own_numbers() -> None:
    other, receiver = reference(AES_128), SrtpReceiver(key_of(AES_128))
    for ssrc in (7, 8, 9):
        assert opened(receiver, other.protect(packet(5, ssrc=ssrc))) == packet(5, ssrc=ssrc)


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 21])
def test_what_is_too_short_is_refused(size: int) -> None:
    whole = protected(SrtpSender(key_of(AES_128)), packet(1, b""))
    assert opened(SrtpReceiver(key_of(AES_128)), whole[:size]) == FORGED
    assert opened_report(SrtpReceiver(key_of(AES_128)), whole[:size]) == FORGED


@pytest.mark.parametrize("suite", SRTP_SUITES)
def test_an_identifier_of_the_key_is_taken_out_and_must_be_right(suite: str) -> None:
    mki = b"\0\0\1"
    receiver, other, tag = SrtpReceiver(key_of(suite, mki)), reference(suite), TAGS[suite[-3:]] % 16
    made, report = other.protect(packet(1)), other.protect_report(REPORT, 1)
    cut, report_cut = len(made) - tag, len(report) - (10 if tag else 0)
    assert opened(receiver, made[:cut] + b"\0\0\2" + made[cut:]) == FORGED
    assert opened(receiver, made) == FORGED
    assert opened(receiver, made[:cut] + mki + made[cut:]) == packet(1)
    assert opened_report(receiver, report[:report_cut] + mki + report[report_cut:]) == REPORT


def test_packets_that_leave_no_room_are_not_sent() -> None:
    assert SrtpSender(key_of(AES_128)).protect(bytes(2000)) is None


@pytest.mark.parametrize("key", [SrtpKey("F8_128_HMAC_SHA1_80", bytes(30)), SrtpKey(AES_128, bytes(29))])
def test_keys_that_fit_no_suite_are_refused(key: SrtpKey) -> None:
    with pytest.raises(LocalError):
        SrtpSender(key)


def test_keys_are_not_shown() -> None:
    assert repr(key_of(AES_128).secret) not in repr(key_of(AES_128))
