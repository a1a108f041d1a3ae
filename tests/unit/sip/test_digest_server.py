"""Challenges of ours, answered by our own client and by attackers."""

from __future__ import annotations

import random

import pytest

from tests.unit.sip.raw_peer import PEER
from voicegw.sip.address import Address
from voicegw.sip.auth_headers import AuthHeader, parse_auth, write_auth
from voicegw.sip.challenges import Authenticator, Permit
from voicegw.sip.digest import Algorithm, Credentials, make_ha1
from voicegw.sip.digest_server import DigestPolicy, DigestServer, Proven, Trial, Unproven
from voicegw.sip.failures import FailureLimits, FailureRation
from voicegw.sip.grammar import to_wire
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.nonces import MAX_USED, WINDOW, Nonces
from voicegw.sip.reply import reason_phrase

REALM = "voice.example"
USERS = {"anna": "rose", "jörg": "pässword"}
REQUEST = Request("REGISTER", "sip:voice.example", Headers([("CSeq", "1 REGISTER")]), b"a body")


def find(username: str, algorithm: Algorithm) -> str | None:
    password = USERS.get(username)
    return None if password is None else make_ha1(algorithm, to_wire(username), REALM, password)


def server(*algorithms: Algorithm, **policy: object) -> DigestServer:
    chosen = algorithms or (Algorithm.SHA_256, Algorithm.MD5)
    return DigestServer(DigestPolicy(REALM, chosen, **policy), find, random.Random(1).randbytes)  # type: ignore[arg-type]


class Phone:
    """One who answers challenges, with the name and password that it was given."""

    def __init__(self, username: str, password: str, source: Address = PEER) -> None:
        credentials = Credentials(username, password)
        self.client = Authenticator(lambda *_: credentials, random.Random(2).randbytes)
        self.source = source

    def answer(self, unproven: Unproven, request: Request = REQUEST) -> Request:
        response = Response(unproven.status, reason_phrase(unproven.status), Headers(unproven.headers))
        signed = self.client.answer(Permit("a"), request, response, PEER)
        assert signed is not None
        return signed

    def try_(self, asked: DigestServer, now: float = 0.0) -> Proven | Unproven:
        first = asked.check(REQUEST, self.source, now)
        assert isinstance(first, Unproven) and not first.failed
        return asked.check(self.answer(first), self.source, now)


def edited(request: Request, **params: str | None) -> Request:
    """The same credentials with some parameters changed or, None, left out."""
    (header,) = parse_auth(request.headers.get("Authorization") or "")
    merged = {name: value for name, value in {**header.params, **params}.items() if value is not None}
    line = write_auth(AuthHeader("Digest", merged))
    return Request(request.method, request.uri, request.headers.with_("Authorization", line), request.body)


def is_stale(unproven: Proven | Unproven) -> bool:
    assert isinstance(unproven, Unproven)
    (header, *_) = parse_auth(unproven.headers[0][1])
    return header.is_true("stale")


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("user", list(USERS))
def test_who_knows_the_password_is_proven(algorithm: Algorithm, user: str) -> None:
    assert Phone(user, USERS[user]).try_(server(algorithm)) == Proven(user)


def test_each_algorithm_is_offered_in_a_line_of_its_own_the_preferred_first() -> None:
    unproven = server(Algorithm.SHA_512_256, Algorithm.MD5).check(REQUEST, PEER, 0.0)
    assert isinstance(unproven, Unproven) and unproven.status == 401
    assert [name for name, _ in unproven.headers] == ["WWW-Authenticate"] * 2
    assert 'qop="auth"' in unproven.headers[0][1]
    tokens = [parse_auth(line)[0].get("algorithm") for _, line in unproven.headers]
    assert tokens == ["SHA-512-256", "MD5"]
    as_proxy = server().check(REQUEST, PEER, 0.0, as_proxy=True)
    assert isinstance(as_proxy, Unproven) and as_proxy.status == 407
    assert as_proxy.headers[0][0] == "Proxy-Authenticate"


def test_those_who_fail_at_what_they_do_not_know_are_asked_for_md5_alone() -> None:
    asked = server(md5_only=("baresip v1.0",))
    old = Request("REGISTER", "sip:r", Headers([("User-Agent", "baresip v1.0.0 (x86_64/linux)")]))
    unproven = asked.check(old, PEER, 0.0)
    assert isinstance(unproven, Unproven)
    assert [parse_auth(line)[0].get("algorithm") for _, line in unproven.headers] == ["MD5"]
    strict = server(Algorithm.SHA_256, md5_only=("baresip v1.0",)).check(old, PEER, 0.0)
    assert isinstance(strict, Unproven) and "SHA-256" in strict.headers[0][1]


def test_a_user_who_does_not_exist_gets_what_a_wrong_password_gets() -> None:
    wrong, stranger = Phone("anna", "tulip").try_(server()), Phone("nobody", "tulip").try_(server())
    assert wrong == stranger
    assert isinstance(wrong, Unproven) and wrong.failed and wrong.status == 401 and not is_stale(wrong)


