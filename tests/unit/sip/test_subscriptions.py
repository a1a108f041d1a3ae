"""Subscriptions of others with us and of ours with others (RFC 6665), the peer's side written by hand."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import HERE, PEER, RawPeer, datagram
from tests.unit.sip.test_referred import answer
from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.events import NotifyReceived, SubscribeReceived, SubscriptionEnded, WatchEnded
from voicegw.sip.message import Request, Response
from voicegw.sip.parser import parse
from voicegw.sip.subscription_state import EventName, SubscriptionState

PIDF = "application/pidf+xml"


def subscribe(*lines: str, cseq: int = 1, tag: str = "", event: str = "presence") -> bytes:
    return datagram("SUBSCRIBE", f"Event: {event}", *lines, cseq=cseq, branch=f"s{cseq}", to_tag=tag)


def sent(peer: RawPeer) -> list[Request | Response]:
    return [message for data in peer.taken() if isinstance(message := parse(data), Request | Response)]


def notify_of(peer: RawPeer) -> Request:
    (message,) = sent(peer)
    assert isinstance(message, Request) and message.method == "NOTIFY"
    return message


def subscribed(*lines: str) -> tuple[RawPeer, SubscribeReceived, str, Request]:
    """A subscriber that has been accepted, with our tag and the first NOTIFY."""
    peer = RawPeer(packages=("presence",))
    assert peer.send(subscribe(*lines)) == []
    event = peer.events[-1]
    assert isinstance(event, SubscribeReceived)
    peer.agent.notifier.accept(event.handle, PIDF, b"<open/>", peer.now)
    accepted, told = sent(peer)
    assert isinstance(accepted, Response) and isinstance(told, Request)
    assert accepted.status == 200
    return peer, event, (accepted.headers.get("To") or "").partition("tag=")[2], told


def state_of(notify: Request) -> str:
    return notify.headers.get("Subscription-State") or ""


def test_a_subscriber_is_told_at_once_and_of_every_change() -> None:
    peer, event, _, told = subscribed("Expires: 600", "Accept: application/pidf+xml")
    assert (event.package, event.target, event.accept) == ("presence", "sip:demo@192.0.2.2", (PIDF,))
    assert (told.headers.get("Event"), state_of(told), told.body) == ("presence", "active;expires=600", b"<open/>")
    assert told.headers.get("Contact") == f"<sip:{HERE}>"
    answer(peer, told)
    peer.wait(100)
    peer.agent.notifier.notify(event.handle, b"<busy/>", peer.now)
    changed = notify_of(peer)
    assert (changed.body, state_of(changed)) == (b"<busy/>", "active;expires=500")


def test_one_notify_at_a_time_and_the_newest_state() -> None:
    peer, event, _, told = subscribed()
    for body in (b"1", b"2"):
        peer.agent.notifier.notify(event.handle, body, peer.now)
    assert sent(peer) == []
    lines = ["SIP/2.0 200 OK"]
    lines += [f"{name}: {told.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    peer.agent.receive_datagram("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), PEER, peer.now)
    assert notify_of(peer).body == b"2"


def test_refreshed_ended_and_expired() -> None:
    peer, event, tag, told = subscribed("Expires: 60")
    answer(peer, told)
    peer.wait(50)
    peer.agent.receive_datagram(subscribe("Expires: 90", cseq=2, tag=tag), PEER, peer.now)
    granted, again = sent(peer)
    assert isinstance(granted, Response) and isinstance(again, Request)
    assert granted.headers.get("Expires") == "90"
    assert state_of(again) == "active;expires=90"
    answer(peer, again)
    over = [parse(data) for data in peer.wait(90)]
    assert isinstance(over[0], Request) and state_of(over[0]) == "terminated;reason=timeout"
    assert peer.events[-1] == SubscriptionEnded(event.handle, "timeout")
    assert peer.one(subscribe(cseq=3, tag=tag)).status == 481


def test_unsubscribed_and_a_single_look() -> None:
    peer, event, tag, told = subscribed()
    answer(peer, told)
    peer.agent.receive_datagram(subscribe("Expires: 0", cseq=2, tag=tag), PEER, peer.now)
    _granted, over = sent(peer)
    assert isinstance(over, Request) and state_of(over) == "terminated;reason=timeout"
    peer, event, _, look = subscribed("Expires: 0")
    assert (state_of(look), look.body) == ("terminated;reason=timeout", b"<open/>")
    assert peer.events[-1] == SubscriptionEnded(event.handle, "timeout")
    assert len(peer.agent.notifier) == 0


@pytest.mark.parametrize("silent", [True, False])
def test_whoever_does_not_answer_is_told_no_more(silent: bool) -> None:
    peer, event, _, told = subscribed()
    if silent:
        peer.wait(33)
    else:
        answer(peer, told, 481)
    assert peer.events[-1] == SubscriptionEnded(event.handle, "gone")
    peer.agent.notifier.notify(event.handle, b"x", peer.now)
    assert sent(peer) == []


def test_pending_until_it_is_decided_and_ended_with_a_reason() -> None:
    peer = RawPeer(packages=("presence",))
    peer.send(subscribe())
    event = peer.events[-1]
    assert isinstance(event, SubscribeReceived)
    peer.agent.notifier.accept(event.handle, PIDF, b"<secret/>", peer.now, pending=True)
    _, told = sent(peer)
    assert isinstance(told, Request)
    assert (state_of(told), told.body) == ("pending;expires=3600", b"")
    answer(peer, told)
    peer.agent.notifier.end(event.handle, "giveup", peer.now, 120)
    assert state_of(notify_of(peer)) == "terminated;reason=giveup;retry-after=120"


@pytest.mark.parametrize(
    ("data", "status", "header"),
    [
        (subscribe(event="weather"), 489, "Allow-Events"),
        (subscribe("Expires: 5"), 423, "Min-Expires"),
        (subscribe("Expires: soon"), 400, "To"),
        (datagram("SUBSCRIBE"), 489, "Allow-Events"),
        (subscribe(tag="nobody"), 481, "To"),
    ],
)
def test_subscriptions_that_are_none(data: bytes, status: int, header: str) -> None:
    peer = RawPeer(packages=("presence",))
    response = peer.one(data)
    assert (response.status, bool(response.headers.get(header))) == (status, True)
    assert peer.agent.transactions == len(peer.events) == 0


def test_the_owner_may_refuse() -> None:
    peer = RawPeer(packages=("presence",))
    peer.send(subscribe())
    event = peer.events[-1]
    assert isinstance(event, SubscribeReceived)
    peer.agent.notifier.refuse(event.handle, 403, peer.now)
    assert [response.status for response in peer.responses()] == [403]
    assert RawPeer().one(subscribe()).status == 489, "nobody tells anything by default"


# -------------------------------------------------------------------- ours


def watching(peer: RawPeer) -> tuple[int, Request]:
    handle = peer.agent.watcher.subscribe("dialog", "sip:bob@198.51.100.4", "sip:me@here", PEER, 600, peer.now)
    (request,) = sent(peer)
    assert isinstance(request, Request)
    return handle, request


def granted(peer: RawPeer, request: Request, *lines: str, status: int = 200) -> None:
    copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    to = request.headers.get("To") or ""
    tag = "" if ";tag=" in to else ";tag=theirs"
    head = [f"SIP/2.0 {status} X", *copied, f"To: {to}{tag}", *lines, "Contact: <sip:bob@198.51.100.4:5080>"]
    peer.send("\r\n".join([*head, "Content-Length: 0", "", ""]).encode())


def news(
    request: Request, state: str, body: bytes = b"<dialog-info/>", cseq: int = 1, event: str = "dialog"
) -> bytes:
    return datagram(
        "NOTIFY",
        f"Event: {event}",
        f"Subscription-State: {state}",
        "Content-Type: application/dialog-info+xml",
        body=b"<dialog-info/>",
        cseq=cseq,
        branch=f"n{cseq}{event}",
        call_id=f"Call-ID: {request.headers.get('Call-ID')}",
        to=f"To: {request.headers.get('From')}",
    )


@pytest.mark.parametrize("notify_first", [True, False])
def test_we_are_told_refresh_and_unsubscribe(notify_first: bool) -> None:
    peer = RawPeer()
    handle, request = watching(peer)
    assert (request.headers.get("Event"), request.headers.get("Expires")) == ("dialog", "600")
    if not notify_first:
        granted(peer, request, "Expires: 600")
    assert peer.one(news(request, "active;expires=600")).status == 200
    if notify_first:
        granted(peer, request, "Expires: 600")
    assert peer.events == [NotifyReceived(handle, "active", "application/dialog-info+xml", b"<dialog-info/>")]
    refresh = [parse(data) for data in peer.wait(568)]
    assert isinstance(refresh[0], Request) and refresh[0].method == "SUBSCRIBE"
    granted(peer, refresh[0], "Expires: 600")
    assert peer.one(news(request, "active;expires=600", cseq=2)).status == 200
    peer.agent.watcher.unsubscribe(handle, peer.now)
    (last,) = sent(peer)
    assert isinstance(last, Request) and last.headers.get("Expires") == "0"
    granted(peer, last, "Expires: 0")
    assert peer.one(news(request, "terminated;reason=timeout", cseq=3)).status == 200
    assert peer.events[-1] == WatchEnded(handle, 0, "timeout", None)
    assert peer.one(news(request, "active", cseq=4)).status == 481
    peer.wait(100)
    assert peer.agent.get_timer() is None


def test_ends_of_subscriptions_of_ours() -> None:
    peer = RawPeer()
    handle, request = watching(peer)
    granted(peer, request, status=489)
    assert peer.events[-1] == WatchEnded(handle, 489, "", None)
    handle, request = watching(peer)
    granted(peer, request)
    peer.wait(33)
    assert peer.events[-1] == WatchEnded(handle, 408, "", None), "timer N: no NOTIFY came"
    handle, request = watching(peer)
    peer.wait(33)
    assert peer.events[-1] == WatchEnded(handle, 408, "", None), "nothing came"
    handle, request = watching(peer)
    assert peer.one(news(request, "terminated;reason=probation;retry-after=60")).status == 200
    assert peer.events[-1] == WatchEnded(handle, 0, "probation", 60)
    peer.wait(100)
    assert peer.agent.transactions == 0


def test_notifies_that_are_not_for_us() -> None:
    peer = RawPeer()
    _, request = watching(peer)
    assert peer.one(news(request, "active", event="presence")).status == 489
    assert peer.one(news(request, "", cseq=2)).status == 400
    assert peer.one(news(request, "active", cseq=3)).status == 200
    assert peer.one(news(request, "active", cseq=2, event="Dialog")).status == 500, "older than one seen"
    stranger = news(request, "active", cseq=9).replace(b";tag=theirs", b";tag=fork")
    assert peer.one(stranger).status == 481


def test_words() -> None:
    assert EventName.parse("Refer;id=93809824") == EventName("refer", "93809824")
    assert str(EventName("refer", "7")) == "refer;id=7"
    state = SubscriptionState("terminated", None, "giveup", 5)
    assert SubscriptionState.parse(str(state)) == state and state.is_over
    assert SubscriptionState.parse("active;expires=x").expires_s is None
    for text in ("", ";id=1"):
        with pytest.raises(RemoteProtocolError):
            EventName.parse(text)
