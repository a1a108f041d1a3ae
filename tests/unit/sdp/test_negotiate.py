"""Offer and answer: codecs, payload types, several media, hold, packet times, versions."""

from __future__ import annotations

import pytest

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sdp.codec_choice import DTMF, PCMA, PCMU
from voicegw.sdp.codecs import Codec
from voicegw.sdp.description import SessionDescription, parse, serialize
from voicegw.sdp.direction import DIRECTIONS, INACTIVE, RECVONLY, SENDONLY, SENDRECV, answer_direction
from voicegw.sdp.local_session import LocalSession
from voicegw.sdp.negotiate import (
    DEFAULT_PREFERENCES,
    Answer,
    MediaSession,
    NotAcceptable,
    accept_answer,
    make_answer,
    make_offer,
)
from voicegw.sdp.reports import ReportPlace

OURS = "192.0.2.1"


def sdp(*lines: str, connection: str = "IN IP4 192.0.2.9") -> SessionDescription:
    head = ("v=0", "o=- 7 7 IN IP4 192.0.2.9", "s=-", f"c={connection}", "t=0 0")
    return parse("\r\n".join((*head, *lines, "")).encode())


def answer(*lines: str, connection: str = "IN IP4 192.0.2.9", direction: str = SENDRECV) -> Answer:
    return make_answer(sdp(*lines, connection=connection), OURS, 4000, direction=direction)


def lines_of(description: SessionDescription) -> list[str]:
    return serialize(description).decode().splitlines()


def test_an_offer() -> None:
    assert lines_of(make_offer(OURS, 4000, session_id=5, version=2)) == [
        "v=0",
        "o=voicegw 5 2 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=maxptime:120",
        "a=sendrecv",
        "a=rtcp-mux",
    ]
    assert "c=IN IP6 2001:db8::1" in lines_of(make_offer("2001:db8::1", 4000))
    with pytest.raises(LocalError):
        make_offer("example.com", 4000)


def test_an_answer_takes_the_offerers_first_codec_and_its_numbers() -> None:
    got = answer("m=audio 6000 RTP/AVP 18 8 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15")
    assert lines_of(got.description)[5:] == [
        "m=audio 4000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-16",
        "a=ptime:20",
        "a=maxptime:120",
        "a=sendrecv",
    ]
    assert got.session == MediaSession("192.0.2.9", 6000, "PCMA", 8, 8, 96, 96)
    assert not got.session.on_hold


def test_static_codec_under_a_dynamic_number() -> None:
    session = answer("m=audio 6000 RTP/AVP 96", "a=rtpmap:96 pcmu/8000").session
    assert (session.codec, session.payload_type, session.dtmf_payload_type) == ("PCMU", 96, -1)


def test_telephone_event_of_another_clock_is_not_taken() -> None:
    lines = ("a=rtpmap:110 telephone-event/48000", "a=rtpmap:101 telephone-event/8000")
    assert answer("m=audio 6000 RTP/AVP 0 110", lines[0]).session.dtmf_payload_type == -1
    assert answer("m=audio 6000 RTP/AVP 0 110 101", *lines).session.dtmf_payload_type == 101


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=audio 6000 RTP/AVP 18",),
        ("m=audio 6000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
        ("m=audio 6000 RTP/SAVP 0",),
        ("m=audio 6000 UDP/TLS/RTP/SAVPF 0",),
        ("m=video 6000 RTP/AVP 31",),
        ("m=audio 6000 RTP/AVP 0", "c=IN IP4 host.example.com"),
        ("m=audio 6000 RTP/AVP 0", "c=IN IP4 224.1.2.3/64"),
        ("m=audio 6000 RTP/AVP 0", "c=IN IP4 255.255.255.255"),
        ("m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::9"),
        ("m=audio 6000 RTP/AVP 0", "c=IN IP6 ff02::1"),
    ],
)
def test_nothing_in_common_is_488(lines: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable) as caught:
        answer(*lines)
    assert caught.value.status_hint == 488


