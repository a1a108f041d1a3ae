"""Server-sent events, torn anywhere."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import RemoteProtocolError
from voicegw.inference.llm.sse import MAX_EVENT_BYTES, SseDecoder

STREAM = (
    b"\xef\xbb\xbf: hello\n\ndata: one\n\n"
    b"event: message\r\nid: 7\r\ndata:two\r\ndata:  three\r\n\r\n"
    b"data: caf\xc3\xa9\r\rdata\n\ndata:\n\nretry: 10\n\ndata: [DONE]\n\ndata: torn"
)
EVENTS = [b"one", b"two\n three", b"caf\xc3\xa9", b"", b"", b"[DONE]"]


def test_the_data_of_events_comes_out() -> None:
    assert SseDecoder().feed(STREAM) == EVENTS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_the_stream_is_torn_makes_no_difference(cuts: list[int]) -> None:
    decoder = SseDecoder()
    edges = [0, *sorted(cuts), len(STREAM)]
    events = [event for a, b in itertools.pairwise(edges) for event in decoder.feed(STREAM[a:b])]
    assert events == EVENTS


def test_byte_by_byte() -> None:
    decoder = SseDecoder()
    assert [event for byte in STREAM for event in decoder.feed(bytes([byte]))] == EVENTS


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_taken(data: bytes) -> None:
    decoder = SseDecoder()
    whole = decoder.feed(data)
    assert all(isinstance(event, bytes) for event in whole)


@pytest.mark.parametrize("line", [b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_event_without_an_end_is_an_error(line: bytes) -> None:
    decoder = SseDecoder()
    with pytest.raises(RemoteProtocolError):
        for _ in range(MAX_EVENT_BYTES // 900):
            decoder.feed(line)
