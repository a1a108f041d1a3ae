"""Headers as an immutable multimap, header injection, and writing messages."""

from __future__ import annotations

import pytest

from voicegw.base.errors import LocalError
from voicegw.sip.message import COMPACT_FORMS, Headers, Request, Response, serialize

HEADERS = Headers(
    [
        ("v", "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2"),
        ("From", '"a, b" <sip:a@b>;tag=1'),
        ("VIA", "SIP/2.0/TCP c"),
        ("X-Test", "one, two"),
        ("Date", "Sat, 13 Nov 2010 23:29:00 GMT"),
        ("Allow", "INVITE,, ACK ,"),
    ]
)


def test_names_ignore_case_and_compact_forms() -> None:
    assert HEADERS.get("via") == "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2"
    assert HEADERS.get_all("Via") == (HEADERS.get("V"), "SIP/2.0/TCP c")
    assert HEADERS.get("f") == '"a, b" <sip:a@b>;tag=1'
    assert HEADERS.get("t") is None
    assert "V" in HEADERS and "To" not in HEADERS and 7 not in HEADERS


@pytest.mark.parametrize(("short", "long"), COMPACT_FORMS.items())
def test_every_compact_form(short: str, long: str) -> None:
    assert Headers([(short, "x")]).get(long.upper()) == "x"
    assert Headers([(long, "x")]).get(short.upper()) == "x"


def test_list_headers_are_split_and_others_are_not() -> None:
    assert HEADERS.values("Via") == ("SIP/2.0/UDP a;branch=1", "SIP/2.0/UDP b;branch=2", "SIP/2.0/TCP c")
    assert HEADERS.values("Allow") == ("INVITE", "ACK")
    assert HEADERS.values("X-Test") == ("one, two",)
    assert HEADERS.values("Date") == ("Sat, 13 Nov 2010 23:29:00 GMT",)
    assert HEADERS.values("Route") == ()


def test_commas_inside_quotes_and_brackets_do_not_split() -> None:
    headers = Headers([("Contact", '"a, \\"b" <sip:c,d@e>;q=1, <sip:f@g>'), ("m", "*")])
    assert headers.values("Contact") == ('"a, \\"b" <sip:c,d@e>;q=1', "<sip:f@g>", "*")


def test_setters_return_changed_copies() -> None:
    base = Headers([("A", "1"), ("b", "2"), ("a", "3"), ("C", "4")])
    assert list(base.with_("a", "x")) == [("a", "x"), ("b", "2"), ("C", "4")]
    assert list(base.with_("D", "x"))[-1] == ("D", "x")
    assert list(base.add("A", "5"))[-1] == ("A", "5")
    assert next(iter(base.prepend("Via", "v"))) == ("Via", "v")
    assert list(base.without("A")) == [("b", "2"), ("C", "4")]
    assert len(base) == 4
    assert base.without("A").get("a") is None


def test_equality_ignores_the_spelling_of_names_only() -> None:
    assert Headers([("v", "x")]) == Headers([("Via", "x")])
    assert hash(Headers([("v", "x")])) == hash(Headers([("VIA", "x")]))
    assert Headers([("Via", "x")]) != Headers([("Via", "X")])
    assert Headers([("Via", "x")]) != "Via: x"
    assert "Via" in repr(Headers([("Via", "x")]))


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\N{EURO SIGN}"])
def test_unfit_values_are_refused_by_every_setter(value: str) -> None:
    with pytest.raises(LocalError):
        Headers([("Subject", value)])
    for setter in (HEADERS.with_, HEADERS.add, HEADERS.prepend):
        with pytest.raises(LocalError):
            setter("Subject", value)
    with pytest.raises(LocalError):
        Request("INVITE", f"sip:{value}@a", HEADERS)
    with pytest.raises(LocalError):
        Response(200, value, HEADERS)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "é", "a\0"])
def test_unfit_names_are_refused(name: str) -> None:
    for setter in (HEADERS.with_, HEADERS.add, HEADERS.prepend):
        with pytest.raises(LocalError):
            setter(name, "x")


@pytest.mark.parametrize(
    ("method", "uri"), [("", "sip:a"), ("IN VITE", "sip:a"), ("INVITE", ""), ("INVITE", "a b")]
)
def test_unfit_request_lines_are_refused(method: str, uri: str) -> None:
    with pytest.raises(LocalError):
        Request(method, uri, HEADERS)


@pytest.mark.parametrize("status", [0, 99, 700])
def test_unfit_statuses_are_refused(status: int) -> None:
    with pytest.raises(LocalError):
        Response(status, "", HEADERS)


def test_content_length_is_computed_and_stands_once() -> None:
    headers = Headers([("Via", "x"), ("l", "99"), ("To", "y"), ("Content-Length", "7")])
    request = Request("INVITE", "sip:a", headers, b"body")
    assert serialize(request) == b"INVITE sip:a SIP/2.0\r\nVia: x\r\nContent-Length: 4\r\nTo: y\r\n\r\nbody"
    response = Response(180, "Ringing", Headers([("Via", "x")]))
    assert serialize(response) == b"SIP/2.0 180 Ringing\r\nVia: x\r\nContent-Length: 0\r\n\r\n"


def test_high_bytes_are_written_as_they_came() -> None:
    assert b"Subject: \xc3\xa9\xff\r\n" in serialize(Request("X", "sip:a", Headers([("Subject", "\xc3\xa9\xff")])))
