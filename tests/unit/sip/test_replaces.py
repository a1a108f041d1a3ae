"""Replaces and Join received (RFC 3891 §3, RFC 3911 §4), and REFER with Replaces sent (RFC 5589 §7)."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import OFFER, PEER, RawPeer, datagram
from tests.unit.sip.test_referred import answer
from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.dialog import DialogId
from voicegw.sip.events import Answered, InviteReceived
from voicegw.sip.message import Request
from voicegw.sip.parser import parse
from voicegw.sip.replaces import ReferTarget, Replaces

CALL = "c1@198.51.100.4"


def replacing(header: str, name: str = "Replaces") -> bytes:
    return datagram("INVITE", f"{name}: {header}", body=OFFER, call_id="Call-ID: new", branch="new")


def test_an_invite_that_replaces_a_running_call_is_told_with_it() -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    peer.send(replacing(f"{CALL};to-tag={tag};from-tag=theirs"))
    event = peer.events[-1]
    assert isinstance(event, InviteReceived)
    assert (event.replaces, event.body) == (handle, OFFER)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"{CALL};to-tag=TAG;from-tag=theirs;early-only", 486),
        (f"{CALL};to-tag=TAG;from-tag=other", 481),
        (f"{CALL};to-tag=other;from-tag=theirs", 481),
        ("else@where;to-tag=TAG;from-tag=theirs", 481),
        (f"{CALL};to-tag=TAG", 400),
        (";to-tag=TAG;from-tag=theirs", 400),
        (f'{CALL};to-tag="', 400),
    ],
)
def test_what_does_not_fit_is_refused(header: str, status: int) -> None:
    peer = RawPeer()
    _, tag = peer.call()
    count = len(peer.events)
    assert peer.one(replacing(header.replace("TAG", tag))).status == status
    assert len(peer.events) == count


def test_a_call_that_is_over_or_not_answered_cannot_be_replaced() -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    peer.agent.bye(handle, peer.now)
    peer.taken()
    assert peer.one(replacing(f"{CALL};to-tag={tag};from-tag=theirs")).status == 603
    peer = RawPeer()
    ringing = peer.invite()
    peer.agent.ring(ringing, peer.now)
    (response,) = peer.responses()
    tag = (response.headers.get("To") or "").partition("tag=")[2]
    assert peer.one(replacing(f"{CALL};to-tag={tag};from-tag=theirs")).status == 481


def test_two_wishes_at_once_are_none() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    named = f"{CALL};to-tag={tag};from-tag=theirs"
    for second in ("Replaces", "Join"):
        data = datagram("INVITE", f"Replaces: {named}", f"{second}: {named}", call_id="Call-ID: n", branch=second)
        assert peer.one(data).status == 400


def test_join_is_refused_by_the_book() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(replacing("else@where;to-tag=1;from-tag=2", "Join")).status == 481
    assert peer.one(replacing(f"{CALL};to-tag={tag};from-tag=theirs", "Join")).status == 488
    required = datagram("INVITE", "Require: join", call_id="Call-ID: n", branch="required")
    assert (peer.one(required).status, peer.one(required).headers.get("Unsupported")) == (420, "join")


def test_the_peer_is_asked_to_take_our_place_in_another_call() -> None:
    peer = RawPeer()
    caller, _ = peer.call()
    target = peer.agent.invite("sip:desk@198.51.100.4", "sip:me@192.0.2.2", PEER, OFFER, peer.now)
    assert not peer.agent.refer(caller, "", peer.now, target), "not answered yet"
    (sent,) = peer.taken()
    invite = parse(sent)
    assert isinstance(invite, Request)
    lines = ["SIP/2.0 200 OK"] + [
        f"{name}: {invite.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")
    ]
    lines += [f"To: {invite.headers.get('To')};tag=d+1", "Contact: <sip:desk@198.51.100.9:5090>"]
    peer.send("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
    assert isinstance(peer.events[-1], Answered)
    peer.taken()
    assert peer.agent.refer(caller, "", peer.now, target)
    (sent,) = peer.taken()
    refer = parse(sent)
    assert isinstance(refer, Request)
    named = ReferTarget.parse(refer.headers.get("Refer-To") or "")
    assert named.uri == "sip:desk@198.51.100.9:5090"
    assert named.replaces is not None
    ours = (invite.headers.get("From") or "").partition("tag=")[2]
    assert named.replaces.dialog_id == DialogId(invite.headers.get("Call-ID") or "", "d+1", ours)
    assert refer.headers.get("Referred-By") == "<sip:demo@192.0.2.2>"
    answer(peer, refer, 202)


def test_what_is_written_can_be_read() -> None:
    one = Replaces("a;b@[::1]?&=%41 x".replace(" ", ""), "1~*", "2'")
    with pytest.raises(RemoteProtocolError):
        Replaces.parse(str(one))  # a semicolon in a Call-ID would end it
    for call_id in ("7x@10.0.0.1", "&=%41+?/:[]@h", '<>"\\@h'):
        target = ReferTarget("sip:a@h", Replaces(call_id, "to.tag", "from-tag", early_only=True))
        assert ReferTarget.parse(str(target)) == target
