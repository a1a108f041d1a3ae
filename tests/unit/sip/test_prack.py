"""PRACK as a caller writes it by hand: what is acknowledged, what is not, and what it may carry (RFC 3262 §3)."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import RawPeer, datagram
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import OfferAnswered, OfferReceived, SipCallHandle
from voicegw.sip.message import Response
from voicegw.sip.provisional import ReliablePolicy

REQUIRED = "Require: 100rel"
SUPPORTED = "Supported: 100rel"
ANSWER = b"v=0\r\nanswer"


def ringing(peer: RawPeer, status: int = 183, body: bytes = b"v=0\r\noffer") -> tuple[SipCallHandle, Response]:
    """Call with 100rel required; returns the handle and our reliable response."""
    (trying,) = peer.send(datagram("INVITE", REQUIRED, body=body))
    assert trying.status == 100
    handle = SipCallHandle(1)
    peer.agent.ring(handle, peer.now, status, ANSWER if status == 183 else b"")
    (response,) = peer.responses()
    return handle, response


def tag_of(response: Response) -> str:
    return (response.headers.get("To") or "").partition("tag=")[2]


def prack(peer: RawPeer, response: Response, rack: str, cseq: int = 2, body: bytes = b"") -> list[Response]:
    line = (f"RAck: {rack}",) if rack else ()
    return peer.send(datagram("PRACK", *line, cseq=cseq, branch=f"prack{cseq}", to_tag=tag_of(response), body=body))


def test_a_reliable_response_says_so_and_has_what_a_dialog_needs() -> None:
    _, response = ringing(RawPeer())
    assert response.headers.values("Require") == ("100rel",)
    assert 1 <= int(response.headers.get("RSeq") or "0") < 2**31
    assert response.headers.get("Contact") == "<sip:192.0.2.2:5060>"
    assert "UPDATE" in response.headers.values("Allow")
    assert response.body == ANSWER


@pytest.mark.parametrize("wrong", ["{next} 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 UPDATE", "0 1 INVITE"])
def test_what_acknowledges_nothing_gets_481_and_stops_nothing(wrong: str) -> None:
    peer = RawPeer()
    _, response = ringing(peer)
    rseq = int(response.headers.get("RSeq") or "0")
    (answer,) = prack(peer, response, wrong.format(rseq=rseq, next=rseq + 1))
    assert answer.status == 481
    assert len(peer.wait(0.5)) == 1, "the 183 again"
    (answer,) = prack(peer, response, f"{rseq} 1 INVITE", cseq=3)
    assert answer.status == 200
    assert peer.wait(31.0) == []
    (answer,) = prack(peer, response, f"{rseq} 1 INVITE", cseq=4)
    assert answer.status == 481
    assert peer.counters.get(SipCounter.STRAY_PRACK) == 2


@pytest.mark.parametrize("broken", ["", "x 1 INVITE", "1 INVITE", "99999999999 1 INVITE"])
def test_a_broken_rack_gets_400(broken: str) -> None:
    peer = RawPeer()
    _, response = ringing(peer)
    (answer,) = prack(peer, response, broken)
    assert answer.status == 400


def test_a_repeated_prack_gets_its_answer_again() -> None:
    peer = RawPeer()
    _, response = ringing(peer)
    rack = f"{response.headers.get('RSeq')} 1 INVITE"
    assert [answer.status for answer in prack(peer, response, rack)] == [200]
    assert [answer.status for answer in prack(peer, response, rack)] == [200]


def test_a_prack_may_offer_once_the_first_offer_is_answered() -> None:
    peer = RawPeer()
    handle, response = ringing(peer)
    assert prack(peer, response, f"{response.headers.get('RSeq')} 1 INVITE", body=b"v=0\r\nnew") == []
    assert peer.events[-1] == OfferReceived(handle, b"v=0\r\nnew")
    peer.agent.accept(handle, ANSWER, peer.now)
    assert peer.responses() == [], "the 200 waits for the answer to the PRACK"
    peer.agent.answer_offer(handle, b"v=0\r\nagreed", peer.now)
    of_prack, of_invite = peer.responses()
    assert (of_prack.status, of_prack.body) == (200, b"v=0\r\nagreed")
    assert (of_invite.status, of_invite.body) == (200, b"")
    assert (of_prack.headers.get("CSeq"), of_invite.headers.get("CSeq")) == ("2 PRACK", "1 INVITE")


def test_a_prack_may_not_offer_while_the_first_offer_is_open() -> None:
    peer = RawPeer()
    handle, response = ringing(peer, 180)
    (answer,) = prack(peer, response, f"{response.headers.get('RSeq')} 1 INVITE", body=b"v=0\r\nnew")
    assert answer.status == 488
    peer.agent.accept(handle, ANSWER, peer.now)
    assert peer.responses()[0].body == ANSWER


def test_a_prack_without_the_answer_that_is_due_leaves_the_offer_to_the_200() -> None:
    peer = RawPeer()
    handle, response = ringing(peer, body=b"")
    assert response.body == ANSWER
    (answer,) = prack(peer, response, f"{response.headers.get('RSeq')} 1 INVITE")
    assert answer.status == 200
    assert peer.events[-1] == OfferAnswered(handle, b"")
    peer.agent.accept(handle, ANSWER, peer.now)
    (ok,) = peer.responses()
    assert ok.body == ANSWER


def test_a_caller_that_knows_nothing_of_it_gets_plain_responses() -> None:
    peer = RawPeer()
    handle = peer.invite()
    assert not peer.agent.takes_reliable(handle)
    peer.agent.ring(handle, peer.now, 183, ANSWER)
    (response,) = peer.responses()
    assert ("Require" in response.headers, "RSeq" in response.headers, response.body) == (False, False, ANSWER)


def test_a_caller_that_supports_it_gets_media_reliably_and_the_rest_plainly() -> None:
    peer = RawPeer()
    peer.send(datagram("INVITE", SUPPORTED, body=b"v=0\r\noffer"))
    handle = SipCallHandle(1)
    peer.agent.ring(handle, peer.now)
    (ringing_response,) = peer.responses()
    assert "RSeq" not in ringing_response.headers
    peer.agent.ring(handle, peer.now, 183, ANSWER)
    (response,) = peer.responses()
    assert "RSeq" in response.headers


@pytest.mark.parametrize(
    ("policy", "line", "expected"),
    [
        (ReliablePolicy.ALWAYS, SUPPORTED, [True, True]),
        (ReliablePolicy.ALWAYS, "Subject: x", [False, False]),
        (ReliablePolicy.REQUIRED, SUPPORTED, [False, False]),
        (ReliablePolicy.REQUIRED, REQUIRED, [True, True]),
    ],
)
def test_policies(policy: ReliablePolicy, line: str, expected: list[bool]) -> None:
    peer = RawPeer(reliable=policy)
    peer.send(datagram("INVITE", line, body=b"v=0\r\noffer"))
    handle = SipCallHandle(1)
    assert peer.agent.takes_reliable(handle) is expected[1]
    peer.agent.ring(handle, peer.now)
    (ringing_response,) = peer.responses()
    if expected[0]:
        prack(peer, ringing_response, f"{ringing_response.headers.get('RSeq')} 1 INVITE")
    peer.agent.ring(handle, peer.now, 183, ANSWER)
    (response,) = peer.responses()
    assert ["RSeq" in ringing_response.headers, "RSeq" in response.headers] == expected
    assert response.body == ANSWER


def test_an_offer_of_ours_does_not_go_out_unreliably() -> None:
    peer = RawPeer()
    peer.send(datagram("INVITE"))
    peer.agent.ring(SipCallHandle(1), peer.now, 183, ANSWER)
    (response,) = peer.responses()
    assert (response.status, response.body) == (183, b"")


def test_prack_outside_a_call_gets_481() -> None:
    peer = RawPeer()
    assert peer.one(datagram("PRACK", "RAck: 1 1 INVITE")).status == 481
    assert peer.one(datagram("PRACK", "RAck: 1 1 INVITE", to_tag="x")).status == 481
