"""REFER received (RFC 3515), with the peer's side written by hand."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import HERE, RawPeer, datagram
from voicegw.sip.events import CallEnded, ReferConcluded, ReferReceived, SipCallHandle
from voicegw.sip.message import Request
from voicegw.sip.parser import parse

TARGET = "sip:desk@203.0.113.5:5070"


def refer(tag: str, *extra: str, to: str = f"<{TARGET}>", cseq: int = 2) -> bytes:
    return datagram("REFER", f"Refer-To: {to}", *extra, to_tag=tag, branch=f"r{cseq}", cseq=cseq)


def notifies(peer: RawPeer) -> list[Request]:
    requests = [parse(data) for data in peer.taken()]
    return [request for request in requests if isinstance(request, Request) and request.method == "NOTIFY"]


def answer(peer: RawPeer, request: Request, status: int = 200) -> None:
    lines = [f"SIP/2.0 {status} Whatever"]
    lines += [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    peer.send("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())


def asked(peer: RawPeer, *extra: str) -> tuple[SipCallHandle, str]:
    handle, tag = peer.call()
    assert peer.send(refer(tag, *extra)) == [], "nobody decides but the owner"
    return handle, tag


def test_what_came_of_it_is_told_by_notify() -> None:
    peer = RawPeer()
    handle, tag = asked(peer, "Referred-By: <sip:boss@198.51.100.4>")
    assert peer.events[-1] == ReferReceived(handle, TARGET, "", "<sip:boss@198.51.100.4>")
    assert peer.send(refer(tag)) == [], "a retransmission is told once"
    peer.agent.answer_refer(handle, 202, peer.now)
    accepted, trying = (parse(data) for data in peer.taken())
    assert not isinstance(accepted, Request) and accepted.status == 202
    assert accepted.headers.get("Contact") == f"<sip:{HERE}>"
    assert isinstance(trying, Request)
    assert trying.headers.get("Event") == "refer"
    assert trying.headers.get("Subscription-State") == "active;expires=180"
    assert trying.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    assert trying.body == b"SIP/2.0 100 Trying\r\n"
    answer(peer, trying)
    peer.agent.notify_refer(handle, 180, peer.now)
    (ringing,) = notifies(peer)
    answer(peer, ringing)
    peer.agent.notify_refer(handle, 200, peer.now)
    (over,) = notifies(peer)
    assert (over.body, over.headers.get("Subscription-State")) == (
        b"SIP/2.0 200 OK\r\n",
        "terminated;reason=noresource",
    )
    assert not any(isinstance(event, ReferConcluded) for event in peer.events)
    answer(peer, over)
    assert peer.events[-1] == ReferConcluded(handle)
    peer.agent.notify_refer(handle, 180, peer.now)
    assert peer.taken() == [], "the last word was said"


def test_a_second_refer_of_a_dialog_has_its_id() -> None:
    peer = RawPeer()
    handle, tag = asked(peer)
    assert peer.one(refer(tag, cseq=3)).status == 500, "one at a time"
    peer.agent.answer_refer(handle, 603, peer.now)
    assert [response.status for response in peer.responses()] == [603]
    peer.send(refer(tag, cseq=4))
    peer.agent.answer_refer(handle, 202, peer.now)
    (trying,) = notifies(peer)
    assert trying.headers.get("Event") == "refer;id=4"


def test_norefersub_is_honoured() -> None:
    peer = RawPeer()
    handle, _ = asked(peer, "Refer-Sub: false", "Require: norefersub")
    peer.agent.answer_refer(handle, 202, peer.now)
    (accepted,) = peer.responses()
    assert accepted.headers.get("Refer-Sub") == "false"
    peer.agent.notify_refer(handle, 200, peer.now)
    assert peer.taken() == []
    assert peer.events[-1] == ReferConcluded(handle)


@pytest.mark.parametrize("to", ["desk", "<tel:+15551234>", "<sip:a@b?Replaces=x>", "<sip:a@b;method=BYE>"])
def test_what_cannot_be_called_is_refused_at_once(to: str) -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(refer(tag, to=to)).status in (400, 416, 501)
    assert not any(isinstance(event, ReferReceived) for event in peer.events)


def test_two_targets_none_and_strangers() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(refer(tag, "Refer-To: <sip:b@b>")).status == 400
    assert peer.one(datagram("REFER", to_tag=tag, cseq=3, branch="none")).status == 400
    assert peer.one(datagram("REFER", f"Refer-To: <{TARGET}>", call_id="Call-ID: other", branch="x")).status == 403
    assert peer.one(refer("nobody", cseq=9)).status == 481


def test_a_call_that_ends_before_the_answer_still_gets_one() -> None:
    peer = RawPeer()
    handle, tag = asked(peer)
    assert peer.one(datagram("BYE", to_tag=tag, branch="bye", cseq=3)).status == 200
    peer.agent.answer_refer(handle, 202, peer.now)
    assert [response.status for response in peer.responses()] == [481]
    peer.wait(40)
    assert peer.agent.transactions == 0


@pytest.mark.parametrize("silence", [True, False])
def test_a_peer_that_does_not_want_to_hear_is_not_told(silence: bool) -> None:
    peer = RawPeer()
    handle, _ = asked(peer)
    peer.agent.answer_refer(handle, 202, peer.now)
    (trying,) = notifies(peer)
    if silence:
        peer.wait(33)
    else:
        answer(peer, trying, 481)
    peer.agent.notify_refer(handle, 200, peer.now)
    assert notifies(peer) == []
    assert peer.events[-1] == ReferConcluded(handle)


def test_a_replaces_in_the_target_is_passed_on_and_nothing_else() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    to = "<sip:a@203.0.113.5?Replaces=c%40d%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=hack>"
    peer.send(refer(tag, to=to))
    event = peer.events[-1]
    assert isinstance(event, ReferReceived)
    assert (event.target, event.replaces) == ("sip:a@203.0.113.5", "c@d;to-tag=1;from-tag=2")
    assert not any(isinstance(event, CallEnded) for event in peer.events)
