"""SIP and tel URIs: parts, comparison by RFC 3261 §19.1.4, and the dialled number."""

from __future__ import annotations

import pytest

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import Params
from voicegw.sip.uri import SipUri, TelUri, dialled, escape_user, make_sip_uri, parse_uri, uri_scheme


def test_all_parts() -> None:
    uri = SipUri.parse("SIPS:al%20ice:pw@[2001:db8::1]:5061;transport=TCP;lr?Subject=x&Priority=")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sips",
        "al%20ice",
        "pw",
        "[2001:db8::1]",
        5061,
    )
    assert (uri.address, uri.transport, uri.is_loose_router, uri.is_phone) == ("2001:db8::1", "tcp", True, False)
    assert uri.headers == (("Subject", "x"), ("Priority", ""))
    assert str(uri) == "sips:al%20ice:pw@[2001:db8::1]:5061;transport=TCP;lr?Subject=x&Priority="


@pytest.mark.parametrize(
    "text",
    [
        "sip:a@b",
        "sip:b",
        "sip:b:5070",
        "sip:+1-555@gw;user=phone",
        "sip:user;par=u%40example.net@example.com",
        "sip:a:@b",
        "sip:192.0.2.1;lr",
        "sip:a@b;x=;y",
        "sip:a@b;lr;vst=QUJD==",
        "sip:*21#@b",
        "tel:+1-201-555-0123;ext=7",
        "tel:7042;phone-context=example.com",
    ],
)
def test_text_survives(text: str) -> None:
    assert str(parse_uri(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@b",
        "sip::pw@b",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:a@b:",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:a@b:5x",
        "sip:a@b;",
        "sip:a@b;=x",
        "sip:a@b;x=a b",
        "sip:a@b?x",
        "sip:a@b?=x",
        "sip:a@b?",
        "sip:2001:db8::1",
        "sip:a@[2001:db8:::192.0.2.1]",
        "sip:a@300.1.1.1",
        "sip:a<@b",
        "sip:a\0@b",
        "sip:a\r\n@b",
        "tel:",
        "tel:hello world",
        "tel:+1;",
    ],
)
def test_bad_uris(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_uri(text)


def test_other_schemes_are_416() -> None:
    for text in ("http://example.com", "urn:service:sos", "mailto:a@b"):
        with pytest.raises(RemoteProtocolError) as caught:
            parse_uri(text)
        assert caught.value.status_hint == 416
    with pytest.raises(RemoteProtocolError):
        TelUri.parse("sip:a@b")
    assert uri_scheme("URN:service:sos") == "urn"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8:0:0::1]", "sip:a@[2001:DB8::1]"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert SipUri.parse(one).equivalent(SipUri.parse(other))
    assert SipUri.parse(other).equivalent(SipUri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:b", "sip:a@b"),
        ("sip:a:x@b", "sip:a:y@b"),
        ("sip:a@b;maddr=c", "sip:a@b"),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not SipUri.parse(one).equivalent(SipUri.parse(other))
    assert not SipUri.parse(other).equivalent(SipUri.parse(one))


def test_tel_comparison() -> None:
    assert TelUri.parse("tel:+1-201-555-0123").equivalent(TelUri.parse("tel:+1(201)5550123"))
    assert not TelUri.parse("tel:+12015550123").equivalent(TelUri.parse("tel:12015550123"))
    assert not TelUri.parse("tel:7042;phone-context=a").equivalent(TelUri.parse("tel:7042;phone-context=b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:demo@192.0.2.1", "demo"),
        ("sip:192.0.2.1", ""),
        ("sip:+1-555-0100@gw;user=phone", "+15550100"),
        ("sip:+1-555-0100@gw", "+1-555-0100"),
        ("sip:+15550100;ext=7@gw;user=phone", "+15550100"),
        ("sip:%2B1555@gw", "+1555"),
        ("sip:%2A21%23@gw", "*21#"),
        ("sip:caf%C3%A9@gw", "café"),
        ("sip:sales.desk@gw;user=phone", "sales.desk"),
        ("tel:+1-201-555-0123", "+12015550123"),
        ("tel:*21#", "*21#"),
        ("sips:bob@b", "bob"),
    ],
)
def test_dialled(text: str, expected: str) -> None:
    assert dialled(text) == expected


def test_building_escapes_and_refuses() -> None:
    assert escape_user("a b@c") == "a%20b%40c"
    assert escape_user("é#") == "%C3%A9%23"
    assert str(make_sip_uri("2001:db8::1", "+1 555", 5070)) == "sip:+1%20555@[2001:db8::1]:5070"
    assert str(make_sip_uri("host", params=Params((("lr", None),)))) == "sip:host;lr"
    assert SipUri.parse(str(make_sip_uri("h", "a\r\nVia: x"))).user == "a%0D%0AVia%3A%20x"
    for host in ("a\r\nb", "a b", "", "a;lr", "a@b", "[::1"):
        with pytest.raises(LocalError):
            make_sip_uri(host, "a")
    with pytest.raises(LocalError):
        make_sip_uri("host", "a", 99_999)
    with pytest.raises(LocalError):
        SipUri("host", scheme="http")
    with pytest.raises(LocalError):
        SipUri("host", user="a b")
