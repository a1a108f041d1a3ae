from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegw.base.errors import RemoteProtocolError
from voicegw.gateway.audiosocket.frames import Frame, FrameReader, Kind

_frames = st.lists(st.builds(Frame, st.integers(0, 255), st.binary(max_size=700)), max_size=8)


def test_the_shortest_frame_is_three_zeros() -> None:
    assert Frame(Kind.TERMINATE).to_bytes() == b"\x00\x00\x00"


def test_length_is_big_endian() -> None:
    assert Frame(Kind.AUDIO, bytes(320)).to_bytes()[:3] == b"\x10\x01\x40"


@given(_frames, st.data())
def test_frames_survive_any_tearing(frames: list[Frame], data: st.DataObject) -> None:
    stream, reader, found = b"".join(frame.to_bytes() for frame in frames), FrameReader(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == frames


def test_a_uuid_has_16_bytes() -> None:
    assert Frame(Kind.ID, bytes(range(16))).uuid() == UUID(bytes=bytes(range(16)))
    with pytest.raises(RemoteProtocolError, match="UUID of 3 bytes"):
        Frame(Kind.ID, b"abc").uuid()


@pytest.mark.parametrize(("payload", "key"), [(b"5", "5"), (b"#", "#"), (b"a", "A")])
def test_keys(payload: bytes, key: str) -> None:
    assert Frame(Kind.KEY, payload).key() == key


@pytest.mark.parametrize("payload", [b"", b"55", b"x", b"\xff"])
def test_what_is_no_key(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="a key"):
        Frame(Kind.KEY, payload).key()
