"""Any bytes: a message or RemoteProtocolError. Any message: written and read, it is the same."""

from __future__ import annotations

import string
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import quote, split_list, unquote
from voicegw.sip.headers import CSeq, NameAddr, Params, Via, parse_params
from voicegw.sip.message import Headers, Message, Request, Response, serialize
from voicegw.sip.parser import BadRequest, _parse_headers, _parse_odd_headers, parse
from voicegw.sip.uri import SipUri, TelUri, dialled, make_sip_uri, parse_uri

INVITE = b"""INVITE sip:demo@192.0.2.1:5060;transport=udp SIP/2.0\r
Via: SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK-1;rport, SIP/2.0/TCP b.example.com;received=192.0.2.4\r
f: "Alice \\" A" <sip:alice@192.0.2.9;x=1?y=z>;tag=abc\r
To: <tel:+1-555-0100>\r
Call-ID: 1234@192.0.2.9\r
CSeq: 1 INVITE\r
Max-Forwards: 70\r
m: sip:alice@192.0.2.9:5060;q=0.5\r
Record-Route: <sip:proxy.example.com;lr>, <sip:[::1];lr>\r
Subject: folded\r
 line\r
Content-Type: application/sdp\r
Content-Length: 5\r
\r
v=0\r
"""
OK = INVITE.replace(b"INVITE sip:demo@192.0.2.1:5060;transport=udp SIP/2.0", b"SIP/2.0 200 OK")

token = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=8)
wire_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
header_value = wire_text.map(lambda text: text.strip(" \t"))
FRAGMENTS = [
    b"\r\n",
    b"\n",
    b"\0",
    b'"',
    b"<",
    b">",
    b"99999",
    b":",
    b";",
    b",",
    b"\xb2",
    b"SIP/2.0",
    b" ",
    b"=",
    b"%",
]


def survives(action: Callable[[], object]) -> None:
    """Run ``action``; RemoteProtocolError is the only exception that may come out of it."""
    try:
        action()
    except RemoteProtocolError:
        return


def parse_and_copy(data: bytes) -> None:
    """Parse, and use what came out as an answer would: copying every header must work."""
    try:
        message: Message = parse(data)
    except BadRequest as error:
        message = error.request
        Via.parse(message.headers.values("Via")[0])
    headers = Headers(list(message.headers))
    serialize(Response(400, "Bad Request", headers))


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """Cut, repeat, overwrite and insert at random places."""
    data = original
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 30)))
        middle = draw(
            st.one_of(st.just(b""), st.sampled_from(FRAGMENTS), st.binary(max_size=6), st.just(data[start:end] * 2))
        )
        data = data[:start] + middle + data[end:]
    return data


@given(st.binary(max_size=400))
@example(b"")
@example(b"\n")
@example(b"SIP/2.0 200")
@example(b"A b SIP/2.0\r\n\r\n")
def test_any_bytes(data: bytes) -> None:
    survives(lambda: parse_and_copy(data))


@given(st.one_of(mutated(INVITE), mutated(OK)))
@settings(max_examples=400)
def test_mutated_messages(data: bytes) -> None:
    survives(lambda: parse_and_copy(data))


@given(st.lists(st.tuples(st.sampled_from(["Via", "f", "To", "CSeq", "Contact", "l", "Route"]), header_value)))
def test_any_header_values(pairs: list[tuple[str, str]]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    survives(lambda: parse_and_copy(f"OPTIONS sip:a SIP/2.0\r\n{lines}\r\n".encode("latin-1")))


VIEWS: tuple[Callable[[str], object], ...] = (
    Via.parse,
    NameAddr.parse,
    CSeq.parse,
    parse_params,
    SipUri.parse,
    TelUri.parse,
    parse_uri,
    dialled,
)


@given(
    st.sampled_from(VIEWS),
    st.one_of(st.text(max_size=40), mutated(INVITE).map(lambda data: data.decode("latin-1"))),
)
def test_views_of_any_text(view: Callable[[str], object], text: str) -> None:
    survives(lambda: view(text))


@given(st.sampled_from(VIEWS[:-1]), st.text('sip:tel<>"@;=[]1a. /%?&\\', max_size=30))
@settings(max_examples=300)
def test_what_a_view_takes_it_gives_back(view: Callable[[str], object], text: str) -> None:
    try:
        parsed = view(text)
    except RemoteProtocolError:
        return
    assert view(str(parsed)) == parsed


@given(
    method=token,
    status=st.integers(100, 699),
    reason=wire_text,
    more=st.lists(st.tuples(token.filter(lambda name: len(name) > 1), header_value), max_size=5),
    body=st.binary(max_size=50),
    display=wire_text,
)
def test_written_and_read_again(
    method: str, status: int, reason: str, more: list[tuple[str, str]], body: bytes, display: str
) -> None:
    contact = str(NameAddr("sip:a@b", display))
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP a;branch=1"),
            ("From", contact),
            ("To", "<sip:b@c>"),
            ("Call-ID", "x"),
            ("CSeq", f"7 {method}"),
            *((f"X-{name}", value) for name, value in more),
            ("Content-Length", str(len(body))),
        ]
    )
    for message in (Request(method, "sip:b@c", headers, body), Response(status, reason, headers, body)):
        assert parse(serialize(message)) == message
    assert NameAddr.parse(contact).display_name == display


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_of_ours_adds_a_line(name: str, value: str) -> None:
    plain = Headers([("Via", "x")])
    try:
        written = serialize(Response(200, "OK", plain.add(name, value)))
    except LocalError:
        return
    assert written.count(b"\r\n") == written.count(b"\r") == written.count(b"\n") <= 5


@given(st.text(max_size=20))
def test_any_user_can_be_escaped(user: str) -> None:
    uri = make_sip_uri("host", user)
    if user:
        assert dialled(str(SipUri.parse(str(uri)))) == user.partition(";")[0]


@given(wire_text)
def test_quoting_is_undone(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.text('a,;<>"\\ ', max_size=30), st.sampled_from(",;"))
def test_splitting_loses_nothing(text: str, separator: str) -> None:
    parts = split_list(text, separator)
    assert separator.join(parts).replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.tuples(token, st.one_of(st.none(), token)), max_size=4))
def test_params_are_read_as_written(items: list[tuple[str, str | None]]) -> None:
    params = Params(tuple(items))
    assert parse_params(str(params)) == params


odd_lines = st.lists(
    st.sampled_from(
        ["Via", "To", "x", "a b", "", ":", ": ", " :\t", "v", "\t", " ", "\r", "\n", "\0", "\xe9", ",", "\r\n"]
    ),
    max_size=24,
).map(lambda pieces: "".join(pieces) + "\r\n")


@given(odd_lines)
@settings(max_examples=300, deadline=None)
def test_the_quick_way_through_plain_headers_reads_what_the_slow_one_reads(text: str) -> None:
    assert _parse_headers(text, "\r\n") == _parse_odd_headers(text.split("\r\n")[:-1])
