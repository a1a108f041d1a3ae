"""Text in and out of calls (RFC 3428), with the peer's side written by hand."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import RawPeer, datagram
from tests.unit.sip.test_referred import answer
from voicegw.sip.events import MessageAnswered, MessageReceived
from voicegw.sip.message import Request
from voicegw.sip.parser import parse

PLAIN = "Content-Type: text/plain;charset=UTF-8"


def message(*lines: str, body: bytes = "Grüße".encode(), tag: str = "", cseq: int = 2) -> bytes:
    outside = {} if tag else {"call_id": "Call-ID: outside"}
    return datagram("MESSAGE", *(lines or (PLAIN,)), body=body, to_tag=tag, branch=f"m{cseq}", cseq=cseq, **outside)


def test_text_in_a_call_is_passed_up_once() -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    peer.events.clear()
    assert peer.one(message(tag=tag)).status == 200
    assert peer.one(message(tag=tag)).status == 200
    assert peer.events == [MessageReceived(handle, "sip:caller@198.51.100.4", "sip:demo@192.0.2.2", "Grüße")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (("Content-Type: message/cpim",), 415),
        (("Content-Type: application/im-iscomposing+xml",), 415),
    ],
)
def test_what_is_no_plain_text_is_refused(data: tuple[str, ...], status: int) -> None:
    peer = RawPeer()
    _, tag = peer.call()
    response = peer.one(message(*data, tag=tag))
    assert (response.status, response.headers.get("Accept")) == (status, "text/plain")


def test_empty_and_long_texts() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(message(body=b"", tag=tag)).status == 415
    assert peer.one(message(body=b"x" * 1301, tag=tag, cseq=3)).status == 413


def test_strangers_do_not_write_unless_they_may() -> None:
    peer = RawPeer()
    refused = peer.one(message())
    assert refused.status == 405
    assert "MESSAGE" not in (refused.headers.get("Allow") or "")
    assert peer.agent.transactions == 0
    peer = RawPeer(accept_messages=True)
    assert peer.one(message()).status == 202
    assert peer.one(message()).status == 202
    assert peer.events == [MessageReceived(None, "sip:caller@198.51.100.4", "sip:demo@192.0.2.2", "Grüße")]
    peer.agent.drain()
    assert peer.one(message(cseq=3)).status == 503


@pytest.mark.parametrize("status", [200, 415])
def test_text_of_ours_is_answered(status: int) -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert peer.agent.send_message(handle, "Grüße", peer.now)
    (sent,) = peer.taken()
    request = parse(sent)
    assert isinstance(request, Request)
    assert (request.body.decode(), request.headers.get("Content-Type")) == ("Grüße", "text/plain;charset=UTF-8")
    answer(peer, request, status)
    assert peer.events[-1] == MessageAnswered(handle, status)


def test_silence_and_what_cannot_be_sent() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert not peer.agent.send_message(handle, "x" * 1301, peer.now)
    assert peer.agent.send_message(handle, "x", peer.now)
    peer.wait(33)
    assert peer.events[-1] == MessageAnswered(handle, 408)
    assert not RawPeer().agent.send_message(handle, "x", 0.0)