def test_a_user_who_does_not_exist_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    real = Algorithm.hash_bytes

    def counting(kind: Algorithm, data: bytes) -> str:
        hashed.append(len(data))
        return real(kind, data)

    known, work = {"anna": "0" * 64}, []
    for phone in (Phone("anna", "tulip"), Phone("ulla", "tulip")):
        asked = DigestServer(DigestPolicy(REALM), lambda name, _kind: known.get(name), random.Random(1).randbytes)
        first = asked.check(REQUEST, PEER, 0.0)
        assert isinstance(first, Unproven)
        signed = phone.answer(first)
        with monkeypatch.context() as patched:
            patched.setattr(Algorithm, "hash_bytes", counting)
            hashed.clear()
            asked.check(signed, PEER, 0.0)
        work.append(list(hashed))
    assert work[0] == work[1] and work[0]


def test_a_count_is_taken_once_and_a_late_one_as_well() -> None:
    asked, phone = server(), Phone("anna", "rose")
    first = asked.check(REQUEST, PEER, 0.0)
    assert isinstance(first, Unproven)
    signed = [phone.answer(first)]
    signed += [phone.client.sign(Permit("a"), REQUEST, PEER) for _ in range(WINDOW + 3)]
    assert asked.check(signed[2], PEER, 1.0) == Proven("anna")
    assert asked.check(signed[1], PEER, 1.0) == Proven("anna"), "datagrams overtake one another"
    assert is_stale(asked.check(signed[1], PEER, 1.0)), "a replay"
    assert is_stale(asked.check(signed[2], PEER, 1.0))
    assert asked.check(signed[-1], PEER, 1.0) == Proven("anna")
    assert is_stale(asked.check(signed[3], PEER, 1.0)), "beyond the window"
    assert asked.check(signed[-2], PEER, 1.0) == Proven("anna")


def test_a_nonce_ends_with_its_time_and_holds_for_one_source() -> None:
    asked, phone = server(nonce_life_s=60.0), Phone("anna", "rose")
    first = asked.check(REQUEST, PEER, 100.0)
    assert isinstance(first, Unproven)
    signed = phone.answer(first)
    late = asked.check(signed, PEER, 160.1)
    assert is_stale(late) and not isinstance(late, Proven) and not late.failed
    assert is_stale(asked.check(signed, Address("203.0.113.66", 5060), 101.0)), "overheard by somebody else"
    assert asked.check(signed, PEER._replace(port=1024), 101.0) == Proven("anna"), "NAT changes ports"
    restarted = DigestServer(DigestPolicy(REALM), find, random.Random(3).randbytes)
    assert is_stale(restarted.check(signed, PEER, 101.0))


@pytest.mark.parametrize(
    "change",
    [
        {"response": "0" * 64},
        {"response": "é" * 64},
        {"response": None},
        {"uri": "sip:other.example"},
        {"username": "jörg".encode().decode("latin-1")},
        {"username": None},
        {"nc": "1"},
        {"nc": None},
        {"nc": "0000000g"},
        {"cnonce": None},
        {"qop": "auth-conf"},
        {"qop": None},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "SHA-1"},
        {"algorithm": "SHA-256-sess", "qop": None},
    ],
)
def test_whatever_is_changed_is_wrong(change: dict[str, str | None]) -> None:
    asked = server()
    first = asked.check(REQUEST, PEER, 0.0)
    assert isinstance(first, Unproven)
    verdict = asked.check(edited(Phone("anna", "rose").answer(first), **change), PEER, 0.0)
    assert isinstance(verdict, Unproven) and verdict.failed and verdict.status == 401


@pytest.mark.parametrize(
    "line",
    ['Digest username="anna', "Basic YW5uYTpyb3Nl", 'Digest realm="other.example", username="anna", response="00"'],
)
def test_what_is_not_for_us_is_no_failure(line: str) -> None:
    verdict = server().check(Request("INVITE", "sip:x@y.example", Headers([("Authorization", line)])), PEER, 0.0)
    assert isinstance(verdict, Unproven) and not verdict.failed


def test_a_phone_without_qop_uses_a_nonce_once() -> None:
    asked = server(Algorithm.MD5)
    first = asked.check(REQUEST, PEER, 0.0)
    assert isinstance(first, Unproven)
    old = tuple((name, line.replace('qop="auth", ', "")) for name, line in first.headers)
    signed = Phone("anna", "rose").answer(Unproven(401, old))
    assert "qop" not in (signed.headers.get("Authorization") or "")
    assert asked.check(signed, PEER, 0.0) == Proven("anna")
    assert is_stale(asked.check(signed, PEER, 0.0))


def test_the_body_counts_for_one_who_signs_it() -> None:
    asked = server(Algorithm.MD5)
    first = asked.check(REQUEST, PEER, 0.0)
    assert isinstance(first, Unproven)
    whole = tuple((name, line.replace('qop="auth"', 'qop="auth-int"')) for name, line in first.headers)
    signed = Phone("anna", "rose").answer(Unproven(401, whole))
    assert asked.check(signed, PEER, 0.0) == Proven("anna")
    other = asked.check(Request("REGISTER", signed.uri, signed.headers, b"another"), PEER, 0.0)
    assert isinstance(other, Unproven) and other.failed


