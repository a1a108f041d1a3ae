"""REFER and the NOTIFY that follows it (RFC 3515), with the peer's side written by hand."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import HERE, RawPeer, datagram
from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.events import CallEnded, ReferAnswered, ReferNotified, SipCallHandle
from voicegw.sip.message import Request, Response
from voicegw.sip.parser import parse
from voicegw.sip.refer import sipfrag_status

TARGET = "sip:desk@203.0.113.5"


def refer(peer: RawPeer) -> tuple[SipCallHandle, str, Request]:
    """A call whose peer has been asked to call somebody else."""
    handle, tag = peer.call()
    peer.events.clear()
    assert peer.agent.refer(handle, TARGET, peer.now)
    (sent,) = peer.taken()
    request = parse(sent)
    assert isinstance(request, Request) and request.method == "REFER"
    return handle, tag, request


def answer(peer: RawPeer, request: Request, status: int) -> None:
    lines = [f"SIP/2.0 {status} Whatever"]
    lines += [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    peer.send("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())


def notify(tag: str, body: bytes, state: str, cseq: int = 2, event: str = "refer", kind: str = "") -> bytes:
    return datagram(
        "NOTIFY",
        f"Event: {event}",
        f"Subscription-State: {state}",
        f"Content-Type: {kind or 'message/sipfrag;version=2.0'}",
        body=body,
        to_tag=tag,
        branch=f"n{cseq}",
        cseq=cseq,
    )


def test_headers_for_the_target_are_written_into_its_uri() -> None:
    peer = RawPeer()
    handle, _tag = peer.call()
    peer.events.clear()
    told = (("User-to-User", "04;encoding=hex"), ("X-Note", "a&b?\r\nVia: x"))
    assert peer.agent.refer(handle, TARGET, peer.now, headers=told)
    (sent,) = peer.taken()
    request = parse(sent)
    assert isinstance(request, Request)
    escaped = "User-to-User=04%3Bencoding%3Dhex&X-Note=a%26b?%0D%0AVia:%20x"
    assert request.headers.get("Refer-To") == f"<{TARGET}?{escaped}>"


def test_a_referred_call_is_followed_to_its_end() -> None:
    peer = RawPeer()
    handle, tag, request = refer(peer)
    assert request.headers.get("Refer-To") == f"<{TARGET}>"
    assert request.headers.get("Referred-By") == "<sip:demo@192.0.2.2>"
    assert request.headers.get("Contact") == f"<sip:{HERE}>"
    answer(peer, request, 202)
    ringing = notify(tag, b"SIP/2.0 180 Ringing\r\n", "active;expires=60")
    assert peer.one(ringing).status == 200
    assert peer.one(ringing).status == 200, "a retransmission is answered and told once"
    assert peer.one(notify(tag, b"SIP/2.0 200 OK", "terminated;reason=noresource", 3)).status == 200
    assert peer.events == [
        ReferAnswered(handle, 202),
        ReferNotified(handle, 180, False),
        ReferNotified(handle, 200, True),
    ]
    assert peer.one(notify(tag, b"SIP/2.0 200 OK", "terminated", 4)).status == 481, "the subscription is over"


def test_a_notify_may_come_before_the_202() -> None:
    peer = RawPeer()
    handle, tag, request = refer(peer)
    assert peer.one(notify(tag, b"SIP/2.0 100 Trying\r\n", "active")).status == 200
    answer(peer, request, 202)
    assert peer.events == [ReferNotified(handle, 100, False), ReferAnswered(handle, 202)]


@pytest.mark.parametrize("status", [403, 405, 501, 603])
def test_a_refusal_is_told_and_ends_the_subscription(status: int) -> None:
    peer = RawPeer()
    handle, tag, request = refer(peer)
    assert not peer.agent.refer(handle, TARGET, peer.now), "one at a time"
    answer(peer, request, status)
    assert peer.events == [ReferAnswered(handle, status)]
    assert peer.one(notify(tag, b"SIP/2.0 200 OK", "terminated")).status == 481
    assert peer.agent.refer(handle, TARGET, peer.now)


def test_silence_is_a_refusal() -> None:
    peer = RawPeer()
    handle, _, _ = refer(peer)
    peer.wait(33)
    assert peer.events == [ReferAnswered(handle, 408)]


def test_a_notify_without_a_refer_or_of_another_kind_is_refused() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(notify(tag, b"SIP/2.0 200 OK", "active")).status == 481
    assert peer.one(notify(tag, b"x", "active", 3, event="presence")).status == 489
    assert peer.one(notify("", b"x", "active", 4)).status == 481
    peer = RawPeer()
    _, tag, _ = refer(peer)
    assert peer.one(notify(tag, b"x", "active", kind="text/plain")).status == 415


def test_what_is_no_call_or_no_uri_is_not_referred() -> None:
    peer = RawPeer()
    handle = peer.invite()
    assert not peer.agent.refer(handle, TARGET, peer.now), "not answered yet"
    handle, _ = RawPeer().call()
    assert not peer.agent.refer(SipCallHandle(99), TARGET, peer.now)
    peer = RawPeer()
    handle, _ = peer.call()
    with pytest.raises(RemoteProtocolError):
        peer.agent.refer(handle, "tel:123", peer.now)


def test_the_caller_may_hang_up_while_we_wait() -> None:
    peer = RawPeer()
    _, tag, request = refer(peer)
    assert peer.one(datagram("BYE", to_tag=tag, branch="bye", cseq=2)).status == 200
    answer(peer, request, 202)
    assert [type(event) for event in peer.events] == [CallEnded]
    assert peer.one(notify(tag, b"SIP/2.0 200 OK", "terminated", 3)).status == 481


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"SIP/2.0 486 Busy Here\r\nTo: x\r\n", 486),
        (b"\r\nSIP/2.0 200", 200),
        (b"SIP/2.0 2000 OK", 0),
        (b"HTTP/1.1 200 OK", 0),
        (b"", 0),
    ],
)
def test_a_fragment_begins_with_a_status_line(body: bytes, status: int) -> None:
    assert sipfrag_status(body) == status


def test_responses_are_no_requests() -> None:
    assert isinstance(RawPeer().one(notify("", b"", "active")), Response)
