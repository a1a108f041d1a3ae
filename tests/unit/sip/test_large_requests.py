"""What is too large for a datagram goes by TCP, and by UDP after all where that fails (RFC 3261 §18.1.1)."""

from __future__ import annotations

import random

import pytest

from voicegw.base.metrics import Counters
from voicegw.sip.address import Address, Transport
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import CallEnded
from voicegw.sip.headers import CSeq, Via
from voicegw.sip.incoming import read_request
from voicegw.sip.large_requests import REMEMBERED_S
from voicegw.sip.message import Request, Response, serialize
from voicegw.sip.parser import parse
from voicegw.sip.reply import make_response
from voicegw.sip.user_agent import UserAgent

HERE, PEER = Address("192.0.2.2", 5060), Address("192.0.2.9", 5060)
BY_TCP = PEER._replace(transport=Transport.TCP)
LARGE = b"v=0\r\n" + b"a=x" * 500


class Agent:
    def __init__(self, limit: int = 1300) -> None:
        self.counters = Counters()
        config = UserAgentConfig(local_address=lambda _peer: HERE, stream_above=limit)
        self.agent = UserAgent(config, random.Random(1).randbytes, self.counters)
        self.now = 0.0

    def sent(self) -> tuple[Request, Address]:
        """The only message since the last look."""
        ((data, address),) = self.agent.datagrams_to_send()
        message = parse(data)
        assert isinstance(message, Request)
        return message, address

    def invite(self, body: bytes) -> tuple[Request, Address]:
        self.agent.invite("sip:b@192.0.2.9", "sip:a@192.0.2.2", PEER, body, self.now)
        return self.sent()

    def answer(self, request: Request, source: Address, status: int, *extra: tuple[str, str]) -> None:
        response = make_response(read_request(request, source), status, "theirs", extra)
        self.agent.receive_datagram(serialize(response), source, self.now)

    def ended(self) -> list[CallEnded]:
        events = iter(self.agent.next_event, None)
        return [event for event in events if isinstance(event, CallEnded)]


@pytest.mark.parametrize(
    ("limit", "body", "peer"),
    [(1300, b"small", PEER), (1300, LARGE, BY_TCP), (0, LARGE, PEER), (3000, LARGE, PEER)],
)
def test_the_size_decides(limit: int, body: bytes, peer: Address) -> None:
    request, address = Agent(limit).invite(body)
    assert address == peer
    assert Via.parse(request.headers.get("Via") or "").transport == peer.transport.value
    assert request.headers.get("Contact") == "<sip:192.0.2.2:5060>", "the dialog itself stays with UDP"


def test_without_a_tcp_connection_the_same_request_goes_by_udp() -> None:
    phone = Agent()
    first, _ = phone.invite(LARGE)
    phone.agent.transport_failed(BY_TCP, phone.now)
    second, address = phone.sent()
    assert address == PEER
    assert second.headers.get("CSeq") == first.headers.get("CSeq")
    assert second.headers.get("Call-ID") == first.headers.get("Call-ID")
    assert Via.parse(second.headers.get("Via") or "").branch != Via.parse(first.headers.get("Via") or "").branch
    phone.answer(second, PEER, 486)
    (ended,) = phone.ended()
    assert ended.status == 486
    assert phone.counters.get(SipCounter.DATAGRAM_AFTER_ALL) == 1


def test_a_peer_without_tcp_is_remembered_for_a_while() -> None:
    phone = Agent()
    phone.invite(LARGE)
    phone.agent.transport_failed(BY_TCP, phone.now)
    phone.sent()
    phone.now += REMEMBERED_S - 1
    assert phone.invite(LARGE)[1] == PEER
    phone.agent.datagrams_to_send()
    phone.now += 2
    assert phone.invite(LARGE)[1] == BY_TCP


def test_udp_that_fails_too_is_the_end() -> None:
    phone = Agent()
    phone.invite(LARGE)
    phone.agent.transport_failed(BY_TCP, phone.now)
    phone.sent()
    phone.agent.transport_failed(PEER, phone.now)
    assert len(phone.ended()) == 1


def test_a_call_that_nobody_wants_any_more_is_not_tried_again() -> None:
    phone = Agent()
    handle = phone.agent.invite("sip:b@192.0.2.9", "sip:a@192.0.2.2", PEER, LARGE, 0.0)
    phone.sent()
    phone.agent.cancel(handle, 0.0)
    phone.agent.transport_failed(BY_TCP, 0.0)
    assert phone.agent.datagrams_to_send() == []


def test_cancel_goes_the_way_of_its_invite() -> None:
    phone = Agent()
    handle = phone.agent.invite("sip:b@192.0.2.9", "sip:a@192.0.2.2", PEER, LARGE, 0.0)
    invite, _ = phone.sent()
    phone.answer(invite, BY_TCP._replace(flow=4), 180)
    phone.agent.cancel(handle, 0.0)
    cancel, address = phone.sent()
    assert (cancel.method, address) == ("CANCEL", BY_TCP)
    assert cancel.headers.get("Via") == invite.headers.get("Via")


def test_a_request_outside_calls_is_told_as_it_was_sent() -> None:
    phone = Agent()
    phone.agent.request("MESSAGE", "sip:b@192.0.2.9", PEER, 0.0, from_="sip:a@192.0.2.2", body=b"x" * 2000)
    _, address = phone.sent()
    assert address == BY_TCP
    phone.agent.transport_failed(BY_TCP, 0.0)
    again, address = phone.sent()
    assert address == PEER
    phone.answer(again, PEER, 200)
    event = phone.agent.next_event()
    assert event is not None
    assert CSeq.parse(again.headers.get("CSeq") or "").method == "MESSAGE"
    assert isinstance(getattr(event, "response", None), Response)
