"""Typed views: Via, NameAddr, CSeq and parameters."""

from __future__ import annotations

import pytest

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import quote, split_list, to_wire, unquote
from voicegw.sip.headers import CSeq, NameAddr, Params, Via, parse_params


def test_via() -> None:
    via = Via.parse("SIP/2.0/udp  host.example.com:5080 ;branch=z9hG4bK1;rport;Received=192.0.2.4")
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "host.example.com", 5080, "z9hG4bK1")
    assert via.wants_rport and via.rport is None
    assert via.received == "192.0.2.4"
    assert via.sent_by == "host.example.com:5080"
    assert str(via) == "SIP/2.0/UDP host.example.com:5080;branch=z9hG4bK1;rport;Received=192.0.2.4"
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize("received", ["[2001:db8::1]", "2001:db8::1"])
def test_via_with_ipv6(received: str) -> None:
    via = Via.parse(f"SIP/2.0/UDP [2001:db8::9:1]:6050;received={received};branch=z9hG4bKas3-111")
    assert (via.host, via.port, via.received) == ("[2001:db8::9:1]", 6050, "2001:db8::1")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0/UDP ;branch=1",
        "SIP/2.0 a",
        "SIP/2.0/UDP a:99999",
        "SIP/2.0/UDP a:0",
        "SIP/2.0/UDP a:",
        "SIP/2.0/UDP a:\xb2",
        "SIP/2.0/UDP 999.0.2.1",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP [fe80::1%eth0]",
        "SIP/2.0/UDP -a",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP a;=b",
        "SIP/2.0/UDP a;rport=99999",
        "SIP/2.0/UDP a;branch=a b",
        'SIP/2.0/UDP a;branch="a',
        "SIP/2.0/UDP a\r\n;b",
    ],
)
def test_bad_via(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Via.parse(value)


def test_where_a_response_goes() -> None:
    via = Via.parse("SIP/2.0/UDP 10.0.0.1:5062;branch=1;rport")
    assert via.response_target() == ("10.0.0.1", 5062)
    assert via.with_source("192.0.2.7", 40_000).response_target() == ("192.0.2.7", 40_000)
    plain = Via.parse("SIP/2.0/UDP 10.0.0.1;branch=1;maddr=203.0.113.9")
    assert plain.response_target() == ("10.0.0.1", 5060)
    assert str(plain.with_source("192.0.2.7", 40_000)).endswith(";received=192.0.2.7")
    assert plain.with_source("192.0.2.7", 40_000).response_target() == ("192.0.2.7", 5060)
    assert plain.with_source("10.0.0.1", 5060) == plain
    assert Via.parse("SIP/2.0/UDP [::1]").response_target() == ("::1", 5060)


def test_source_fills_rport_in_its_place() -> None:
    via = Via.parse("SIP/2.0/UDP a;rport;branch=1").with_source("192.0.2.7", 40_000)
    assert str(via) == "SIP/2.0/UDP a;rport=40000;branch=1;received=192.0.2.7"
    assert via.rport == 40_000


@pytest.mark.parametrize(
    ("value", "display", "uri", "params"),
    [
        ("<sip:a@b>", "", "sip:a@b", ""),
        ("sip:a@b;tag=1", "", "sip:a@b", ";tag=1"),
        ("<sip:a@b;x=1>;tag=1", "", "sip:a@b;x=1", ";tag=1"),
        ('"A \\"B\\", C" <sip:a@b>', 'A "B", C', "sip:a@b", ""),
        ('"A"<sip:a@b>', "A", "sip:a@b", ""),
        ("caller<sip:a@b>;tag=3", "caller", "sip:a@b", ";tag=3"),
        ("Bell, Alexander <sip:a@b>", "Bell, Alexander", "sip:a@b", ""),
        ("< sip:a@b > ; tag = 1 ;x", "", "sip:a@b", ";tag=1;x"),
        ('"" <tel:+1555>', "", "tel:+1555", ""),
        ("<sip:a@b?Subject=x>", "", "sip:a@b?Subject=x", ""),
        ("<sip:a@b>;;tag=1;", "", "sip:a@b", ";tag=1"),
        ('<sip:a@b>;x="a;b,\\"c"', "", "sip:a@b", ';x="a;b,\\"c"'),
    ],
)
def test_addresses(value: str, display: str, uri: str, params: str) -> None:
    address = NameAddr.parse(value)
    assert (address.display_name, address.uri, str(address.params)) == (display, uri, params)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nobody",
        "a@b",
        "<a@b>",
        "<sip:a@b",
        '"Mr. User <sip:a@b>',
        'Mr. "User <sip:a@b>',
        '"A" sip:a@b',
        "sip:a@b?Route=x",
        "<sip:a@b>x=1",
        "<sip:a b>",
        "<sip:a@b>;=1",
        "<sip:a@b>;x=<y>",
        "<>",
        "<sip:>",
        "<sip:a@b>\n;x",
    ],
)
def test_bad_addresses(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        NameAddr.parse(value)


def test_tags_and_display_names() -> None:
    address = NameAddr("sip:a@b", to_wire("Zoë"))
    assert address.tag is None
    assert address.with_tag("x").with_tag("y").tag == "y"
    assert address.display_text == "Zoë"
    assert str(address.with_param("q")) == '"Zo\xc3\xab" <sip:a@b>;q'
    assert NameAddr("sip:a@b", "\xe9").display_text == "é"


@pytest.mark.parametrize(
    ("uri", "display"), [("sip:a@b>;x=<", ""), ("sip:a\r\n@b", ""), ("nothing", ""), ("sip:a@b", "x\r\nVia: y")]
)
def test_addresses_of_ours_cannot_break_out(uri: str, display: str) -> None:
    with pytest.raises(LocalError):
        NameAddr(uri, display)


@pytest.mark.parametrize("tag", ["a;b", "a b", "a\r\nb", "a,b", 'a"b', "<a>"])
def test_parameters_of_ours_cannot_break_out(tag: str) -> None:
    with pytest.raises(LocalError):
        NameAddr("sip:a@b").with_tag(tag)
    with pytest.raises(LocalError):
        Params().with_(tag, "x")


def test_cseq() -> None:
    assert CSeq.parse(" 0009 \t INVITE ") == CSeq(9, "INVITE")
    assert CSeq.parse("2147483647 BYE").number == 2**31 - 1
    assert str(CSeq(1, "ACK")) == "1 ACK"


@pytest.mark.parametrize(
    "value", ["", "1", "INVITE 1", "2147483648 X", "-1 X", "9" * 5_000 + " X", "1 X Y", "\xb9 X", "1INVITE"]
)
def test_bad_cseq(value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        CSeq.parse(value)


def test_params() -> None:
    params = parse_params(' ; A = 1 ;lr; b="x;y"; c= ')
    assert params.items == (("A", "1"), ("lr", None), ("b", '"x;y"'), ("c", ""))
    assert params.get("a") == "1" and params.get("lr") is None and params.get("z", "?") == "?"
    assert "LR" in params and "z" not in params and 3 not in params
    assert len(params) == 4 and list(params) == list(params.items)
    assert unquote(params.get("b") or "") == "x;y"
    assert str(params.without("LR").with_("a", "2").with_("n")) == ';A=2;b="x;y";c=;n'
    assert Params((("a", "1"), ("A", "2"))).with_("a", "3").items == (("a", "3"),)
    with pytest.raises(RemoteProtocolError):
        parse_params("x;y")


def test_quoting() -> None:
    assert quote('a"b\\c') == '"a\\"b\\\\c"'
    assert unquote(quote('a"b\\c')) == 'a"b\\c'
    assert unquote("plain") == "plain"
    assert split_list('"a,b', ",") == ['"a,b']
    assert split_list('a;"b;c";<d;e>;f', ";") == ["a", '"b;c"', "<d;e>", "f"]
