"""Recording sessions in the user agent: who may open one, what it is told, and what it says of itself."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import OFFER, PEER, RawPeer, datagram
from voicegw.sip.events import InviteReceived, MetadataReceived, OfferReceived, ReinviteReceived
from voicegw.sip.incoming import Incoming, read_request
from voicegw.sip.message import Request
from voicegw.sip.parser import parse
from voicegw.sip.screening import Refusal, screen
from voicegw.sip.siprec import is_recording_session, metadata_of

CLIENT = "Contact: <sip:src@198.51.100.4:5080>;+sip.src"
REQUIRED = "Require: SIPREC"
DOCUMENT = b"<recording/>"
METADATA = "Content-Type: application/rs-metadata+xml"
TWO_PARTS = (
    b"--b\r\nContent-Type: application/sdp\r\n\r\n" + OFFER + b"\r\n--b\r\n"
    b"Content-Disposition: recording-session\r\nContent-Type: application/rs-metadata+xml\r\n\r\n"
    + DOCUMENT
    + b"\r\n--b--\r\n"
)
MULTIPART = "Content-Type: multipart/mixed;boundary=b"


def read(data: bytes) -> Incoming:
    message = parse(data)
    assert isinstance(message, Request)
    return read_request(message, PEER)


def test_the_extension_is_refused_by_name_but_to_those_who_may() -> None:
    response = RawPeer().one(datagram("INVITE", REQUIRED, body=OFFER))
    assert (response.status, response.headers.get("Unsupported")) == (420, "SIPREC")
    invite = read(datagram("INVITE", REQUIRED, "Require: other", body=OFFER))
    assert screen(invite, records=lambda _incoming: True) == Refusal(420, (("Unsupported", "other"),))
    assert screen(read(datagram("INVITE", REQUIRED, body=OFFER)), records=lambda _incoming: True) is None


@pytest.mark.parametrize(
    ("line", "contact", "recording"),
    [
        (REQUIRED, "Contact: <sip:a@b>", True),
        ("Supported: siprec", CLIENT, True),
        ("Supported: siprec", "Contact: <sip:a@b>", False),
        ("Supported: siprec", "Contact: <sip:a@b;+sip.src>", False),
        ("Require: siprecs", 'Contact: "+sip.src" <sip:a@b>', False),
    ],
)
def test_what_a_recording_session_is(line: str, contact: str, recording: bool) -> None:
    assert is_recording_session(read(datagram("INVITE", line, contact=contact)).request) is recording


def test_both_parts_are_found_and_our_answer_says_what_we_are() -> None:
    peer = RawPeer()
    peer.send(datagram("INVITE", MULTIPART, body=TWO_PARTS, contact=CLIENT))
    event = peer.events[-1]
    assert isinstance(event, InviteReceived) and event.recording
    assert (event.body, metadata_of(event.request)) == (OFFER, DOCUMENT)
    peer.agent.accept(event.handle, b"v=0\r\nanswer", peer.now)
    (response,) = peer.responses()
    assert (response.headers.get("Contact") or "").endswith(">;+sip.srs")
    assert "siprec" in response.headers.values("Supported")


def test_metadata_comes_before_what_it_came_with() -> None:
    peer = RawPeer()
    peer.send(datagram("INVITE", body=OFFER, contact=CLIENT))
    (handle,) = [event.handle for event in peer.events if isinstance(event, InviteReceived)]
    peer.agent.accept(handle, b"v=0\r\nanswer", peer.now)
    tag = (peer.responses()[0].headers.get("To") or "").partition("tag=")[2]
    peer.send(datagram("ACK", to_tag=tag, branch="ack"))
    peer.send(datagram("INVITE", MULTIPART, cseq=2, branch="2", to_tag=tag, body=TWO_PARTS))
    assert peer.events[-2:] == [MetadataReceived(handle, DOCUMENT), ReinviteReceived(handle, OFFER)]
    peer.agent.answer_reinvite(handle, b"v=0\r\nanswer", peer.now)
    peer.send(datagram("ACK", cseq=2, to_tag=tag, branch="ack2"))
    peer.send(datagram("UPDATE", MULTIPART, cseq=3, branch="3", to_tag=tag, body=TWO_PARTS))
    assert peer.events[-2:] == [MetadataReceived(handle, DOCUMENT), OfferReceived(handle, OFFER)]
    peer.agent.answer_offer(handle, b"v=0\r\nanswer", peer.now)
    peer.taken()
    response = peer.one(datagram("UPDATE", METADATA, cseq=4, branch="4", to_tag=tag, body=DOCUMENT))
    assert response.status == 200 and peer.events[-1] == MetadataReceived(handle, DOCUMENT)
    assert (response.headers.get("Contact") or "").endswith(";+sip.srs")


def test_metadata_of_any_other_call_is_left_alone() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    told = len(peer.events)
    assert peer.one(datagram("UPDATE", METADATA, cseq=2, branch="2", to_tag=tag, body=DOCUMENT)).status == 200
    assert len(peer.events) == told


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/mixed;boundary=", "text/plain", ""])
def test_a_body_that_cannot_be_taken_apart_has_no_metadata(kind: str) -> None:
    request = read(datagram("INFO", f"Content-Type: {kind}", body=TWO_PARTS)).request
    assert metadata_of(request) == b""