def test_who_forges_an_address_silences_nobody_and_finds_nothing_out() -> None:
    """They see no challenge for it. What they answer is no failure of its, and right or wrong looks alike."""
    asked, phone = server(), Phone("anna", "rose")
    elsewhere = DigestServer(DigestPolicy(REALM), find, random.Random(3).randbytes).check(REQUEST, PEER, 0.0)
    assert isinstance(elsewhere, Unproven)
    right = phone.answer(elsewhere)
    for _ in range(50):
        for forged in (right, edited(right, response="0" * 32), edited(right, nonce="x", username="nobody")):
            unproven = asked.check(forged, PEER, 0.0)
            assert isinstance(unproven, Unproven) and is_stale(unproven)
            assert (unproven.status, unproven.trial) == (401, Trial.ASKED)
    assert phone.try_(asked) == Proven("anna")


def test_who_guesses_is_not_listened_to_for_a_while_and_others_are() -> None:
    asked = server(failures=FailureLimits(at_once=3, regained_s=10.0))
    guesser, neighbour = Phone("anna", "wrong"), Phone("anna", "rose", Address("203.0.113.7", 5060))
    for _ in range(3):
        verdict = guesser.try_(asked)
        assert isinstance(verdict, Unproven) and verdict.status == 401
    limited = Phone("anna", "rose").try_(asked)
    assert isinstance(limited, Unproven) and limited.status == 503 and limited.headers == (("Retry-After", "11"),)
    assert neighbour.try_(asked) == Proven("anna")
    assert Phone("anna", "rose").try_(asked, 10.0) == Proven("anna")


def test_failures_are_forgotten_in_order_and_count_for_an_ipv6_subscriber() -> None:
    ration = FailureRation(FailureLimits(at_once=1, regained_s=10.0, max_sources=2))
    ration.fail("2001:db8::1", 0.0)
    assert ration.wait_s("2001:db8::2", 0.0) == 10.0 and ration.wait_s("2001:db8:0:1::1", 0.0) == 0.0
    ration.fail("192.0.2.1", 0.0)
    ration.fail("192.0.2.2", 0.0)
    assert len(ration) == 2 and ration.wait_s("2001:db8::1", 0.0) == 0.0
    assert ration.wait_s("192.0.2.2", 25.0) == 0.0


def test_counts_of_nonces_that_are_forgotten_too_early_are_stale_not_new() -> None:
    nonces = Nonces(bytes(32), REALM, 300.0)
    early = nonces.make("h", 0.0)
    assert nonces.use(early, 1, "h", 0.0)
    unused = nonces.make("h", 0.0)
    for number in range(MAX_USED):
        assert nonces.use(nonces.make("h", 1.0 + number / 1000), 1, "h", 25.0)
    assert len(nonces) == MAX_USED
    assert not nonces.use(early, 2, "h", 26.0) and not nonces.use(early, 1, "h", 26.0)
    assert not nonces.use(unused, 1, "h", 26.0), "nobody knows any more whether it was used"
    assert nonces.use(nonces.make("h", 400.0), 1, "h", 400.0)
    assert len(nonces) == 1, "what is too old is let go"


@pytest.mark.parametrize("nonce", ["", "x", "é", "AAAA", "A" * 38, "=" * 8])
def test_what_is_no_nonce_of_ours(nonce: str) -> None:
    nonces = Nonces(bytes(32), REALM, 300.0)
    assert nonces.age_s(nonce, "h", 0.0) is None and not nonces.use(nonce, 1, "h", 0.0)


def test_another_policy_counts_from_then_on_and_forgets_nothing() -> None:
    asked, phone = server(Algorithm.MD5, failures=FailureLimits(at_once=3)), Phone("anna", "rose")
    given = asked.check(REQUEST, PEER, 0.0)
    assert isinstance(given, Unproven)
    for _ in range(2):
        assert isinstance(Phone("anna", "guess").try_(asked), Unproven)
    policy = DigestPolicy(REALM, (Algorithm.SHA_256, Algorithm.MD5), nonce_life_s=5.0)
    asked.use(policy)
    assert isinstance(asked.check(phone.answer(given), PEER, 4.0), Proven)
    later = asked.check(REQUEST, PEER, 10.0)
    assert isinstance(later, Unproven) and len(later.headers) == 2
    assert is_stale(asked.check(phone.answer(later), PEER, 16.0))
    asked.use(DigestPolicy(REALM, policy.algorithms, failures=FailureLimits(at_once=2)))
    asked._failures.fail(PEER.host, 16.0)
    asked._failures.fail(PEER.host, 16.0)
    assert isinstance(phone.try_(asked, 100.0), Proven)
    asked.use(DigestPolicy("elsewhere"))
    last = asked.check(phone.answer(later), PEER, 200.0)
    assert isinstance(last, Unproven) and last.trial is Trial.ASKED, "an answer for another realm is none of ours"
    assert 'realm="elsewhere"' in last.headers[0][1]
