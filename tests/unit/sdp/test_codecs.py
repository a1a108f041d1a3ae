"""Which codecs a media section names."""

from __future__ import annotations

import pytest

from voicegw.sdp.codecs import Codec, codecs_of
from voicegw.sdp.description import MediaDescription


def audio(formats: str, *attributes: tuple[str, str]) -> MediaDescription:
    return MediaDescription("audio", 4000, "RTP/AVP", tuple(formats.split()), attributes=attributes)


def test_static_types_need_no_rtpmap() -> None:
    assert codecs_of(audio("8 0 9 13")) == (
        Codec("PCMA", 8_000, 8),
        Codec("PCMU", 8_000, 0),
        Codec("G722", 8_000, 9),
        Codec("CN", 8_000, 13),
    )


def test_dynamic_types_with_rtpmap_and_fmtp() -> None:
    media = audio(
        "111 97",
        ("rtpmap", "111 opus/48000/2"),
        ("fmtp", "111 minptime=10; useinbandfec=1"),
        ("rtpmap", "97 telephone-event/8000"),
        ("rtpmap", "97 ignored/8000"),
        ("fmtp", "97 0-15"),
    )
    assert codecs_of(media) == (
        Codec("opus", 48_000, 111, 2, "minptime=10; useinbandfec=1"),
        Codec("telephone-event", 8_000, 97, fmtp="0-15"),
    )


def test_an_rtpmap_overrides_the_static_table() -> None:
    assert codecs_of(audio("0", ("rtpmap", "0 PCMA/8000"))) == (Codec("PCMA", 8_000, 0),)


@pytest.mark.parametrize("value", ["96", "96 x", "96 x/y", "x x/8000", "96 x/9999999", "999 x/8000", ""])
def test_dynamic_types_without_a_readable_rtpmap_are_left_out(value: str) -> None:
    assert codecs_of(audio("96 0", ("rtpmap", value))) == (Codec("PCMU", 8_000, 0),)


def test_types_that_are_assumed() -> None:
    dtmf = Codec("telephone-event", 8_000, 101)
    assert codecs_of(audio("0 101"), assumed=(dtmf,)) == (Codec("PCMU", 8_000, 0), dtmf)
    assert codecs_of(audio("101", ("rtpmap", "101 speex/8000")), assumed=(dtmf,)) == (Codec("speex", 8_000, 101),)


def test_repeated_types_count_once() -> None:
    assert codecs_of(audio("0 0 0")) == (Codec("PCMU", 8_000, 0),)


def test_matching_ignores_case_and_numbers() -> None:
    assert Codec("pcmu", 8_000, 96).matches(Codec("PCMU", 8_000, 0))
    assert not Codec("L16", 44_100, 10, 2).matches(Codec("L16", 44_100, 11))
    assert Codec("opus", 48_000, 111, 2).rtpmap == "111 opus/48000/2"
