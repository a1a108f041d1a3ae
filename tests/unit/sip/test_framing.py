"""What ends a stream, and what its peer is told of it."""

from __future__ import annotations

import pytest

from voicegw.sip.framing import StreamFramer
from voicegw.sip.parser import answerable_head

HEAD = (
    b"INVITE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK1\r\n"
    b"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
)
STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        (b"\r\n", 400),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"Content-Length: -1\r\n\r\n", 400),
        (b"Content-Length: 262145\r\n\r\n", 513),
        (b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    ],
)
def test_a_message_without_an_end_is_answered_and_is_the_last(tail: bytes, status: int) -> None:
    framer = StreamFramer()
    assert framer.feed(HEAD + tail + b"INVITE hidden") == []
    assert framer.fault is not None
    assert framer.fault.status == status
    assert answerable_head(framer.fault.head).method == "INVITE"
    assert framer.feed(HEAD + b"Content-Length: 0\r\n\r\n") == []


def test_the_same_length_twice_is_one_length() -> None:
    framer = StreamFramer()
    message = HEAD + b"Content-Length: 2\r\nl: 2\r\n\r\nxy"
    assert framer.feed(message + message) == [message, message]


def test_what_came_before_the_fault_counts() -> None:
    framer = StreamFramer()
    good = HEAD + b"Content-Length: 0\r\n\r\n"
    assert framer.feed(good + HEAD + b"\r\n") == [good]
    assert framer.fault is not None


def test_a_length_is_not_read_out_of_the_middle_of_a_folded_line() -> None:
    framer = StreamFramer()
    message = HEAD + b"Subject: x\r\n Content-Length: 5\r\nContent-Length: 0\r\n\r\n"
    assert framer.feed(message) == [message]


def test_stun_among_messages() -> None:
    framer = StreamFramer()
    good = HEAD + b"Content-Length: 0\r\n\r\n"
    assert framer.feed(STUN + good + STUN[:7]) == [STUN, good]
    assert framer.is_torn
    assert framer.feed(STUN[7:]) == [STUN]
    framer.feed(b"\x00" * 20)
    assert framer.fault is not None


def test_a_head_without_an_end() -> None:
    framer = StreamFramer()
    framer.feed(b"x: y\r\n" * 20_000)
    assert framer.fault is not None and framer.fault.status == 513 and framer.fault.head == b""


def test_a_torn_message_waits() -> None:
    framer = StreamFramer()
    assert framer.feed(HEAD) == []
    assert framer.is_torn
    assert framer.feed(b"Content-Length: 3\r\n\r\nab") == []
    assert framer.is_torn
    assert len(framer.feed(b"c")) == 1
    assert not framer.is_torn
