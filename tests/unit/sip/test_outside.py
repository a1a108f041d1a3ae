"""Requests outside calls: OPTIONS, REGISTER and their kin, with the peer's side written by hand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.sip.raw_peer import HERE, PEER, RawPeer
from voicegw.base.errors import LocalError
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import RequestAnswered, RequestFailed, RequestHandle
from voicegw.sip.message import Request
from voicegw.sip.outside import OutsideDialog
from voicegw.sip.parser import parse

TARGET = "sip:192.0.2.99"
US = "<sip:us@192.0.2.2>"


def ask(peer: RawPeer, **parts: object) -> tuple[RequestHandle, Request]:
    """Send an OPTIONS; its handle, and what went out."""
    handle = peer.agent.request("OPTIONS", TARGET, PEER, peer.now, **({"from_": US} | parts))  # type: ignore[arg-type]
    (sent,) = peer.taken()
    request = parse(sent)
    assert isinstance(request, Request)
    return handle, replace(request, headers=request.headers.without("Content-Length"))


def answer(peer: RawPeer, request: Request, status: int) -> None:
    lines = [f"SIP/2.0 {status} Whatever"]
    lines += [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    peer.send("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())


def test_the_final_answer_is_told_once() -> None:
    peer = RawPeer()
    handle, request = ask(peer)
    assert (request.method, request.uri, peer.sent_to) == ("OPTIONS", TARGET, [PEER])
    assert request.headers.get("To") == f"<{TARGET}>"
    assert request.headers.get("Contact") == f"<sip:{HERE}>"
    assert request.headers.get("CSeq") == "1 OPTIONS"
    assert ";tag=" in (request.headers.get("From") or "")
    answer(peer, request, 100)
    assert peer.events == []
    answer(peer, request, 200)
    answer(peer, request, 200)
    (event,) = peer.events
    assert isinstance(event, RequestAnswered)
    assert (event.handle, event.request, event.response.status) == (handle, request, 200)
    peer.wait(60)
    assert (len(peer.events), peer.agent.transactions, peer.agent.get_timer()) == (1, 0, None)


def test_a_series_keeps_what_names_it() -> None:
    peer = RawPeer()
    series = OutsideDialog("series", 7)
    routes = ["<sip:p1;lr>", "<sip:p2;lr>"]
    headers = (("Contact", "<sip:a@b>"), ("Event", "presence"))
    _, request = ask(peer, from_=f"{US};tag=mine", to=US, dialog=series, routes=routes, headers=headers, body=b"x")
    found = request.headers
    assert (found.get("From"), found.get("To"), found.get("Call-ID")) == (f"{US};tag=mine", US, "series")
    assert found.get("CSeq") == "7 OPTIONS"
    assert found.get_all("Route") == tuple(routes)
    assert (found.get_all("Contact"), found.get("Event"), request.body) == (("<sip:a@b>",), "presence", b"x")


def test_silence_is_told_after_timer_f() -> None:
    peer = RawPeer()
    handle, request = ask(peer)
    peer.wait(31.9)
    assert peer.events == []
    peer.wait(0.2)
    assert peer.events == [RequestFailed(handle, request, True)]
    assert peer.counters.get(SipCounter.NO_RESPONSE) == 1


def test_patience_may_be_shorter() -> None:
    peer = RawPeer()
    handle, request = ask(peer, patience_s=4.0)
    peer.wait(3.9)
    assert peer.events == []
    peer.wait(0.2)
    assert peer.events == [RequestFailed(handle, request, True)]
    answer(peer, request, 200)
    assert peer.counters.get(SipCounter.STRAY_RESPONSE) == 1
    assert (len(peer.events), peer.agent.transactions, peer.agent.get_timer()) == (1, 0, None)


def test_an_answer_in_time_ends_the_patience() -> None:
    peer = RawPeer()
    _, request = ask(peer, patience_s=4.0)
    answer(peer, request, 503)
    peer.wait(60)
    assert len(peer.events) == 1


def test_a_transport_error_is_told() -> None:
    peer = RawPeer()
    handle, request = ask(peer)
    peer.agent.transport_failed(PEER, peer.now)
    peer.taken()
    assert peer.events == [RequestFailed(handle, request, False)]


def test_an_abandoned_request_is_told_no_more() -> None:
    peer = RawPeer()
    handle, request = ask(peer, patience_s=4.0)
    peer.agent.abandon_request(handle)
    peer.agent.abandon_request(handle)
    answer(peer, request, 200)
    peer.wait(60)
    assert (peer.events, peer.agent.transactions) == ([], 0)


@pytest.mark.parametrize("method", ["INVITE", "ACK", "CANCEL", "BYE"])
def test_methods_of_calls_are_no_requests_outside_them(method: str) -> None:
    with pytest.raises(LocalError):
        RawPeer().agent.request(method, TARGET, PEER, 0.0, from_=US)


def test_what_cannot_be_sent_is_refused() -> None:
    peer = RawPeer()
    with pytest.raises(LocalError):
        peer.agent.request("OPTIONS", TARGET, Address("example.com", 5060), 0.0, from_=US)
    with pytest.raises(LocalError):
        peer.agent.request("OPTIONS", TARGET, PEER, 0.0, from_=US, headers=(("X", "a\r\nb"),))
    assert (peer.taken(), peer.agent.transactions) == ([], 0)
