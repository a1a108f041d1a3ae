"""Our INVITE reaches several phones at once: each has its early dialog, one gets the call (RFC 3261 §13.2.2)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import (
    Answered,
    CallEnded,
    EndedBy,
    OfferReceived,
    ProgressReceived,
    UserAgentEvent,
)
from voicegw.sip.message import Request, Response
from voicegw.sip.parser import parse
from voicegw.sip.provisional import MAX_FORKS
from voicegw.sip.user_agent import UserAgent

HERE = Address("192.0.2.2", 5060)
PROXY = Address("198.51.100.4", 5060)
OFFER = b"v=0\r\noffer"


@dataclass
class Forking:
    """A proxy that forks our INVITE, played by hand; phones are known by their tags."""

    counters: Counters = field(default_factory=Counters)
    now: float = 0.0
    events: list[UserAgentEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = UserAgentConfig(local_address=lambda _peer: HERE)
        self.agent = UserAgent(config, random.Random(7).randbytes, self.counters)
        self.sent: list[Request] = []
        self.answers: list[Response] = []

    def invite(self, sdp: bytes | None = OFFER) -> None:
        self.handle = self.agent.invite("sip:ring@198.51.100.4", "<sip:us@192.0.2.2>", PROXY, sdp, self.now)
        self.take()
        self.request = self.sent[0]

    def take(self) -> None:
        for data, _ in self.agent.datagrams_to_send():
            message = parse(data)
            if isinstance(message, Request):
                self.sent.append(message)
            else:
                self.answers.append(message)
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)

    def respond(self, tag: str, status: int, *extra: str, body: bytes = b"", to: Request | None = None) -> None:
        """A response of the phone ``tag`` to the INVITE, or to another request of ours."""
        self.agent.receive_datagram(self.text(tag, status, *extra, body=body, to=to), PROXY, self.now)
        self.take()

    def text(self, tag: str, status: int, *extra: str, body: bytes = b"", to: Request | None = None) -> bytes:
        """Such a response as bytes."""
        request = to or self.request
        lines = [f"SIP/2.0 {status} Whatever"]
        lines += [f"Via: {request.headers.get('Via')}", f"From: {request.headers.get('From')}"]
        target = request.headers.get("To") or ""
        lines += [f"To: {target}" if "tag=" in target else f"To: {target};tag={tag}"]
        lines += [f"Call-ID: {request.headers.get('Call-ID')}", f"CSeq: {request.headers.get('CSeq')}"]
        lines += [f"Contact: <sip:{tag}@198.51.100.9>", *extra]
        lines += (["Content-Type: application/sdp"] if body else []) + [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def reliably(self, tag: str, status: int, rseq: int, body: bytes = b"") -> None:
        self.respond(tag, status, "Require: 100rel", f"RSeq: {rseq}", "Allow: INVITE, UPDATE, PRACK", body=body)

    def demand(self, tag: str, method: str, cseq: int, body: bytes = b"", *extra: str) -> Response:
        """A request of the phone ``tag`` in its dialog; returns the response."""
        ours = (self.request.headers.get("From") or "").partition("tag=")[2]
        lines = [f"{method} sip:{HERE} SIP/2.0", f"Via: SIP/2.0/UDP {PROXY};branch=z9hG4bK{tag}{cseq}"]
        lines += [f"From: <sip:ring@198.51.100.4>;tag={tag}", f"To: <sip:us@192.0.2.2>;tag={ours}"]
        lines += [f"Call-ID: {self.request.headers.get('Call-ID')}", f"CSeq: {cseq} {method}"]
        lines += [f"Contact: <sip:{tag}@198.51.100.9>", *extra]
        lines += (["Content-Type: application/sdp"] if body else []) + [f"Content-Length: {len(body)}", "", ""]
        self.agent.receive_datagram("\r\n".join(lines).encode() + body, PROXY, self.now)
        self.take()
        return self.answers[-1]

    def of(self, method: str) -> list[Request]:
        return [request for request in self.sent if request.method == method]

    def told(self, kind: type[UserAgentEvent]) -> list[UserAgentEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def test_each_fork_has_its_own_numbers_and_its_own_prack() -> None:
    forking = Forking()
    forking.invite()
    forking.reliably("one", 183, 700, b"v=0\r\none")
    forking.reliably("two", 183, 20, b"v=0\r\ntwo")
    forking.reliably("one", 180, 701)
    pracks = forking.of("PRACK")
    assert [request.uri for request in pracks] == [
        "sip:one@198.51.100.9",
        "sip:two@198.51.100.9",
        "sip:one@198.51.100.9",
    ]
    assert [request.headers.get("RAck") for request in pracks] == ["700 1 INVITE", "20 1 INVITE", "701 1 INVITE"]
    assert [request.headers.get("CSeq") for request in pracks] == ["2 PRACK", "2 PRACK", "3 PRACK"]
    told = [event for event in forking.events if isinstance(event, ProgressReceived)]
    assert [(event.tag, event.body) for event in told] == [
        ("one", b"v=0\r\none"),
        ("two", b"v=0\r\ntwo"),
        ("one", b""),
    ]


def test_a_response_out_of_order_is_not_acknowledged() -> None:
    forking = Forking()
    forking.invite()
    forking.reliably("one", 180, 5)
    forking.reliably("one", 183, 7)
    forking.reliably("one", 180, 5)
    assert [request.headers.get("RAck") for request in forking.of("PRACK")] == ["5 1 INVITE"]
    forking.reliably("one", 182, 6)
    forking.reliably("one", 183, 7)
    assert [request.headers.get("RAck") for request in forking.of("PRACK")][1:] == ["6 1 INVITE", "7 1 INVITE"]
    assert forking.counters.get(SipCounter.PROVISIONAL_IGNORED) == 2


def test_the_first_2xx_gets_the_call_and_a_later_one_ack_and_bye_in_its_own_dialog() -> None:
    forking = Forking()
    forking.invite()
    forking.reliably("one", 183, 1, b"v=0\r\none")
    forking.reliably("two", 183, 1, b"v=0\r\ntwo")
    forking.respond("two", 200)
    (answered,) = forking.told(Answered)
    assert answered == Answered(forking.handle, b"", "sip:two@198.51.100.9", wants_answer=False, tag="two")
    forking.respond("one", 200)
    forking.respond("three", 200, body=b"v=0\r\nthree")
    assert [request.uri.partition("@")[0] for request in forking.of("ACK")] == ["sip:two", "sip:one", "sip:three"]
    byes = [(request.uri.partition("@")[0], request.headers.get("CSeq")) for request in forking.of("BYE")]
    assert byes == [("sip:one", "3 BYE"), ("sip:three", "2 BYE")], "behind the PRACK, where there was one"
    assert forking.counters.get(SipCounter.EXTRA_FORK) == 2
    assert len(forking.told(Answered)) == 1


def test_updates_of_forks_do_not_meet() -> None:
    forking = Forking()
    forking.invite()
    forking.reliably("one", 183, 1, b"v=0\r\none")
    forking.reliably("two", 180, 1)
    assert forking.demand("two", "UPDATE", 1, b"v=0\r\nx").status == 491, "our offer to this phone is open"
    forking.demand("one", "UPDATE", 1, b"v=0\r\nx")
    assert forking.told(OfferReceived) == [OfferReceived(forking.handle, b"v=0\r\nx", "one")]
    forking.agent.answer_offer(forking.handle, b"v=0\r\ny", forking.now)
    forking.take()
    assert (forking.answers[-1].status, forking.answers[-1].body) == (200, b"v=0\r\ny")
    assert not forking.agent.update(forking.handle, b"v=0\r\nz", forking.now, "two")
    assert forking.agent.update(forking.handle, b"v=0\r\nz", forking.now, "one")
    forking.take()
    update = forking.of("UPDATE")[0]
    assert update.headers.get("CSeq") == "3 UPDATE"
    forking.respond("one", 200, body=b"v=0\r\nagreed", to=update)
    forking.respond("one", 200, body=b"v=0\r\nno news")
    (answered,) = forking.told(Answered)
    assert answered == Answered(forking.handle, b"", "sip:one@198.51.100.9", wants_answer=False, tag="one")
    assert forking.demand("two", "UPDATE", 2).status == 481, "the other phone is out"
    assert forking.demand("one", "UPDATE", 2).status == 200


def test_an_early_phone_that_says_bye_is_left_out_and_the_last_one_ends_the_call() -> None:
    forking = Forking()
    forking.invite()
    forking.respond("one", 180)
    forking.respond("two", 180)
    assert forking.demand("one", "BYE", 1).status == 200
    assert not forking.told(CallEnded)
    assert forking.demand("two", "BYE", 1).status == 200
    (ended,) = forking.told(CallEnded)
    assert isinstance(ended, CallEnded)
    assert ended.ended_by is EndedBy.REMOTE_BYE
    assert len(forking.of("CANCEL")) == 1


def test_forks_are_bounded() -> None:
    forking = Forking()
    forking.invite()
    for number in range(MAX_FORKS + 5):
        forking.reliably(f"p{number}", 180, 1)
    assert len(forking.of("PRACK")) == MAX_FORKS
    assert len(forking.agent._core.dialogs) == MAX_FORKS
    forking.respond(f"p{MAX_FORKS + 1}", 200, body=b"v=0\r\nlate")
    assert len(forking.told(Answered)) == 1, "one of the others may answer all the same"
    assert len(forking.agent._core.dialogs) == 1


def test_an_unreliable_183_is_a_preview_of_the_answer() -> None:
    forking = Forking()
    forking.invite()
    forking.respond("one", 183, body=b"v=0\r\npreview")
    forking.respond("one", 200, body=b"v=0\r\nfinal")
    assert forking.of("PRACK") == []
    assert [event.body for event in forking.events if isinstance(event, ProgressReceived | Answered)] == [
        b"v=0\r\npreview",
        b"v=0\r\nfinal",
    ]


def test_an_unreliable_offer_is_none() -> None:
    forking = Forking()
    forking.invite(None)
    forking.respond("one", 183, body=b"v=0\r\noffer?")
    (told,) = forking.told(ProgressReceived)
    assert isinstance(told, ProgressReceived)
    assert (told.body, told.wants_answer) == (b"", False)
    forking.respond("one", 200, body=b"v=0\r\noffer")
    (answered,) = forking.told(Answered)
    assert answered == Answered(forking.handle, b"v=0\r\noffer", "sip:one@198.51.100.9", True, "one")
    assert forking.of("ACK") == []
    forking.agent.bye(forking.handle, forking.now)
    forking.take()
    assert [request.method for request in forking.sent] == ["INVITE", "ACK", "BYE"], "no BYE without an ACK"


def test_a_response_without_a_tag_opens_nothing() -> None:
    forking = Forking()
    forking.invite()
    forking.request = Request(
        "INVITE", forking.request.uri, forking.request.headers.with_("To", "<sip:ring@198.51.100.4>;x=tag=")
    )
    forking.reliably("none", 183, 1)
    assert forking.of("PRACK") == []


def test_an_invite_that_is_sent_again_forgets_what_the_first_one_opened() -> None:
    forking = Forking()
    forking.invite()
    forking.reliably("one", 183, 5, b"v=0\r\none")
    forking.respond("two", 422, "Min-SE: 7200")
    again = forking.of("INVITE")[-1]
    assert again.headers.get("CSeq") == "2 INVITE"
    assert not forking.agent._core.dialogs
    forking.request = again
    forking.reliably("one", 183, 77, b"v=0\r\nagain")
    assert forking.of("PRACK")[-1].headers.get("RAck") == "77 2 INVITE"
    forking.agent.cancel(forking.handle, forking.now)
    assert not forking.agent._core.dialogs
