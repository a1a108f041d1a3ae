"""However a stream is cut into reads, the same messages come out of it, and no bytes break the framer."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.sip.framing import MAX_HEAD_BYTES, StreamFramer
from voicegw.sip.parser import parse

_EOLS = st.sampled_from(["\r\n", "\n"])
_NAMES = st.sampled_from(["Content-Length", "l", "content-LENGTH ", "L"])


@st.composite
def _messages(draw: st.DrawFn) -> bytes:
    """A request with any body, line ends of one kind, and Content-Length in any spelling."""
    body = draw(st.binary(max_size=60))
    eol = draw(_EOLS)
    lines = [
        "OPTIONS sip:a@192.0.2.1 SIP/2.0",
        "Via: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1",
        "From: <sip:a@x>;tag=1",
        "To: <sip:b@x>",
        f"Subject: folded{eol} line",
        "Call-ID: c",
        "CSeq: 1 OPTIONS",
        f"{draw(_NAMES)}: {len(body)}",
    ]
    return (eol.join(lines) + eol + eol).encode() + body


def _feed(framer: StreamFramer, data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [message for start, end in pairwise(edges) for message in framer.feed(data[start:end])]


@settings(max_examples=150)
@given(st.lists(_messages(), max_size=5), st.lists(st.integers(0, 5000), max_size=40), st.integers(0, 3))
def test_torn_and_pipelined_messages_come_out_whole(messages: list[bytes], cuts: list[int], breaks: int) -> None:
    framer = StreamFramer()
    stream = b"".join(b"\r\n" * breaks + message for message in messages)
    assert _feed(framer, stream, cuts) == messages
    assert framer.fault is None and not framer.is_torn
    assert all(parse(message) is not None for message in messages)


@settings(max_examples=100)
@given(st.lists(_messages(), min_size=1, max_size=3))
def test_a_stream_that_comes_byte_by_byte(messages: list[bytes]) -> None:
    framer = StreamFramer()
    found = [message for byte in b"".join(messages) for message in framer.feed(bytes([byte]))]
    assert found == messages


@settings(max_examples=100)
@given(st.integers(0, 9), st.lists(st.integers(0, 100), max_size=10), _messages())
def test_two_line_breaks_are_a_ping_however_they_are_torn(pings: int, cuts: list[int], message: bytes) -> None:
    framer = StreamFramer()
    assert _feed(framer, b"\r\n\r\n" * pings + message, cuts) == [message]
    assert framer.pings == pings


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_break_the_framer(reads: list[bytes]) -> None:
    framer = StreamFramer()
    for data in reads:
        framer.feed(data)
    if framer.fault is not None:
        assert framer.feed(b"OPTIONS") == []


@settings(max_examples=30)
@given(st.integers(1, 5000))
def test_memory_is_bounded_whatever_comes(size: int) -> None:
    framer = StreamFramer()
    for _ in range(2 * MAX_HEAD_BYTES // size + 2):
        framer.feed(b"x" * size)
    assert framer.fault is not None and framer.fault.status == 513
