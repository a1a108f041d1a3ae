"""What the parser takes, what it answers and what it drops."""

from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.message import Request, Response
from voicegw.sip.parser import MAX_HEADERS, MAX_MESSAGE_BYTES, BadRequest, KeepAlive, is_keepalive, parse

LINES = (
    "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;rport",
    "From: <sip:alice@192.0.2.9>;tag=a",
    "To: <sip:demo@192.0.2.1>",
    "Call-ID: 1@192.0.2.9",
    "CSeq: 1 INVITE",
    "Max-Forwards: 70",
)


def wire(start: str = "INVITE sip:demo@192.0.2.1 SIP/2.0", *more: str, body: bytes = b"", drop: str = "") -> bytes:
    lines = [line for line in LINES if not drop or not line.startswith(drop)]
    return "\r\n".join([start, *lines, *more, "", ""]).encode("latin-1") + body


def refused(data: bytes) -> int:
    with pytest.raises(BadRequest) as caught:
        parse(data)
    return caught.value.status_hint


def dropped(data: bytes) -> int:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data)
    assert not isinstance(caught.value, BadRequest)
    return caught.value.status_hint


def test_a_request() -> None:
    message = parse(wire(body=b"anything"))
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:demo@192.0.2.1", b"anything")
    assert message.headers.get("Call-ID") == "1@192.0.2.9"


def test_a_response() -> None:
    message = parse(wire("SIP/2.0 486 Busy Here", "Content-Length: 0", body=b"rest is cut"))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.body) == (486, "Busy Here", b"")


def test_folded_lines_become_one() -> None:
    message = parse(wire("INVITE sip:a@b SIP/2.0", "Subject: one\r\n two\r\n\t three"))
    assert message.headers.get("s") == "one two three"


def test_unknown_headers_odd_case_and_utf8_are_kept() -> None:
    more = ("P-Charging-Vector: icid-value=1;x", "x-odd:y", "SUBJECT  :  \xc3\xa9  ")
    headers = parse(wire("INVITE sip:a@b SIP/2.0", *more)).headers
    assert list(headers)[-3:] == [("P-Charging-Vector", "icid-value=1;x"), ("x-odd", "y"), ("SUBJECT", "\xc3\xa9")]


def test_a_head_with_bare_lf_throughout_is_taken() -> None:
    assert isinstance(parse(wire().replace(b"\r\n", b"\n")), Request)


@pytest.mark.parametrize("evil", ["a\nVia: SIP/2.0/UDP evil", "a\rb", "a\0b"])
def test_stray_line_breaks_and_nuls_are_refused_and_not_copied(evil: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(wire("INVITE sip:a@b SIP/2.0", f"Subject: {evil}"))
    assert caught.value.request.headers.get("Subject") is None
    assert len(caught.value.request.headers.get_all("Via")) == 1


def test_in_a_head_with_bare_lf_the_cr_of_another_line_break_is_a_stray_one() -> None:
    start, *lines = wire("INVITE sip:a@b SIP/2.0", "Subject: x").removesuffix(b"\r\n").split(b"\r\n")
    with pytest.raises(RemoteProtocolError):
        parse(start + b"\n" + b"\r\n".join(lines) + b"\n")
    with pytest.raises(BadRequest):
        parse(b"\n".join([start, *lines[:-2]]) + b"\nX-A: 1\r\nX-B: 2\n\n")


def test_leading_line_breaks_before_a_message_are_skipped() -> None:
    assert isinstance(parse(b"\r\n\r\n" + wire()), Request)


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\x00\x01\x00\x08abc", b"\x01\x01", b" "]
)
def test_keepalives_are_no_errors_of_anybody(data: bytes) -> None:
    assert is_keepalive(data)
    with pytest.raises(KeepAlive):
        parse(data)


