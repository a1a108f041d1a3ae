"""Servers that share a key: a challenge of one is answered at another; which copies are refused, and which not."""

from __future__ import annotations

import random
from itertools import cycle

from tests.unit.sip.raw_peer import PEER
from tests.unit.sip.test_digest_server import REALM, REQUEST, Phone, find, is_stale
from voicegw.sip.address import Address
from voicegw.sip.challenges import Permit
from voicegw.sip.digest_server import DigestPolicy, DigestServer, Proven, Unproven
from voicegw.sip.message import Request
from voicegw.sip.nonces import FOREIGN_LIFE_S, SKEW_S, SharedNonces
from voicegw.testing.manual_clock import ManualClock

KEY = bytes(range(32))
PROVEN = Proven("anna")
AT = Address("203.0.113.66", 5060)


class Server:
    """A digest server of a machine that has been up for a time of its own; ``ask`` takes the time of the test."""

    def __init__(self, seed: int, *, up_s: float = 0.0, fast_s: float = 0.0, key: bytes = KEY) -> None:
        """``up_s``: of the machine, at the beginning of the test. ``fast_s``: how far its clock is ahead."""
        self._up_s = up_s
        self.ahead_s = 1_790_000_000.0 - up_s + fast_s
        shared = SharedNonces(key, lambda: self.ahead_s)
        self._digest = DigestServer(DigestPolicy(REALM), find, random.Random(seed).randbytes, shared)

    def ask(self, request: Request, now: float, source: Address = PEER) -> Proven | Unproven:
        return self._digest.check(request, source, now + self._up_s)


def challenged(server: Server, now: float = 0.0) -> Unproven:
    verdict = server.ask(REQUEST, now)
    assert isinstance(verdict, Unproven) and not verdict.failed
    return verdict


def refused_as_stale(verdict: Proven | Unproven) -> bool:
    return isinstance(verdict, Unproven) and is_stale(verdict) and not verdict.failed


def test_a_challenge_of_one_is_answered_at_the_other() -> None:
    a, b = Server(1, up_s=4.0), Server(2, up_s=86_400.0)
    signed = Phone("anna", "rose").answer(challenged(a))
    assert b.ask(signed, 0.1) == PROVEN
    assert refused_as_stale(b.ask(signed, 0.1, AT)), "nonces are for one source at all of them"


def test_who_has_another_key_takes_nothing() -> None:
    signed = Phone("anna", "rose").answer(challenged(Server(1)))
    assert refused_as_stale(Server(2, key=bytes(32)).ask(signed, 0.1))


def test_a_phone_whose_requests_go_to_all_by_turns_is_asked_once_now_and_once_an_hour_later() -> None:
    """Without a shared key none of its answers would ever reach the one who asked."""
    servers, phone = cycle([Server(1, up_s=5.0), Server(2, up_s=90.0), Server(3, up_s=7e5)]), Phone("anna", "rose")
    assert next(servers).ask(phone.answer(challenged(next(servers))), 0.1) == PROVEN
    later = next(servers).ask(phone.client.sign(Permit("a"), REQUEST, PEER), 3600.0)
    assert isinstance(later, Unproven) and refused_as_stale(later)
    assert next(servers).ask(phone.answer(later), 3600.1) == PROVEN


def test_a_copy_is_taken_by_nobody_twice_and_by_others_for_moments_only() -> None:
    a, b, c = Server(1), Server(2), Server(3)
    signed = Phone("anna", "rose").answer(challenged(a))
    assert a.ask(signed, 0.1) == PROVEN
    assert refused_as_stale(a.ask(signed, 0.2))
    assert b.ask(signed, 0.2) == PROVEN, "counts are not shared: this is the price"
    assert refused_as_stale(b.ask(signed, 0.3))
    assert refused_as_stale(c.ask(signed, FOREIGN_LIFE_S + 0.1)), "and it ends soon"


def test_the_one_who_asked_takes_the_next_counts_for_the_whole_life_of_a_nonce() -> None:
    a, b, phone = Server(1), Server(2), Phone("anna", "rose")
    assert a.ask(phone.answer(challenged(a)), 0.1) == PROVEN
    assert a.ask(phone.client.sign(Permit("a"), REQUEST, PEER), 299.0) == PROVEN
    assert refused_as_stale(b.ask(phone.client.sign(Permit("a"), REQUEST, PEER), 299.0))


def test_after_a_restart_old_nonces_are_those_of_another() -> None:
    """What was used before is not known any more."""
    phone = Phone("anna", "rose")
    signed = phone.answer(challenged(Server(1, up_s=100.0)))
    assert Server(2, up_s=100.0).ask(signed, FOREIGN_LIFE_S - 1.0) == PROVEN
    assert refused_as_stale(Server(3, up_s=100.0).ask(signed, FOREIGN_LIFE_S + 1.0))


def test_clocks_may_differ_a_little() -> None:
    ahead = Server(1, fast_s=SKEW_S - 0.5)
    signed = Phone("anna", "rose").answer(challenged(ahead))
    assert Server(2).ask(signed, 0.1) == PROVEN
    signed = Phone("anna", "rose").answer(challenged(Server(3, fast_s=SKEW_S + 0.5)))
    assert refused_as_stale(Server(2).ask(signed, 0.1))


def test_a_clock_that_is_set_back_makes_no_used_nonce_new() -> None:
    a = Server(1)
    old, other = Phone("anna", "rose"), Phone("anna", "rose")
    signed = old.answer(challenged(a))
    assert a.ask(signed, 0.1) == PROVEN
    assert a.ask(other.answer(challenged(a, 400.0)), 400.0) == PROVEN, "and the counts of the old one are forgotten"
    a.ahead_s -= 300.0
    assert refused_as_stale(a.ask(signed, 400.0))


def test_what_one_purpose_hands_out_another_one_does_not_take() -> None:
    clock = ManualClock()
    shared = SharedNonces(KEY, lambda: clock.wall() - clock.monotonic())
    phones, trunks = shared.of("phones"), shared.of("trunks")
    policy, noise = DigestPolicy(REALM), random.Random(5).randbytes
    asked = DigestServer(policy, find, noise, phones)
    verdict = asked.check(REQUEST, PEER, clock.monotonic())
    assert isinstance(verdict, Unproven)
    signed = Phone("anna", "rose").answer(verdict)
    assert refused_as_stale(DigestServer(policy, find, noise, trunks).check(signed, PEER, clock.monotonic()))
    assert DigestServer(policy, find, noise, shared.of("phones")).check(signed, PEER, clock.monotonic()) == PROVEN


def test_one_that_came_to_its_realm_later_is_understood_by_those_that_began_with_it() -> None:
    clock, noise = ManualClock(), random.Random(5).randbytes
    shared = SharedNonces(KEY, lambda: clock.wall() - clock.monotonic())
    moved, other = (DigestServer(DigestPolicy(realm), find, noise, shared.of("x")) for realm in ("old", REALM))
    moved.use(DigestPolicy(REALM))
    verdict = moved.check(REQUEST, PEER, clock.monotonic())
    assert isinstance(verdict, Unproven)
    assert other.check(Phone("anna", "rose").answer(verdict), PEER, clock.monotonic()) == PROVEN
