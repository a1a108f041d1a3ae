"""Challenges to our requests, with the challenger's side written by hand."""

from __future__ import annotations

import random

import pytest

from tests.unit.sip.raw_peer import HERE, OFFER, PEER, RawPeer
from voicegw.sip.address import Address
from voicegw.sip.auth_headers import AuthHeader, parse_auth
from voicegw.sip.challenges import MAX_PLACES, MAX_ROUNDS, Authenticator, Permit, read_challenges, strongest
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.digest import Algorithm, Credentials, Proof, make_ha1, parse_algorithm
from voicegw.sip.events import (
    Answered,
    CallEnded,
    EndedBy,
    ReferAnswered,
    ReinviteAnswered,
    RequestAnswered,
    SipCallHandle,
)
from voicegw.sip.headers import CSeq, Via
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.parser import parse
from voicegw.sip.user_agent import UserAgent

SECRETS = {"carrier.example": "open sesame", "proxy.example": "hunter2"}
ANSWER = b"v=0\r\nanswer"
TARGET = "sip:+15551234@198.51.100.4:5080"


def find(account: str, realm: str, _destination: Address) -> Credentials | None:
    if account != "carrier" or realm not in SECRETS:
        return None
    return Credentials("4711", SECRETS[realm])


class Caller(RawPeer):
    """A user agent that has credentials, and a peer that asks for them."""

    def __post_init__(self) -> None:
        config = UserAgentConfig(local_address=lambda _peer: HERE, credentials=find)
        self.agent = UserAgent(config, random.Random(7).randbytes, self.counters)

    def requests(self) -> list[Request]:
        return [message for data in self.taken() if isinstance(message := parse(data), Request)]

    def dial(self, account: str = "carrier") -> tuple[SipCallHandle, Request]:
        handle = self.agent.invite(TARGET, "<sip:us@192.0.2.2>", PEER, OFFER, self.now, account=account)
        (request,) = self.requests()
        return handle, request

    def respond(
        self, request: Request, status: int, *extra: str, tag: str = "", body: bytes = b""
    ) -> list[Request]:
        """Answer; returns what the agent sent then, without the ACKs of refusals."""
        lines = [f"SIP/2.0 {status} Whatever"]
        lines += [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        to = request.headers.get("To") or ""
        lines += [f"To: {to};tag={tag}" if tag and "tag=" not in to else f"To: {to}", *extra]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        self.agent.receive_datagram(head.encode() + body, PEER, self.now)
        return [one for one in self.requests() if one.method != "ACK" or status < 300]

    def challenge(self, request: Request, status: int, realm: str, nonce: str, *more: str) -> list[Request]:
        return self.respond(request, status, challenge(status, realm, nonce, *more), tag="ch")

    def talk(self) -> tuple[SipCallHandle, Request]:
        """A call that was challenged and is up; returns its INVITE."""
        handle, first = self.dial()
        (invite,) = self.challenge(first, 407, "carrier.example", "n1")
        (ack,) = self.respond(invite, 200, f"Contact: <{TARGET}>", tag="up", body=ANSWER)
        assert ack.method == "ACK"
        assert ack.headers.get("Proxy-Authorization") == invite.headers.get("Proxy-Authorization")
        assert CSeq.parse(ack.headers.get("CSeq") or "").number == 2
        return handle, invite


def challenge(status: int, realm: str, nonce: str, *more: str) -> str:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    params = [f'realm="{realm}"', f'nonce="{nonce}"', *(more or ('qop="auth"', "algorithm=SHA-256"))]
    return f"{name}: Digest {', '.join(params)}"


def given(request: Request, name: str) -> dict[str, AuthHeader]:
    """The credentials in a request, by realm."""
    found = [header for line in request.headers.get_all(name) for header in parse_auth(line)]
    return {header.get("realm"): header for header in found}


def is_right(request: Request, header: AuthHeader) -> bool:
    """Whether the digest is right, worked out by the rules of the server's side."""
    algorithm, session = parse_algorithm(header.get("algorithm")) or (Algorithm.MD5, False)
    parts = [header.get(name) for name in ("qop", "nc", "cnonce")]
    proof = Proof(
        algorithm, session, header.get("nonce"), request.method, header.get("uri"), *parts, body=request.body
    )
    ha1 = make_ha1(algorithm, header.get("username"), header.get("realm"), SECRETS[header.get("realm")])
    return proof.response(ha1) == header.get("response") and header.get("uri") == request.uri


def test_a_challenged_invite_is_sent_again_in_the_same_dialog() -> None:
    caller = Caller()
    _, first = caller.dial()
    assert "Authorization" not in first.headers
    (again,) = caller.challenge(first, 401, "carrier.example", "n1", 'qop="auth"', 'opaque="o,1"')
    header = given(again, "Authorization")["carrier.example"]
    assert is_right(again, header) and header.get("nc") == "00000001" and header.get("opaque") == "o,1"
    assert header.get("username") == "4711" and "algorithm" not in header.params
    for name in ("From", "To", "Call-ID", "Contact"):
        assert again.headers.get(name) == first.headers.get(name)
    assert CSeq.parse(again.headers.get("CSeq") or "").number == 2
    assert Via.parse(again.headers.get("Via") or "").branch != Via.parse(first.headers.get("Via") or "").branch
    assert again.body == OFFER and not caller.events


def test_a_chain_of_a_proxy_and_a_server_behind_it() -> None:
    caller = Caller()
    _, first = caller.dial()
    (second,) = caller.challenge(first, 407, "proxy.example", "p1")
    (third,) = caller.challenge(second, 401, "carrier.example", "c1", 'qop="auth"', "algorithm=MD5-sess")
    proxy = given(third, "Proxy-Authorization")["proxy.example"]
    server = given(third, "Authorization")["carrier.example"]
    assert is_right(third, proxy) and proxy.get("nc") == "00000002", "the nonce of the proxy still holds"
    assert is_right(third, server)
    assert CSeq.parse(third.headers.get("CSeq") or "").number == 3


def test_wrong_credentials_are_refused_after_one_try_and_a_stale_nonce_is_replaced() -> None:
    caller = Caller()
    handle, first = caller.dial()
    (second,) = caller.challenge(first, 401, "carrier.example", "n1")
    (third,) = caller.challenge(second, 401, "carrier.example", "n2", 'qop="auth"', "stale=true")
    assert given(third, "Authorization")["carrier.example"].get("nonce") == "n2"
    assert caller.challenge(third, 401, "carrier.example", "n3") == []
    assert [e for e in caller.events if isinstance(e, CallEnded)] == [
        CallEnded(handle, EndedBy.REMOTE_REFUSAL, 401, "Whatever", caller.events[-1].headers)  # type: ignore[union-attr]
    ]
    _, later = caller.dial()
    assert "Authorization" not in later.headers, "what was refused is not sent ahead"


def test_a_peer_that_is_never_content_is_given_up() -> None:
    caller = Caller()
    _, request = caller.dial()
    for number in range(MAX_ROUNDS):
        (request,) = caller.challenge(request, 401, "carrier.example", f"n{number}", 'qop="auth"', "stale=true")
    assert caller.challenge(request, 401, "carrier.example", "last", 'qop="auth"', "stale=true") == []
    assert isinstance(caller.events[-1], CallEnded)


@pytest.mark.parametrize(
    "line",
    [
        challenge(401, "stranger.example", "n1"),
        challenge(401, "carrier.example", "n1", "algorithm=SHA-1"),
        challenge(401, "carrier.example", "n1", 'qop="privacy"'),
        challenge(401, "carrier.example", "n1", "algorithm=MD5-sess"),
        challenge(401, "carrier.example", ""),
        'WWW-Authenticate: Basic realm="carrier.example"',
        'WWW-Authenticate: Digest realm="carrier.example',
        "X-Nothing: here",
    ],
)
def test_a_challenge_that_cannot_be_answered_ends_the_call(line: str) -> None:
    caller = Caller()
    _, first = caller.dial()
    assert caller.respond(first, 401, line) == []
    event = caller.events[-1]
    assert isinstance(event, CallEnded) and event.status == 401


def test_a_call_without_an_account_answers_nothing() -> None:
    caller = Caller()
    _, first = caller.dial(account="")
    assert caller.challenge(first, 401, "carrier.example", "n1") == []
    assert isinstance(caller.events[-1], CallEnded)


def test_the_next_call_needs_no_challenge() -> None:
    caller = Caller()
    _, invite = caller.talk()
    _, later = caller.dial()
    header = given(later, "Proxy-Authorization")["carrier.example"]
    assert is_right(later, header) and header.get("nc") == "00000002"
    assert header.get("cnonce") == given(invite, "Proxy-Authorization")["carrier.example"].get("cnonce")
    (again,) = caller.challenge(later, 407, "carrier.example", "n9")
    assert given(again, "Proxy-Authorization")["carrier.example"].get("nonce") == "n9", "not even with stale=true"
    caller.agent._core.authenticator.forget("carrier")
    assert "Proxy-Authorization" not in caller.dial()[1].headers


def test_requests_in_a_call_answer_challenges_too() -> None:
    caller = Caller()
    handle, _ = caller.talk()
    caller.events.clear()
    assert caller.agent.reinvite(handle, OFFER, caller.now)
    (reinvite,) = caller.requests()
    assert given(reinvite, "Proxy-Authorization")["carrier.example"].get("nc") == "00000002"
    (again,) = caller.challenge(reinvite, 407, "carrier.example", "n2")
    assert CSeq.parse(again.headers.get("CSeq") or "").number == 4 and again.body == OFFER
    caller.respond(again, 200, f"Contact: <{TARGET}>", body=ANSWER)
    assert caller.events == [ReinviteAnswered(handle, ANSWER)]
    assert caller.agent.refer(handle, "sip:desk@203.0.113.5", caller.now)
    (refer,) = caller.requests()
    (refer,) = caller.challenge(refer, 401, "carrier.example", "n3")
    assert refer.headers.get("Refer-To") and is_right(refer, given(refer, "Authorization")["carrier.example"])
    caller.respond(refer, 202)
    assert caller.events[-1] == ReferAnswered(handle, 202)
    caller.agent.bye(handle, caller.now)
    (bye,) = caller.requests()
    (bye,) = caller.challenge(bye, 407, "carrier.example", "n4")
    assert bye.method == "BYE" and CSeq.parse(bye.headers.get("CSeq") or "").number == 8
    caller.respond(bye, 200)
    caller.wait(200.0)
    assert caller.agent.transactions == 0 and not caller.agent._core.dialogs


def test_a_caller_who_challenges_our_bye_learns_nothing() -> None:
    caller = Caller()
    handle, _ = caller.call()
    caller.agent.bye(handle, caller.now)
    (bye,) = caller.requests()
    assert "Authorization" not in bye.headers
    assert caller.challenge(bye, 401, "carrier.example", "n1") == []
    assert caller.challenge(bye, 407, "carrier.example", "n1") == []


def test_a_far_end_that_names_its_own_address_gets_neither_digest_nor_credentials_in_the_ack() -> None:
    caller = Caller()
    handle, first = caller.dial()
    (invite,) = caller.challenge(first, 407, "carrier.example", "n1")
    (ack,) = caller.respond(invite, 200, "Contact: <sip:thief@203.0.113.66>", tag="up", body=ANSWER)
    assert ack.method == "ACK" and "Proxy-Authorization" not in ack.headers
    assert isinstance(caller.events[-1], Answered)
    caller.agent.bye(handle, caller.now)
    (bye,) = caller.requests()
    assert "Proxy-Authorization" not in bye.headers
    assert caller.challenge(bye, 407, "carrier.example", "n1") == []


def test_a_call_that_was_given_up_is_not_begun_again() -> None:
    caller = Caller()
    handle, first = caller.dial()
    caller.respond(first, 100)
    caller.agent.cancel(handle, caller.now)
    assert [request.method for request in caller.requests()] == ["CANCEL"]
    assert caller.challenge(first, 407, "carrier.example", "n1") == []


def test_cancel_follows_the_second_try() -> None:
    caller = Caller()
    handle, first = caller.dial()
    caller.respond(first, 100)
    (again,) = caller.challenge(first, 407, "carrier.example", "n1")
    caller.agent.cancel(handle, caller.now)
    assert caller.requests() == [], "no 1xx came for this one yet"
    (cancel,) = caller.respond(again, 180, tag="up")
    assert cancel.method == "CANCEL" and cancel.headers.get("Via") == again.headers.get("Via")
    assert cancel.headers.get("CSeq") == "2 CANCEL" and "Proxy-Authorization" not in cancel.headers


def response(*lines: str) -> Response:
    pairs = [line.split(": ", 1) for line in lines]
    return Response(401, "Unauthorized", Headers((name, value) for name, value in pairs))


def test_the_strongest_algorithm_is_taken_and_of_equal_ones_the_first() -> None:
    asked = response(
        challenge(401, "r", "1", 'qop="auth"', "algorithm=SHA-256"),
        challenge(401, "r", "2", 'qop="auth"', "algorithm=SHA-512-256"),
        challenge(401, "r", "3", 'qop="auth-int,auth"', "algorithm=SHA-512-256-sess"),
        challenge(401, "r", "4", 'qop="auth"', "algorithm=MD5"),
        challenge(401, "other", "5", 'qop="auth-int"', "algorithm=MD5"),
        challenge(407, "r", "6"),
    )
    chosen = strongest(read_challenges(asked))
    assert [(one.nonce, one.qop) for one in chosen] == [("2", "auth"), ("5", "auth-int"), ("6", "auth")]
    assert read_challenges(Response(200, "OK", asked.headers)) == []


def test_the_whole_message_is_signed_where_nothing_less_is_offered() -> None:
    caller = Caller()
    _, first = caller.dial()
    (again,) = caller.challenge(first, 401, "carrier.example", "n1", 'qop="auth-int"', "algorithm=SHA-512-256")
    header = given(again, "Authorization")["carrier.example"]
    assert header.get("qop") == "auth-int" and is_right(again, header)


def test_a_server_without_qop_gets_the_old_digest() -> None:
    caller = Caller()
    _, first = caller.dial()
    (again,) = caller.challenge(first, 401, "carrier.example", "n1", "algorithm=MD5")
    header = given(again, "Authorization")["carrier.example"]
    assert is_right(again, header) and not {"qop", "nc", "cnonce"} & header.params.keys()


def test_challengers_that_are_remembered_are_limited() -> None:
    authenticator = Authenticator(lambda *_: Credentials("u", "p"), random.Random(1).randbytes)
    request = Request("REGISTER", "sip:r", Headers())
    for number in range(MAX_PLACES + 10):
        asked = response(challenge(401, "r", "n"))
        assert authenticator.answer(Permit(f"account {number}"), request, asked, PEER) is not None
    assert authenticator.sign(Permit("account 9"), request, PEER) is request
    assert authenticator.sign(Permit("account 10"), request, PEER) is not request


def test_a_registration_answers_its_challenge_and_tells_the_request_that_counted() -> None:
    caller = Caller()
    handle = caller.agent.request(
        "REGISTER", "sip:198.51.100.4", PEER, caller.now, from_="<sip:4711@198.51.100.4>", account="carrier"
    )
    (first,) = caller.requests()
    (again,) = caller.challenge(first, 401, "carrier.example", "n1", 'qop="auth"', "algorithm=MD5")
    assert is_right(again, given(again, "Authorization")["carrier.example"])
    caller.respond(again, 200)
    (event,) = caller.events
    assert isinstance(event, RequestAnswered) and event.handle == handle
    assert event.request.headers.get("Authorization") == again.headers.get("Authorization")
    assert event.request.headers.get("CSeq") == "2 REGISTER"


def test_a_request_that_was_forgotten_answers_no_challenge() -> None:
    caller = Caller()
    handle = caller.agent.request(
        "OPTIONS", "sip:198.51.100.4", PEER, caller.now, from_="<sip:4711@198.51.100.4>", account="carrier"
    )
    (first,) = caller.requests()
    caller.agent.abandon_request(handle)
    assert caller.challenge(first, 401, "carrier.example", "n1") == [] and not caller.events


def test_a_subscription_goes_on_with_the_credentials_that_began_it() -> None:
    caller = Caller()
    handle = caller.agent.watcher.subscribe(
        "presence", "sip:bob@198.51.100.4:5080", "<sip:4711@192.0.2.2>", PEER, 600, caller.now, account="carrier"
    )
    (first,) = caller.requests()
    (again,) = caller.challenge(first, 401, "carrier.example", "n1")
    assert caller.respond(again, 200, "Contact: <sip:bob@198.51.100.4:5080>", "Expires: 600", tag="up") == []
    caller.agent.watcher.unsubscribe(handle, caller.now)
    (last,) = caller.requests()
    assert last.headers.get("Expires") == "0"
    assert is_right(last, given(last, "Authorization")["carrier.example"])