def test_other_media_are_refused_in_their_places() -> None:
    got = answer(
        "m=video 7000 RTP/AVP 31 99",
        "a=rtpmap:99 H264/90000",
        "m=audio 7002 RTP/SAVP 0",
        "m=audio 6000 RTP/AVP 0",
        "m=audio 6002 RTP/AVP 8",
        "m=image 7004 udptl t38",
        "m=application 9 UDP/BFCP *",
    )
    assert [line for line in lines_of(got.description) if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31 99",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
        "m=application 0 UDP/BFCP *",
    ]
    assert got.session.remote_port == 6000


def test_fax_in_place_of_a_stopped_audio_is_no_hold() -> None:
    with pytest.raises(NotAcceptable):
        answer("m=audio 0 RTP/AVP 0", "m=image 6000 udptl t38")
    held = answer("m=audio 0 RTP/AVP 0", "m=image 0 udptl t38")
    assert not held.session.send


def test_an_offer_keeps_the_places_of_what_was_refused() -> None:
    before = answer("m=video 5000 RTP/AVP 96", "m=audio 5002 RTP/AVP 0 8", "m=image 0 udptl t38").description
    again = make_offer(OURS, 4000, before=before)
    assert [(media.media, media.port) for media in again.media] == [("video", 0), ("audio", 4000), ("image", 0)]
    agreed = accept_answer(again, sdp("m=video 0 RTP/AVP 96", "m=audio 5002 RTP/AVP 8", "m=image 0 udptl t38"))
    assert (agreed.remote_port, agreed.codec) == (5002, "PCMA")
    assert len(make_offer(OURS, 4000).media) == 1


def test_a_live_section_is_preferred_to_a_stopped_one() -> None:
    got = answer("m=audio 0 RTP/AVP 0", "m=audio 6000 RTP/AVP 8")
    assert [media.port for media in got.description.media] == [0, 4000]
    assert got.session.codec == "PCMA"


@pytest.mark.parametrize(
    ("lines", "connection", "expected", "send", "receive"),
    [
        (("m=audio 6000 RTP/AVP 0", "a=sendonly"), "IN IP4 192.0.2.9", "recvonly", False, True),
        (("m=audio 6000 RTP/AVP 0", "a=inactive"), "IN IP4 192.0.2.9", "inactive", False, False),
        (("m=audio 6000 RTP/AVP 0", "a=recvonly"), "IN IP4 192.0.2.9", "sendonly", True, False),
        (("m=audio 6000 RTP/AVP 0",), "IN IP4 0.0.0.0", "recvonly", False, True),
        (("m=audio 6000 RTP/AVP 0", "c=IN IP4 0.0.0.0"), "IN IP4 192.0.2.9", "recvonly", False, True),
        (("m=audio 6000 RTP/AVP 0", "a=inactive"), "IN IP4 0.0.0.0", "inactive", False, False),
        (("m=audio 6000 RTP/AVP 0",), "IN IP6 ::", "recvonly", False, True),
        (("m=audio 0 RTP/AVP 0",), "IN IP4 192.0.2.9", "inactive", False, False),
        (("a=sendonly", "m=audio 6000 RTP/AVP 0"), "IN IP4 192.0.2.9", "recvonly", False, True),
        (("a=sendonly", "m=audio 6000 RTP/AVP 0", "a=sendrecv"), "IN IP4 192.0.2.9", "sendrecv", True, True),
    ],
)
def test_directions_and_hold(
    lines: tuple[str, ...], connection: str, expected: str, send: bool, receive: bool
) -> None:
    got = answer(*lines, connection=connection)
    assert lines_of(got.description)[-1] == f"a={expected}"
    assert (got.session.send, got.session.receive, got.session.on_hold) == (send, receive, not send)
    assert got.description.media[0].port == (4000 if got.session.remote_port else 0)


def test_hold_by_us() -> None:
    held = answer("m=audio 6000 RTP/AVP 0", direction=SENDONLY)
    assert lines_of(held.description)[-1] == "a=sendonly"
    assert (held.session.send, held.session.receive) == (True, False)
    offer = make_offer(OURS, 4000, direction=SENDONLY)
    session = accept_answer(offer, sdp("m=audio 6000 RTP/AVP 0", "a=recvonly"))
    assert (session.send, session.receive) == (True, False)


