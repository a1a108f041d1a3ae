"""Offer and answer of recording sessions: every stream on its own, in its place, and only received."""

from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.sdp.description import SessionDescription, parse, serialize
from voicegw.sdp.negotiate import DEFAULT_PREFERENCES, NotAcceptable
from voicegw.sdp.recording import MOST_STREAMS, StreamsAnswer, agreed_streams, answer_streams, wanted_places

OURS = "192.0.2.1"
PCMU = ("m=audio 5000 RTP/AVP 0", "a=sendonly", "a=label:1")
PCMA = ("m=audio 5002 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", "a=sendonly", "a=label:two")
G729 = ("m=audio 5004 RTP/AVP 18", "a=sendonly", "a=label:3")
VIDEO = ("m=video 5006 RTP/AVP 97", "a=rtpmap:97 H264/90000")
PAUSED = ("m=audio 5008 RTP/AVP 0", "a=inactive", "a=label:4")
GONE = ("m=audio 0 RTP/AVP 0",)


def sdp(*sections: tuple[str, ...]) -> SessionDescription:
    head = ("v=0", "o=- 7 7 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0")
    return parse("\r\n".join((*head, *(line for one in sections for line in one), "")).encode())


def answer(*sections: tuple[str, ...]) -> StreamsAnswer:
    offer = sdp(*sections)
    return answer_streams(
        offer, OURS, {place: 4000 + 2 * place for place in wanted_places(offer)}, DEFAULT_PREFERENCES
    )


def test_each_stream_is_answered_in_its_place() -> None:
    got = answer(PCMU, VIDEO, PCMA, G729, GONE)
    text = serialize(got.description).decode()
    assert [media.port for media in got.description.media] == [4000, 0, 4004, 0, 0]
    assert [media.media for media in got.description.media] == ["audio", "video", "audio", "audio", "audio"]
    assert text.count("a=recvonly") == 2 and "sendrecv" not in text
    assert [(one.place, one.label, one.session.codec) for one in got.streams] == [
        (0, "1", "PCMU"),
        (2, "two", "PCMA"),
    ]
    assert [media.attribute("label") for media in got.description.media] == ["1", None, "two", None, None]
    assert all(one.session.receive and not one.session.send for one in got.streams)
    assert got.streams[1].session.dtmf_payload_type == 101


def test_a_paused_stream_is_agreed_and_not_received() -> None:
    got = answer(PCMU, PAUSED)
    assert [one.session.receive for one in got.streams] == [True, False]
    assert "a=inactive" in serialize(got.description).decode()


def test_a_client_that_forgot_the_direction_is_only_heard() -> None:
    (one,) = answer(("m=audio 5000 RTP/AVP 0",)).streams
    assert one.session.receive and not one.session.send and one.label == ""


def test_more_streams_than_anybody_needs() -> None:
    got = answer(*[PCMU] * (MOST_STREAMS + 3))
    assert len(got.streams) == MOST_STREAMS
    assert [media.port for media in got.description.media[MOST_STREAMS:]] == [0, 0, 0]


def test_nothing_that_could_be_recorded() -> None:
    with pytest.raises(NotAcceptable):
        answer(G729)
    with pytest.raises(NotAcceptable):
        answer_streams(sdp(PCMU), OURS, {}, DEFAULT_PREFERENCES)
    assert answer(GONE, VIDEO).streams == (), "all streams were taken out: that can be"


def test_a_label_of_any_length_is_none() -> None:
    (one,) = answer(("m=audio 5000 RTP/AVP 0", f"a=label:{'x' * 100}")).streams
    assert one.label == ""


def test_our_side_said_again() -> None:
    ours = answer(PCMU, VIDEO, PCMA).description
    theirs = sdp(PCMU, ("m=video 0 RTP/AVP 97",), ("m=audio 6000 RTP/AVP 8", "a=inactive"))
    got = agreed_streams(ours, theirs)
    assert [(one.place, one.label, one.session.receive) for one in got] == [(0, "1", True), (2, "two", False)]
    assert got[1].session.remote_port == 6000
    with pytest.raises(RemoteProtocolError):
        agreed_streams(ours, sdp(PCMU))
