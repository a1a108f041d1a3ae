"""The small parts: numbers, lists of numbers, and parsers that take anything."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.stir.authority import NOW, ROOT, SIGNER, identity, tn_list
from voicegw.stir.credentials import Credential
from voicegw.stir.faults import Fault, IdentityFault
from voicegw.stir.identity_header import parse_identity
from voicegw.stir.numbers import canonical
from voicegw.stir.passport import Believed, read_passport
from voicegw.stir.tn_auth_list import TnAuthList, parse_tn_auth_list


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("+1 (202) 555-0101", "12025550101"),
        ("+49-30.555", "4930555"),
        ("12025550101;ext=5", "12025550101"),
        ("*67", "*67"),
        ("anonymous", ""),
        ("", ""),
        ("+", ""),
        ("\u0661\u0662", ""),
        ("1" * 65, ""),
    ],
)
def test_canonical_numbers(number: str, found: str) -> None:
    assert canonical(number) == found


def test_a_list_of_all_kinds() -> None:
    read = parse_tn_auth_list(tn_list(codes=("709J",), numbers=("12025550100",), first="12025550200", count=300))
    assert read == TnAuthList(("709J",), (("12025550200", 300),), frozenset({"12025550100"}))
    # As the DER of RFC 8226 comes out of another program (openssl asn1parse -genconf).
    foreign = "302ba00616043730394aa20d160b3132303235353530313030a1123010160b3132303235353530313030020164"
    read = parse_tn_auth_list(bytes.fromhex(foreign))
    assert read == TnAuthList(("709J",), (("12025550100", 100),), frozenset({"12025550100"}))


def test_ranges_end() -> None:
    read = TnAuthList(ranges=(("12025550100", 100),))
    assert [read.covers(f"1202555{last}") for last in ("0099", "0100", "0199", "0200")] == [
        False,
        True,
        True,
        False,
    ]
    assert not read.covers("*2025550100")


@given(
    st.binary(max_size=200) | st.builds(lambda body: b"\x30" + bytes([len(body)]) + body, st.binary(max_size=120))
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_list_or_none(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert parse_tn_auth_list(data).covers("1") in (True, False)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_token_or_at_fault(data: st.DataObject) -> None:
    """Also one that was good but for a few characters."""
    good = identity()
    at = data.draw(st.integers(0, len(good)))
    other = data.draw(st.text(max_size=8))
    cut = data.draw(st.integers(0, 8))
    value = data.draw(st.sampled_from((good[:at] + other + good[at + cut :], other, other + good)))
    try:
        read_passport(parse_identity(value), Believed("1", "2", 3))
    except IdentityFault as fault:
        assert fault.fault in Fault


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_certificate_or_not_believed(data: st.DataObject) -> None:
    """A changed certificate is never believed: its signature is over everything that counts."""
    der = bytearray(SIGNER.pem)
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] = data.draw(st.integers(0, 255))
    try:
        found = ROOT.anchors().read(bytes(der), NOW)
    except IdentityFault as fault:
        assert fault.fault is Fault.UNTRUSTED
    else:
        same = ROOT.anchors().read(SIGNER.pem, NOW)
        assert isinstance(found, Credential)
        assert (found.subject, found.authority, found.expires) == (same.subject, same.authority, same.expires)
