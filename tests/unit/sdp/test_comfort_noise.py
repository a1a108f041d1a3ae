"""Comfort noise in offers and answers (RFC 3389 §4): only where it is wanted, and of the clock of the audio."""

from __future__ import annotations

import pytest

from voicegw.gateway.codecs import preferences, with_noise
from voicegw.gateway.config import SipConfig
from voicegw.sdp.codec_choice import CN
from voicegw.sdp.description import SessionDescription, parse
from voicegw.sdp.negotiate import MediaSession, NotAcceptable, accept_answer, make_answer, make_offer

WANTED = with_noise(preferences(("PCMU", "opus")), wanted=True)
PLAIN = preferences(("PCMU", "opus"))


def described(formats: str, *attributes: str) -> SessionDescription:
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.9",
        "s=-",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        f"m=audio 4000 RTP/AVP {formats}",
    ]
    return parse("".join(f"{line}\r\n" for line in (*lines, *attributes)).encode())


def test_it_is_offered_only_where_it_is_wanted() -> None:
    (audio,) = make_offer("192.0.2.1", 5000, WANTED).media
    assert audio.formats[-1] == "13"
    assert ("rtpmap", "13 CN/8000") in audio.attributes
    (audio,) = make_offer("192.0.2.1", 5000, PLAIN).media
    assert "13" not in audio.formats


@pytest.mark.parametrize(
    ("formats", "attributes", "number"),
    [
        ("0 13 101", ("a=rtpmap:101 telephone-event/8000",), 13),
        ("0 98", ("a=rtpmap:98 cn/8000",), 98),
        ("0 99", ("a=rtpmap:99 CN/16000",), -1),
        ("0", (), -1),
        ("111 13", ("a=rtpmap:111 opus/48000/2",), -1),
    ],
)
def test_an_offer_of_it_is_taken_under_its_number(formats: str, attributes: tuple[str, ...], number: int) -> None:
    offer = described(formats, *attributes)
    answer = make_answer(offer, "192.0.2.1", 5000, WANTED)
    assert answer.session.noise_payload_type == number
    assert (str(number) in answer.description.media[0].formats) == (number >= 0)
    unwanted = make_answer(offer, "192.0.2.1", 5000, PLAIN)
    assert unwanted.session.noise_payload_type == -1
    assert not {"13", "98"} & set(unwanted.description.media[0].formats)


def agreed(formats: str, *attributes: str) -> MediaSession:
    return accept_answer(make_offer("192.0.2.1", 5000, WANTED), described(formats, *attributes))


def test_an_answer_agrees_to_it_or_not() -> None:
    assert agreed("0 13").noise_payload_type == 13
    assert agreed("0 97", "a=rtpmap:97 CN/8000").noise_payload_type == 97
    assert agreed("0").noise_payload_type == -1
    assert agreed("111 13", "a=rtpmap:111 opus/48000/2").noise_payload_type == -1
    assert agreed("0 13").other_codecs == (), "it is no codec that the peer changes to"


def test_it_alone_is_no_audio() -> None:
    with pytest.raises(NotAcceptable, match="no common codec"):
        make_answer(described("13"), "192.0.2.1", 5000, WANTED)


def test_the_node_and_each_trunk_say_whether() -> None:
    assert CN not in SipConfig().preferences
    assert CN in SipConfig(comfort_noise="send").preferences
    assert with_noise(WANTED, wanted=False) == PLAIN
