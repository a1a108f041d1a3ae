"""Refreshes of ours and every answer that they can get (RFC 4028 §7.4, §10), the peer's side written by hand."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import OFFER, RawPeer, datagram
from tests.unit.sip.test_referred import answer
from voicegw.sip.events import CallEnded, EndedBy
from voicegw.sip.message import Request
from voicegw.sip.parser import parse

WISH = ("Supported: timer", "Session-Expires: 600;refresher=uas")
UPDATES = "Allow: INVITE, ACK, BYE, UPDATE"


def refreshed(*lines: str) -> tuple[RawPeer, Request, str]:
    """A call whose first refresh by us is under way, at half of 600 s; with our tag."""
    peer = RawPeer()
    peer.send(datagram("INVITE", *WISH, *lines, body=OFFER))
    handle = next(iter(peer.agent._core.calls))
    peer.agent.accept(handle, b"v=0\r\nanswer", peer.now)
    (response,) = peer.responses()
    tag = (response.headers.get("To") or "").partition("tag=")[2]
    peer.send(datagram("ACK", to_tag=tag, branch="ack"))
    assert requests(peer.wait(299.999)) == []
    (request,) = requests(peer.wait(0.001))
    return peer, request, tag


def requests(datagrams: list[bytes]) -> list[Request]:
    return [message for data in datagrams if isinstance(message := parse(data), Request)]


def again(peer: RawPeer, seconds: float) -> tuple[float, Request]:
    """The next request within this time, and when it came."""
    start = peer.now
    while (deadline := peer.agent.get_timer()) is not None and deadline <= start + seconds:
        found = requests(peer.wait(deadline - peer.now))
        if found:
            return peer.now - start, found[0]
    raise AssertionError("nothing was sent")


def reply(peer: RawPeer, request: Request, status: int, *lines: str) -> list[Request]:
    """Answer, and return what follows at once."""
    copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    data = "\r\n".join([f"SIP/2.0 {status} X", *copied, *lines, "Content-Length: 0", "", ""]).encode()
    peer.agent.receive_datagram(data, peer.sent_to[-1], peer.now)
    return requests(peer.taken())


def test_an_update_without_an_offer_where_the_peer_takes_one() -> None:
    peer, update, _ = refreshed(UPDATES)
    assert (update.method, update.body) == ("UPDATE", b"")
    assert update.headers.get("Session-Expires") == "600;refresher=uac"
    reply(peer, update, 200, "Require: timer", "Session-Expires: 600;refresher=uac")
    after, following = again(peer, 400)
    assert (after, following.method) == (300, "UPDATE")


def test_the_same_description_again_where_it_does_not() -> None:
    peer, reinvite, _ = refreshed()
    assert (reinvite.method, reinvite.body) == ("INVITE", b"v=0\r\nanswer")
    (ack,) = reply(peer, reinvite, 200, "Session-Expires: 600;refresher=uac", "Contact: <sip:c@198.51.100.4:5080>")
    assert ack.method == "ACK"
    after, following = again(peer, 400)
    assert (after, following.method) == (300, "INVITE")


@pytest.mark.parametrize("status", [405, 488, 501])
def test_an_update_that_is_not_taken_after_all_is_followed_by_a_reinvite(status: int) -> None:
    peer, update, _ = refreshed(UPDATES)
    (reinvite,) = reply(peer, update, status)
    assert reinvite.method == "INVITE"


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_glare_is_tried_again_within_the_time_of_who_does_not_own_the_call_id(method: str) -> None:
    peer, request, _ = refreshed(*((UPDATES,) if method == "UPDATE" else ()))
    reply(peer, request, 491)
    after, following = again(peer, 5)
    assert following.method == method
    assert 0 <= after <= 2


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_500_is_tried_again_when_the_peer_says(method: str) -> None:
    peer, request, _ = refreshed(*((UPDATES,) if method == "UPDATE" else ()))
    reply(peer, request, 500, "Retry-After: 7 (busy)")
    after, following = again(peer, 20)
    assert (round(after, 3), following.method) == (7, method)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_422_is_tried_again_at_once_with_what_the_peer_wants(method: str) -> None:
    peer, request, _ = refreshed(*((UPDATES,) if method == "UPDATE" else ()))
    following = reply(peer, request, 422, "Min-SE: 900")[-1]
    assert following.method == method
    assert following.headers.get("Session-Expires") == "900;refresher=uac"
    assert following.headers.get("Min-SE") == "900"


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("status", [408, 481])
def test_a_peer_that_lost_the_call_ends_it(method: str, status: int) -> None:
    peer, request, _ = refreshed(*((UPDATES,) if method == "UPDATE" else ()))
    following = reply(peer, request, status)
    assert following[-1].method == "BYE"
    assert isinstance(peer.events[-1], CallEnded) and peer.events[-1].ended_by is EndedBy.DIALOG_LOST


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_silence_ends_the_call(method: str) -> None:
    peer, _, _ = refreshed(*((UPDATES,) if method == "UPDATE" else ()))
    assert requests(peer.wait(32))[-1].method == "BYE"
    assert isinstance(peer.events[-1], CallEnded) and peer.events[-1].ended_by is EndedBy.NO_RESPONSE


def test_the_peers_own_refresh_is_as_good() -> None:
    peer, update, tag = refreshed(UPDATES)
    reply(peer, update, 200, "Require: timer", "Session-Expires: 600;refresher=uac")
    peer.wait(200)
    response = peer.one(datagram("UPDATE", *WISH, to_tag=tag, branch="u", cseq=2))
    assert response.headers.get("Session-Expires") == "600;refresher=uas"
    assert again(peer, 400)[0] == 300
    brief = datagram("UPDATE", "Supported: timer", "Session-Expires: 10", to_tag=tag, branch="v", cseq=3)
    refusal = peer.one(brief)
    assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")


def test_an_end_by_expiry_says_so() -> None:
    peer, update, _ = refreshed(UPDATES)
    (reinvite,) = reply(peer, update, 488)
    reply(peer, reinvite, 488)
    sent = requests(peer.wait(300))
    assert (sent[-1].method, sent[-1].headers.get("Reason")) == ("BYE", 'SIP;cause=408;text="Session expired"')
    assert peer.now == 600
    ended = peer.events[-1]
    assert isinstance(ended, CallEnded) and ended.ended_by is EndedBy.SESSION_EXPIRED
    answer(peer, sent[-1])
