"""Keys of ours by INFO, with the peer's side written by hand."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import PEER, RawPeer
from voicegw.sip.events import CallEnded, EndedBy, KeysSent
from voicegw.sip.info_keys import InfoKey, read_info_key, write_info_key
from voicegw.sip.message import Request
from voicegw.sip.parser import parse

RELAY = "application/dtmf-relay"
REST_S = 0.26
"""A key of 160 ms and the gap behind it."""


def pressed(sent: list[bytes]) -> Request:
    """The one INFO among what the agent sent, which is nothing else."""
    (one,) = sent
    request = parse(one)
    assert isinstance(request, Request)
    assert (request.method, request.headers.get("Content-Type")) == ("INFO", RELAY)
    return request


def answer(peer: RawPeer, request: Request, status: int) -> list[bytes]:
    """Answer it; returns what the agent sends then."""
    lines = [f"SIP/2.0 {status} Whatever"]
    lines += [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    data = "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()
    peer.agent.receive_datagram(data, PEER, peer.now)
    return peer.taken()


def test_keys_go_one_at_a_time_each_after_the_answer_and_the_end_of_the_last() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    peer.events.clear()
    assert peer.agent.send_keys(handle, "5a", peer.now)
    assert peer.agent.send_keys(handle, "#", peer.now)
    sent = peer.taken()
    for expected in ("5", "A", "#"):
        request = pressed(sent)
        assert request.body == f"Signal={expected}\r\nDuration=160\r\n".encode()
        assert answer(peer, request, 200) == []
        sent = peer.wait(REST_S)
    assert sent == []
    assert peer.events == [KeysSent(handle, "5A", 200), KeysSent(handle, "#", 200)]


def test_a_slow_answer_is_the_only_pause() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert peer.agent.send_keys(handle, "12", peer.now)
    first = pressed(peer.taken())
    assert peer.wait(REST_S) == []
    assert pressed(answer(peer, first, 200)).body.startswith(b"Signal=2")


def test_an_order_follows_the_last_one_with_its_gap() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert peer.agent.send_keys(handle, "1", peer.now)
    answer(peer, pressed(peer.taken()), 200)
    assert peer.agent.send_keys(handle, "2", peer.now)
    assert peer.taken() == []
    assert pressed(peer.wait(REST_S)).body.startswith(b"Signal=2")


def test_a_refusal_ends_its_order_and_the_next_one_goes_on() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    peer.events.clear()
    assert peer.agent.send_keys(handle, "123", peer.now)
    assert peer.agent.send_keys(handle, "9", peer.now)
    answer(peer, pressed(peer.taken()), 200)
    answer(peer, pressed(peer.wait(REST_S)), 415)
    assert pressed(peer.wait(REST_S)).body.startswith(b"Signal=9")
    assert peer.events == [KeysSent(handle, "1", 415)]


def ended(peer: RawPeer) -> tuple[KeysSent, EndedBy]:
    """The last two things that were told: how far keys came, and how the call ended."""
    told, end = peer.events[-2:]
    assert isinstance(told, KeysSent)
    assert isinstance(end, CallEnded)
    return told, end.ended_by


def test_silence_ends_the_call() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert peer.agent.send_keys(handle, "1", peer.now)
    peer.wait(33)
    assert ended(peer) == (KeysSent(handle, "", 408), EndedBy.NO_RESPONSE)


@pytest.mark.parametrize("status", [408, 481])
def test_who_does_not_know_the_call_any_more_gets_a_bye(status: int) -> None:
    """RFC 3261 §12.2.1.2, RFC 5057 §5.1."""
    peer = RawPeer()
    handle, _ = peer.call()
    assert peer.agent.send_keys(handle, "12", peer.now)
    assert peer.agent.send_keys(handle, "9", peer.now)
    answer(peer, pressed(peer.taken()), 200)
    (bye,) = answer(peer, pressed(peer.wait(REST_S)), status)
    assert bye.startswith(b"BYE ")
    assert ended(peer) == (KeysSent(handle, "1", status), EndedBy.DIALOG_LOST)
    peer.wait(1)
    assert isinstance(peer.events[-1], CallEnded), "nothing more is pressed"


def test_nothing_is_pressed_or_told_after_the_end_of_the_call() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert peer.agent.send_keys(handle, "12", peer.now)
    answer(peer, pressed(peer.taken()), 200)
    peer.agent.bye(handle, peer.now)
    peer.taken()
    peer.events.clear()
    peer.wait(1)
    assert not any(b"INFO" in sent for sent in peer.taken())
    assert not any(isinstance(event, KeysSent) for event in peer.events)


@pytest.mark.parametrize("keys", ["", "x", "1,2", "1 2", "1" * 257])
def test_what_cannot_be_pressed(keys: str) -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    assert not peer.agent.send_keys(handle, keys, peer.now)
    assert peer.taken() == []
    assert not RawPeer().agent.send_keys(handle, "1", 0.0)


@pytest.mark.parametrize("digit", "0123456789*#ABCD")
def test_what_we_write_is_read_as_it_was_meant(digit: str) -> None:
    key = InfoKey(digit, 160)
    assert read_info_key(RELAY, write_info_key(key)) == key
