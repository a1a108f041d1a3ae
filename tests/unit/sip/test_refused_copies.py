"""Copies of INVITEs that got 503: the same answer, whatever has changed, for as long as anybody repeats them."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import OFFER, PEER, RawPeer, datagram
from voicegw.sip.address import Address, Transport
from voicegw.sip.counters import refused
from voicegw.sip.events import InviteReceived, InviteRefused
from voicegw.sip.refused_copies import RefusedCopies


def invite(number: int) -> bytes:
    return datagram("INVITE", body=OFFER, branch=f"c{number}", call_id=f"Call-ID: c{number}")


def busy() -> RawPeer:
    peer = RawPeer()
    peer.agent.set_overloaded(True)
    return peer


def test_a_copy_gets_the_same_bytes_and_is_not_told_again() -> None:
    peer = busy()
    first = peer.send(invite(1))
    again = peer.send(invite(1))
    assert [one.status for one in first] == [503] and again == first
    assert sum(isinstance(event, InviteRefused) for event in peer.events) == 1
    assert peer.counters.get(refused(503)) == 2


def test_who_was_refused_gets_no_call_for_a_late_copy_and_the_next_caller_does() -> None:
    peer = busy()
    peer.send(invite(1))
    peer.agent.set_overloaded(False)
    peer.now += 31.0
    assert [one.status for one in peer.send(invite(1))] == [503]
    assert [one.status for one in peer.send(invite(2))] == [100]
    calls = [event for event in peer.events if isinstance(event, InviteReceived)]
    assert [event.request.headers.get("Call-ID") for event in calls] == ["c2"]


def test_another_source_and_a_much_later_time_are_no_copies() -> None:
    peer = busy()
    peer.send(invite(1))
    peer.agent.set_overloaded(False)
    assert [one.status for one in peer.send(invite(1), Address("203.0.113.99", 5060))] == [100]
    peer = busy()
    peer.send(invite(1))
    peer.agent.set_overloaded(False)
    peer.now += 33.0
    assert [one.status for one in peer.send(invite(1))] == [100]


def test_a_stream_loses_nothing_and_has_no_copies() -> None:
    peer = busy()
    by_tcp = Address(PEER.host, PEER.port, Transport.TCP, 7)
    peer.send(invite(1), by_tcp)
    peer.agent.set_overloaded(False)
    assert [one.status for one in peer.send(invite(1), by_tcp)] == [100]


@pytest.mark.parametrize("number", [0, 2048])
def test_so_many_are_remembered_and_the_oldest_is_forgotten_first(number: int) -> None:
    known = RefusedCopies()
    for one in range(2049):
        known.note(invite(one), PEER, b"answer", PEER, 0.0)
    assert len(known) == 2048
    assert known.answer_to(invite(number), PEER, 1.0) == ((b"answer", PEER) if number else None)


def test_a_long_answer_is_not_kept() -> None:
    copies = RefusedCopies()
    copies.note(b"INVITE 1", PEER, b"x" * 2048, PEER, 0.0)
    copies.note(b"INVITE 2", PEER, b"x" * 2049, PEER, 0.0)
    assert len(copies) == 1 and copies.answer_to(b"INVITE 2", PEER, 1.0) is None
