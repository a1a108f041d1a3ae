"""Crypto lines: what is read, and what is passed over (RFC 4568)."""

from __future__ import annotations

import base64

import pytest

from voicegw.sdp.crypto import CryptoLine, MasterKey, lines_of, parse_line
from voicegw.sdp.description import MediaDescription

KEY_30 = base64.b64encode(bytes(range(30))).decode()
KEY_46 = base64.b64encode(bytes(range(46))).decode()
AES_128 = "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.parametrize(
    ("suite", "length"),
    [
        ("AES_CM_128_HMAC_SHA1_80", 30),
        ("AES_CM_128_HMAC_SHA1_32", 30),
        ("AES_256_CM_HMAC_SHA1_80", 46),
        ("AES_256_CM_HMAC_SHA1_32", 46),
        ("AEAD_AES_128_GCM", 28),
        ("AEAD_AES_256_GCM", 44),
    ],
)
def test_every_suite_is_read_and_written(suite: str, length: int) -> None:
    secret = bytes(range(length))
    line = CryptoLine(7, suite, MasterKey(suite, secret))
    assert parse_line(line.value) == line


@pytest.mark.parametrize("lifetime", ["", "|2^20", "|2^48", "|1048576", "|2^31|1:4"])
def test_lifetimes_are_understood(lifetime: str) -> None:
    line = parse_line(f"1 {AES_128} inline:{KEY_30}{lifetime}")
    assert line is not None
    assert line.key.secret == bytes(range(30))


@pytest.mark.parametrize(("text", "mki"), [("|1:1", b"\1"), ("|2^20|1:4", b"\0\0\0\1"), ("|513:2", b"\2\1")])
def test_a_master_key_identifier_has_the_length_that_is_given(text: str, mki: bytes) -> None:
    line = parse_line(f"1 {AES_128} inline:{KEY_30}{text}")
    assert line is not None
    assert line.key.mki == mki


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"{AES_128} inline:{KEY_30}",
        f"x {AES_128} inline:{KEY_30}",
        f"1234567890 {AES_128} inline:{KEY_30}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY_30}",
        f"1 {AES_128}",
        f"1 {AES_128} uri:{KEY_30}",
        f"1 {AES_128} inline:",
        f"1 {AES_128} inline:{KEY_46}",  # a key of another suite
        f"1 {AES_128} inline:{KEY_30[:-4]}",  # too short
        f"1 {AES_128} inline:{'A' * 37}",  # no base64 of anything
        f"1 {AES_128} inline:{KEY_30}|2^49",
        f"1 {AES_128} inline:{KEY_30}|2^0",
        f"1 {AES_128} inline:{KEY_30}|0",
        f"1 {AES_128} inline:{KEY_30}|281474976710657",
        f"1 {AES_128} inline:{KEY_30}|2^31|1:0",
        f"1 {AES_128} inline:{KEY_30}|2^31|1:129",
        f"1 {AES_128} inline:{KEY_30}|2^31|256:1",
        f"1 {AES_128} inline:{KEY_30}|1:4;inline:{KEY_30}|2:4",
        f"1 {AES_128} inline:{KEY_30} UNENCRYPTED_SRTP",
        f"1 {AES_128} inline:{KEY_30} UNENCRYPTED_SRTCP",
        f"1 {AES_128} inline:{KEY_30} UNAUTHENTICATED_SRTP",
        f"1 {AES_128} inline:{KEY_30} KDR=5",
        f"1 {AES_128} inline:{KEY_30} FEC_KEY=inline:{KEY_30}",
        f"1 {AES_128} inline:{KEY_30} WSH=64 SOMETHING_NEW",
    ],
)
def test_what_is_malformed_unknown_or_weak_is_passed_over(value: str) -> None:
    assert parse_line(value) is None


@pytest.mark.parametrize("parameters", [" WSH=128", " -MAYBE=1", " KDR=0 FEC_ORDER=FEC_SRTP", "  \t-X"])
def test_harmless_parameters_are_read_over(parameters: str) -> None:
    assert parse_line(f"1 {AES_128} inline:{KEY_30}{parameters}") is not None


def test_padding_may_be_missing_and_names_of_aes_256_vary() -> None:
    line = parse_line(f"2 AES_CM_256_HMAC_SHA1_80 inline:{KEY_46.rstrip('=')}")
    assert line is not None
    assert line.key == MasterKey("AES_256_CM_HMAC_SHA1_80", bytes(range(46)))
    assert line.value == f"2 AES_CM_256_HMAC_SHA1_80 inline:{KEY_46}", "an answer repeats the offerer's name"


def test_the_first_of_two_lines_with_one_tag_counts() -> None:
    other = base64.b64encode(bytes(30)).decode()
    attributes = tuple(
        ("crypto", f"{tag} {AES_128} inline:{key}") for tag, key in ((1, KEY_30), (1, other), (2, other))
    )
    media = MediaDescription("audio", 4000, "RTP/SAVP", ("0",), attributes=(("crypto", None), *attributes))
    assert [(line.tag, line.key.secret) for line in lines_of(media)] == [(1, bytes(range(30))), (2, bytes(30))]


def test_keys_are_not_shown() -> None:
    line = parse_line(f"1 {AES_128} inline:{KEY_30}")
    assert KEY_30 not in repr(line)
    assert repr(bytes(range(30))) not in repr(line)
