from __future__ import annotations

import pytest

from voicegw.sdp.codec_choice import G722, OPUS, PCMA, PCMU, with_keys
from voicegw.sdp.description import parse, serialize
from voicegw.sdp.negotiate import Answer, MediaSession, accept_answer, make_answer, make_offer
from voicegw.sdp.opus_parameters import NO_WISHES, OpusParameters, parse_opus

ALL = with_keys((PCMU, PCMA, G722, OPUS))
HEAD = "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def answered(*lines: str) -> Answer:
    """Our answer to an offer of these lines, by one who has every codec."""
    return make_answer(parse((HEAD + "\r\n".join(lines) + "\r\n").encode()), "192.0.2.2", 4000, ALL)


def said(answer: Answer) -> list[str]:
    return serialize(answer.description).decode().split("\r\n")


def accepted(*lines: str) -> MediaSession:
    """What an answer of these lines to our offer of every codec agrees."""
    offer = make_offer("192.0.2.2", 4000, ALL)
    return accept_answer(offer, parse((HEAD + "\r\n".join(lines) + "\r\n").encode()))


def test_our_offer_names_all_in_our_order_with_keys_of_both_clocks() -> None:
    lines = serialize(make_offer("192.0.2.2", 4000, ALL)).decode().split("\r\n")
    assert "m=audio 4000 RTP/AVP 0 8 9 111 110 101" in lines
    assert "a=rtpmap:9 G722/8000" in lines and "a=rtpmap:111 opus/48000/2" in lines
    assert "a=fmtp:111 maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1" in lines
    assert "a=rtpmap:110 telephone-event/48000" in lines and "a=rtpmap:101 telephone-event/8000" in lines


def test_keys_of_48_khz_are_offered_beside_opus_only() -> None:
    assert [codec.clock_hz for codec in with_keys((PCMU, G722))] == [8000, 8000, 8000]


@pytest.mark.parametrize("spelling", ["G722/8000", "G722/16000", "g722/8000/1", ""])
def test_g722_in_every_spelling_is_answered_as_it_was_asked(spelling: str) -> None:
    lines = ["m=audio 5000 RTP/AVP 9"] + ([f"a=rtpmap:9 {spelling}"] if spelling else [])
    answer = answered(*lines)
    assert (answer.session.codec, answer.session.payload_type) == ("G722", 9)
    clock = "16000" if "16000" in spelling else "8000"
    assert f"a=rtpmap:9 G722/{clock}" in said(answer)


@pytest.mark.parametrize("spelling", ["opus/48000/2", "OPUS/48000/2", "opus/48000"])
def test_opus_under_the_number_of_the_offer_and_with_our_own_parameters(spelling: str) -> None:
    answer = answered(
        "m=audio 5000 RTP/AVP 107 0",
        f"a=rtpmap:107 {spelling}",
        "a=fmtp:107 stereo=1;sprop-stereo=1;maxaveragebitrate=20000; useinbandfec=1;usedtx=1;maxplaybackrate=8000",
    )
    session = answer.session
    assert (session.codec, session.payload_type, session.receive_payload_type) == ("opus", 107, 107)
    assert session.opus == OpusParameters(20000, fec=True, dtx=True, stereo=True, max_playback_hz=8000)
    assert "a=fmtp:107 maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1" in said(answer)


@pytest.mark.parametrize(
    ("events", "number", "clock"),
    [
        (["a=rtpmap:96 telephone-event/8000", "a=rtpmap:97 telephone-event/48000"], 97, 48000),
        (["a=rtpmap:96 telephone-event/48000", "a=rtpmap:97 telephone-event/8000"], 96, 48000),
        (["a=rtpmap:96 telephone-event/8000"], 96, 8000),
        ([], -1, 8000),
    ],
)
def test_keys_beside_opus_have_its_clock_or_else_8_khz(events: list[str], number: int, clock: int) -> None:
    answer = answered("m=audio 5000 RTP/AVP 107 96 97", "a=rtpmap:107 opus/48000/2", *events)
    assert (answer.session.dtmf_payload_type, answer.session.dtmf_clock_hz) == (number, clock)


def test_keys_of_48_khz_do_not_go_with_g711() -> None:
    answer = answered("m=audio 5000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/48000")
    assert answer.session.dtmf_payload_type == -1


def test_payload_types_may_differ_between_the_two_ways() -> None:
    lines = "m=audio 5000 RTP/AVP 98 99", "a=rtpmap:98 opus/48000/2", "a=rtpmap:99 telephone-event/48000"
    session = accepted(*lines)
    assert (session.payload_type, session.receive_payload_type) == (98, 111)
    assert (session.dtmf_payload_type, session.dtmf_receive_payload_type) == (99, 110)


def test_an_answer_with_several_codecs_lets_the_peer_change_between_them() -> None:
    session = accepted("m=audio 5000 RTP/AVP 9 8 98", "a=rtpmap:98 opus/48000/2")
    assert session.codec == "G722" and session.other_codecs == ((8, "PCMA"), (111, "opus"))


def test_our_answer_has_one_codec_and_so_nothing_else_may_come() -> None:
    assert answered("m=audio 5000 RTP/AVP 9 8 0").session.other_codecs == ()


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", NO_WISHES),
        ("minptime=10;useinbandfec=1", OpusParameters(fec=True)),
        ("useinbandfec=0; usedtx = 1", OpusParameters(dtx=True)),
        ("maxaveragebitrate=5999;maxplaybackrate=7999", NO_WISHES),
        ("maxaveragebitrate=510001", NO_WISHES),
        ("maxaveragebitrate=９000;usedtx;;=;stereo=yes", NO_WISHES),
        ("MaxAverageBitrate=64000;maxaveragebitrate=6000", OpusParameters(64000)),
    ],
)
def test_parameters_of_opus(text: str, parameters: OpusParameters) -> None:
    assert parse_opus(text) == parameters
