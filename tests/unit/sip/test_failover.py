"""Servers that fail: who is passed over, for how long, and an INVITE that loses its patience (RFC 3263 §4.3)."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import PEER, RawPeer
from voicegw.sip.address import Address, Transport
from voicegw.sip.events import Answered, CallEnded, EndedBy, SipCallHandle
from voicegw.sip.failover import LONGEST_REST_S, MAX_LISTED, MAX_PROBES, Blacklist, retry_after
from voicegw.sip.message import Headers, Request
from voicegw.sip.parser import parse

A, B, C = (Address(f"192.0.2.{n}", 5060) for n in (1, 2, 3))


def test_who_failed_is_passed_over() -> None:
    blacklist = Blacklist(300)
    assert blacklist.order([A, B, C]) == [A, B, C]
    assert blacklist.add(A, 0)
    assert not blacklist.add(A, 1)
    assert blacklist.order([A, B, C]) == [B, C]
    assert blacklist.remove(A)
    assert not blacklist.remove(A)
    assert blacklist.order([A, B, C]) == [A, B, C]


def test_where_all_failed_all_are_tried() -> None:
    blacklist = Blacklist(300)
    blacklist.add(A, 0, 60)
    blacklist.add(B, 0, 10)
    blacklist.add(C, 0)
    assert blacklist.order([A, B, C]) == [B, A, C]


def test_a_server_is_a_place_and_a_transport() -> None:
    blacklist = Blacklist(300)
    blacklist.add(A._replace(flow=7, name="a.example.com"), 0)
    assert A in blacklist and A._replace(name="other") in blacklist
    assert A._replace(transport=Transport.TCP) not in blacklist


def test_the_end_of_a_rest_is_a_question() -> None:
    blacklist = Blacklist(300)
    assert (blacklist.next_probe(), blacklist.take_probes(0)) == (None, [])
    blacklist.add(A, 0)
    blacklist.add(B, 0, 20)
    assert (blacklist.next_probe(), blacklist.take_probes(19.9)) == (20, [])
    assert blacklist.take_probes(20) == [B]
    assert blacklist.order([A, B, C]) == [C], "it has not answered yet"
    assert blacklist.next_probe() == 300
    assert blacklist.take_probes(320) == [A, B]
    blacklist.remove(B)
    assert blacklist.order([A, B]) == [B]


def test_a_longer_rest_counts_and_none_is_endless() -> None:
    blacklist = Blacklist(300)
    blacklist.add(A, 0)
    blacklist.add(A, 10, 5)
    assert blacklist.next_probe() == 300
    blacklist.add(A, 10, 1e9)
    assert blacklist.next_probe() == 10 + LONGEST_REST_S


def test_who_never_answers_is_forgotten() -> None:
    blacklist = Blacklist(300)
    blacklist.add(A, 0)
    asked = [blacklist.take_probes(300.0 * n) for n in range(1, MAX_PROBES + 3)]
    assert asked == [[A]] * MAX_PROBES + [[], []]
    assert len(blacklist) == 0


def test_the_list_is_bounded() -> None:
    blacklist = Blacklist(300)
    for port in range(1, 2 * MAX_LISTED):
        blacklist.add(Address("192.0.2.9", port), 0)
    assert len(blacklist) == MAX_LISTED
    assert Address("192.0.2.9", 2 * MAX_LISTED - 1) in blacklist


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("18", 18.0),
        ("120 (in a meeting)", 120.0),
        ("5;duration=3600", 5.0),
        ("999999999", 3600.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read(value: str, seconds: float | None) -> None:
    assert retry_after(Headers((("Retry-After", value),))) == seconds
    assert retry_after(Headers()) is None


# -------------------------------------------------------------------- an INVITE that may go to another server


def invite(peer: RawPeer, **parts: object) -> tuple[SipCallHandle, Request]:
    handle = peer.agent.invite("sip:b@192.0.2.99", "<sip:us@192.0.2.2>;tag=mine", PEER, b"v=0", peer.now, **parts)  # type: ignore[arg-type]
    (sent,) = peer.taken()
    request = parse(sent)
    assert isinstance(request, Request)
    return handle, request


def answer(peer: RawPeer, request: Request, status: int) -> None:
    to = f"{request.headers.get('To')};tag=theirs"
    copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines = [f"SIP/2.0 {status} Whatever", *copied, f"To: {to}", "Contact: <sip:b@198.51.100.4:5080>"]
    peer.agent.receive_datagram("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), PEER, peer.now)


def methods(datagrams: list[bytes]) -> list[str]:
    return [data.split()[0].decode() for data in datagrams]


def test_the_next_attempt_is_the_same_request_on_another_branch() -> None:
    peer = RawPeer()
    _, first = invite(peer, call_id="one", patience_s=4.0)
    _, second = invite(peer, call_id="one")
    for name in ("From", "To", "Call-ID", "CSeq"):
        assert first.headers.get(name) == second.headers.get(name)
    assert first.headers.get("Via") != second.headers.get("Via")


def test_silence_ends_the_patience() -> None:
    peer = RawPeer()
    handle, request = invite(peer, patience_s=4.0)
    assert methods(peer.wait(3.99)) == ["INVITE"] * 3
    assert peer.events == []
    peer.wait(0.02)
    assert peer.events == [CallEnded(handle, EndedBy.NO_RESPONSE)]
    assert peer.wait(20) == [], "nothing is repeated any more"
    answer(peer, request, 100)
    assert methods(peer.taken()) == ["CANCEL"]
    peer.wait(100)
    assert (peer.agent.transactions, peer.agent.get_timer(), len(peer.events)) == (0, None, 1)


def test_an_answer_that_comes_too_late_is_hung_up() -> None:
    peer = RawPeer()
    handle, request = invite(peer, patience_s=4.0)
    peer.wait(5)
    answer(peer, request, 200)
    assert methods(peer.taken()) == ["ACK", "BYE"]
    assert peer.events == [CallEnded(handle, EndedBy.NO_RESPONSE)]


@pytest.mark.parametrize("status", [100, 180])
def test_any_sign_of_life_is_enough(status: int) -> None:
    peer = RawPeer()
    handle, request = invite(peer, patience_s=4.0)
    answer(peer, request, status)
    peer.wait(60)
    assert not [event for event in peer.events if isinstance(event, CallEnded)]
    answer(peer, request, 200)
    peer.taken()
    assert isinstance(peer.events[-1], Answered) and peer.events[-1].handle == handle


def test_who_hangs_up_first_needs_no_patience() -> None:
    peer = RawPeer()
    handle, _ = invite(peer, patience_s=4.0)
    peer.agent.cancel(handle, peer.now)
    peer.wait(60)
    assert peer.events == [CallEnded(handle, EndedBy.LOCAL_CANCEL)]