def test_a_message_is_no_keepalive() -> None:
    assert not is_keepalive(wire())


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Content-Length: 5", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: 1e3", 400),
        ("Content-Length: \xb2", 400),
        ("Content-Length: 99999999999999999999999", 400),
        ("Max-Forwards: 256", 400),
        ("Max-Forwards: many", 400),
        ("From: <sip:other@b>;tag=2", 400),
        ("CSeq: 2 INVITE", 400),
        ("Call-ID: second", 400),
        ("Contact: <sip:a@b:99999>", 400),
        ("Contact: <sip:a@b:0>", 400),
        ("Route: <sip:a@b:65536;lr>", 400),
        ("Record-Route: nothing", 400),
        ("Via: SIP/2.0/UDP b:99999", 400),
        ("no colon here", 400),
        ("bad name: x", 400),
    ],
)
def test_faulty_headers_are_answered(line: str, status: int) -> None:
    assert refused(wire("INVITE sip:a@b SIP/2.0", line)) == status


def test_equal_content_lengths_are_one() -> None:
    assert parse(wire("INVITE sip:a@b SIP/2.0", "l: 2", "Content-Length: 02", body=b"abc")).body == b"ab"


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_without_what_a_response_copies_a_request_is_dropped(name: str) -> None:
    assert dropped(wire(drop=name)) == 400


@pytest.mark.parametrize(
    "via", ["SIP/2.0/UDP a:99999", "SIP/2.0/UDP", "HTTP/1.1 x", "SIP/2.0/UDP a:0", "SIP/2.0/UDP a;rport=70000"]
)
def test_a_top_via_that_cannot_be_answered_is_dropped(via: str) -> None:
    assert dropped(wire().replace(b"SIP/2.0/UDP 192.0.2.9:5060", via.encode())) == 400


def test_an_ack_is_never_answered() -> None:
    assert dropped(wire("ACK sip:a@b SIP/2.0")) == 400


def test_too_many_headers_are_answered() -> None:
    fill = tuple(f"X-{number}: 1" for number in range(MAX_HEADERS - len(LINES)))
    assert isinstance(parse(wire("INVITE sip:a@b SIP/2.0", *fill)), Request)
    assert refused(wire("INVITE sip:a@b SIP/2.0", *fill, "X-One: too many")) == 400


def test_more_than_a_stream_may_carry_is_dropped() -> None:
    assert dropped(wire(body=b"x" * MAX_MESSAGE_BYTES)) == 513


def test_a_torn_datagram_is_answered_when_enough_is_there() -> None:
    assert refused(wire()[:-2]) == 400
    assert dropped(wire()[:60]) == 400


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("INVITE sip:a@b SIP/3.0", 505),
        ("INVITE sip:a@b SIP/2.0 ", 400),
        ("INVITE  sip:a@b SIP/2.0", 400),
        ("INVITE <sip:a@b> SIP/2.0", 400),
        ("INVITE sip:a@b;x= y SIP/2.0", 400),
        ("INVITE sip:a@b?Subject=x SIP/2.0", 400),
        ("INVITE sip:a@b:99999 SIP/2.0", 400),
        ("INVITE nothing SIP/2.0", 400),
        ("INVITE tel:nobody SIP/2.0", 400),
        ("BYE sip:a@b SIP/2.0", 400),
    ],
)
def test_faulty_start_lines_are_answered(start: str, status: int) -> None:
    assert refused(wire(start)) == status


@pytest.mark.parametrize("start", ["INVITE sip:a@b", "INV@TE sip:a@b SIP/2.0", "GET / HTTP/1.1", "SIP/2.0", "x"])
def test_what_is_no_sip_is_dropped(start: str) -> None:
    assert dropped(wire(start)) == 400


@pytest.mark.parametrize(
    "start",
    ["SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0 2000 x", "SIP/3.0 200 OK", "SIP/2.0 200 a\0b", "SIP/2.0 2x0 O"],
)
def test_faulty_responses_are_dropped(start: str) -> None:
    assert dropped(wire(start)) == 400


def test_a_response_with_a_faulty_header_line_is_dropped() -> None:
    assert dropped(wire("SIP/2.0 200 OK", "no colon")) == 400


def test_the_request_of_a_refusal_has_a_stand_in_uri() -> None:
    with pytest.raises(BadRequest) as caught:
        parse(wire("INVITE sip:a@b; lr SIP/2.0"))
    assert caught.value.request.uri == "sip:unparsable.invalid"
