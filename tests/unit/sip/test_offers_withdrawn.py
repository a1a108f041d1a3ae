"""An offer that comes to nothing leaves room for the next one."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import RawPeer, datagram
from voicegw.sip.events import OfferReceived, ReinviteReceived
from voicegw.sip.message import Response

CHANGE = b"v=0\r\nchange"


def statuses(responses: list[Response]) -> list[int]:
    return [response.status for response in responses]


def test_a_cancelled_reinvite() -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    peer.send(datagram("INVITE", cseq=2, branch="2", to_tag=tag, body=CHANGE))
    assert statuses(peer.send(datagram("CANCEL", cseq=2, branch="2", to_tag=tag))) == [200, 487]
    peer.send(datagram("ACK", cseq=2, branch="2", to_tag=tag))
    assert peer.send(datagram("UPDATE", cseq=3, branch="3", to_tag=tag, body=CHANGE)) == []
    assert peer.events[-1] == OfferReceived(handle, CHANGE)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refused_change(method: str) -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    peer.send(datagram(method, cseq=2, branch="2", to_tag=tag, body=CHANGE))
    if method == "INVITE":
        peer.agent.answer_reinvite(handle, 488, peer.now)
    else:
        peer.agent.answer_offer(handle, 488, peer.now)
    assert statuses(peer.responses()) == [488]
    peer.send(datagram("INVITE", cseq=3, branch="3", to_tag=tag, body=CHANGE))
    assert peer.events[-1] == ReinviteReceived(handle, CHANGE)


def test_an_ack_without_the_answer_that_is_due() -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    peer.send(datagram("INVITE", cseq=2, branch="2", to_tag=tag))
    peer.agent.answer_reinvite(handle, b"v=0\r\nours", peer.now)
    peer.taken()
    update = datagram("UPDATE", cseq=3, branch="3", to_tag=tag, body=CHANGE)
    assert statuses(peer.send(update)) == [491], "our offer waits for its answer"
    peer.send(datagram("ACK", cseq=2, branch="ack2", to_tag=tag))
    peer.send(datagram("UPDATE", cseq=4, branch="4", to_tag=tag, body=CHANGE))
    assert peer.events[-1] == OfferReceived(handle, CHANGE)


def test_a_reinvite_while_an_update_waits_for_its_answer() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    peer.send(datagram("UPDATE", cseq=2, branch="2", to_tag=tag, body=CHANGE))
    (response,) = peer.send(datagram("INVITE", cseq=3, branch="3", to_tag=tag, body=CHANGE))
    assert response.status == 500
    assert 0 <= int(response.headers.get("Retry-After") or "-1") <= 10