@pytest.mark.parametrize("theirs", DIRECTIONS)
@pytest.mark.parametrize("ours", DIRECTIONS)
def test_nobody_sends_to_one_who_does_not_receive(theirs: str, ours: str) -> None:
    way = answer_direction(theirs, ours)
    if way in (SENDRECV, SENDONLY):
        assert theirs in (SENDRECV, RECVONLY) and ours in (SENDRECV, SENDONLY)
    if way in (SENDRECV, RECVONLY):
        assert theirs in (SENDRECV, SENDONLY) and ours in (SENDRECV, RECVONLY)
    if INACTIVE in (theirs, ours):
        assert way == INACTIVE


@pytest.mark.parametrize(
    ("attributes", "ptime_ms"),
    [
        ((), 20),
        (("a=ptime:30",), 30),
        (("a=ptime:10",), 10),
        (("a=ptime:25",), 20),
        (("a=ptime:200",), 60),
        (("a=ptime:5",), 10),
        (("a=ptime:0",), 20),
        (("a=ptime:none",), 20),
        (("a=ptime:20.0",), 20),
        (("a=maxptime:10",), 10),
        (("a=ptime:40", "a=maxptime:30"), 30),
        (("a=maxptime:150",), 20),
        (("a=ptime:99999999999999",), 20),
    ],
)
def test_packet_times(attributes: tuple[str, ...], ptime_ms: int) -> None:
    got = answer("m=audio 6000 RTP/AVP 0", *attributes)
    assert got.session.ptime_ms == ptime_ms
    assert f"a=ptime:{ptime_ms}" in lines_of(got.description)


def test_each_side_receives_under_its_own_numbers() -> None:
    offer = make_offer(OURS, 4000)
    lines = ("a=rtpmap:110 PCMA/8000", "a=rtpmap:96 telephone-event/8000")
    assert accept_answer(offer, sdp("m=audio 6000 RTP/AVP 110 96", *lines)) == MediaSession(
        "192.0.2.9", 6000, "PCMA", 110, 8, 96, 101
    )


def test_an_answer_without_rtpmaps_means_what_we_offered() -> None:
    session = accept_answer(make_offer(OURS, 4000), sdp("m=audio 6000 RTP/AVP 0 101"))
    assert session.dtmf_payload_type == 101


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=video 6000 RTP/AVP 0",),
        ("m=audio 6000 RTP/AVP 0", "m=video 0 RTP/AVP 31"),
        ("m=audio 0 RTP/AVP 0",),
        ("m=audio 6000 RTP/AVP 9",),
    ],
)
def test_unfit_answers(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        accept_answer(make_offer(OURS, 4000), sdp(*lines))
    assert caught.value.status_hint == 488


def test_both_ends_agree() -> None:
    offer = make_offer(OURS, 4000)
    got = make_answer(offer, "192.0.2.9", 6000)
    muxed = ReportPlace(mux=True)
    assert got.session == MediaSession(OURS, 4000, "PCMU", 0, 0, 101, 101, reports=muxed)
    theirs = MediaSession("192.0.2.9", 6000, "PCMU", 0, 0, 101, 101, reports=muxed)
    assert accept_answer(offer, got.description) == theirs


def test_preferences_are_a_parameter() -> None:
    g722 = Codec("G722", 8_000, 9)
    offer = make_offer(OURS, 4000, (g722, PCMA))
    assert make_answer(offer, "192.0.2.9", 6000, (PCMU, g722)).session.codec == "G722"
    assert make_answer(offer, "192.0.2.9", 6000, DEFAULT_PREFERENCES).session.codec == "PCMA"
    with pytest.raises(NotAcceptable):
        make_answer(offer, "192.0.2.9", 6000, (PCMU, DTMF))


def test_a_version_grows_only_with_the_content() -> None:
    session = LocalSession(9)
    session, first = session.publish(make_offer(OURS, 4000))
    session, second = session.publish(make_offer(OURS, 4000, version=77))
    assert second == first
    assert (first.origin.session_id, first.origin.version) == ("9", "1")
    session, third = session.publish(make_offer(OURS, 4000, direction=SENDONLY))
    assert third.origin.version == "2"
    session, fourth = session.publish(make_offer(OURS, 4000))
    assert fourth.origin.version == "3"
    assert session.last == fourth
