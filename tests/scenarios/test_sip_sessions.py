"""Session timers over whole calls on the manual clock, every refresh and end to the millisecond (RFC 4028)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.sip_pair import ANSWER, BOB, OFFER, Pair
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import (
    Answered,
    CallEnded,
    EndedBy,
    InviteReceived,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
    SipCallHandle,
    UserAgentEvent,
)
from voicegw.sip.session_timer import SessionTimerPolicy
from voicegw.testing.lossy_link import lose_first

WAY_S = 0.02
"""One way over the link."""
MINUTES = SessionTimerPolicy(session_expires_s=180)


@pytest.fixture(autouse=True)
def peers_without_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither side says that it takes UPDATE, so that every refresh is a re-INVITE."""
    for side in ("inviting", "uas"):
        monkeypatch.setattr(f"voicegw.sip.{side}.ALLOW", ("Allow", "INVITE, ACK, CANCEL, BYE"))


def obliging(pair: Pair) -> None:
    """Both sides accept whatever comes, repeating their own descriptions."""

    def bob(event: UserAgentEvent) -> None:
        if isinstance(event, InviteReceived):
            pair.bob.agent.accept(event.handle, ANSWER, pair.now)
        elif isinstance(event, ReinviteReceived):
            pair.bob.agent.answer_reinvite(event.handle, ANSWER, pair.now)

    def alice(event: UserAgentEvent) -> None:
        if isinstance(event, ReinviteReceived):
            pair.alice.agent.answer_reinvite(event.handle, OFFER, pair.now)

    pair.bob.react, pair.alice.react = bob, alice


def established(pair: Pair) -> SipCallHandle:
    obliging(pair)
    handle = pair.invite()
    pair.run(1.0)
    assert pair.alice.of(Answered)
    return handle


def moments(pair: Pair, start: str) -> list[float]:
    """When each datagram that begins so was sent, in seconds since the first of all."""
    log = pair.link.log
    return [round(carried.at - log[0].at, 3) for carried in log if carried.start_line.startswith(start)]


def test_the_called_side_refreshes_where_both_leave_it_to_it() -> None:
    pair = Pair(alice=MINUTES, bob=MINUTES)
    handle = established(pair)
    pair.run(400)
    # Bob answered after one way. Half of 180 s later he repeats his description, and again after its answer.
    assert moments(pair, "INVITE")[1:] == [90.02, 180.06, 270.1, 360.14]
    assert {event.body for event in pair.alice.of(ReinviteReceived)} == {ANSWER}
    assert not pair.bob.of(ReinviteReceived), "only one side refreshes"
    pair.alice.agent.bye(handle, pair.now)
    pair.assert_all_forgotten()


def test_a_call_that_is_not_refreshed_is_ended_a_third_before_its_time() -> None:
    pair = Pair(alice=MINUTES, bob=MINUTES)
    established(pair)
    pair.link.detach(BOB)
    pair.run(400)
    # Alice heard the 200 after two ways, and waits 180 s less the smaller of 32 s and a third.
    assert moments(pair, "BYE")[0] == 148.04
    ended = pair.alice.one(CallEnded)
    assert ended.ended_by is EndedBy.SESSION_EXPIRED
    assert pair.alice.counters.get(SipCounter.SESSION_EXPIRED) == 1


def test_a_refresh_that_nobody_answers_ends_the_call() -> None:
    pair = Pair(alice=MINUTES, bob=MINUTES)
    established(pair)
    pair.link.detach(pair.alice.address)
    pair.run(400)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.NO_RESPONSE
    assert moments(pair, "BYE")[0] == 90.02 + 32


def test_too_short_an_interval_is_refused_and_asked_for_again() -> None:
    pair = Pair(alice=MINUTES, bob=SessionTimerPolicy(3600, 600))
    established(pair)
    assert pair.lines("SIP/2.0 422") == ["SIP/2.0 422 Session Interval Too Small"]
    assert len(pair.bob.of(InviteReceived)) == 1
    request = pair.bob.one(InviteReceived).request
    assert request.headers.get("Session-Expires") == "600"
    assert request.headers.get("Min-SE") == "600"
    assert request.headers.get("CSeq") == "2 INVITE"
    assert request.body == OFFER
    pair.run(290)
    assert len(moments(pair, "INVITE")) == 2
    pair.run(20)
    assert len(moments(pair, "INVITE")) == 3, "refreshed at half of what the peer wanted"


@pytest.mark.parametrize("asks", ["alice", "bob"])
def test_one_side_that_asks_is_enough(asks: str) -> None:
    pair = Pair(alice=MINUTES) if asks == "alice" else Pair(bob=MINUTES)
    established(pair)
    pair.run(300)
    assert len(moments(pair, "INVITE")) == 4
    assert not pair.alice.of(CallEnded)


def test_nobody_asks_and_nothing_happens() -> None:
    pair = Pair()
    established(pair)
    pair.run(7200)
    assert len(moments(pair, "INVITE")) == 1
    assert pair.alice.agent.get_timer() is None


def test_a_refused_refresh_leaves_the_call_until_the_session_expires() -> None:
    pair = Pair(alice=MINUTES, bob=MINUTES)
    established(pair)
    pair.alice.react = lambda event: (
        pair.alice.agent.answer_reinvite(event.handle, 488, pair.now)
        if isinstance(event, ReinviteReceived)
        else None
    )
    pair.run(300)
    assert pair.bob.one(ReinviteRefused).status == 488
    assert pair.bob.one(CallEnded).ended_by is EndedBy.SESSION_EXPIRED
    assert moments(pair, "BYE")[0] == 148 + WAY_S
    pair.assert_all_forgotten()


def test_refreshes_that_cross_a_change_of_the_other_side_are_tried_again() -> None:
    pair = Pair(alice=MINUTES, bob=MINUTES)
    handle = established(pair)
    pair.run(90.015 - 1.0)  # Bob is about to refresh
    assert pair.alice.agent.reinvite(handle, b"v=0\r\nhold", pair.now)
    pair.run(6.0)
    assert pair.lines("SIP/2.0 491")
    assert len(pair.alice.of(ReinviteAnswered)) == 1
    assert len(pair.bob.of(ReinviteAnswered)) == 1
    assert not pair.alice.of(CallEnded) and not pair.bob.of(CallEnded)


def test_lost_refreshes_are_sent_again() -> None:
    pair = Pair(alice=MINUTES, bob=MINUTES)
    established(pair)
    pair.link.impairment = lose_first("INVITE", 2)
    pair.run(100)
    assert moments(pair, "INVITE")[1:] == [90.02, 90.52, 91.52]
    assert len(pair.alice.of(ReinviteReceived)) == 1
    assert not pair.alice.of(CallEnded)


def test_a_running_call_keeps_its_session_timer_when_the_policy_changes() -> None:
    """Alice goes on to refresh with what is too brief for Bob's new calls."""
    pair = Pair(alice=MINUTES, bob=MINUTES)
    obliging(pair)
    handle = pair.invite(headers=(("Supported", "timer"),))
    pair.run(1.0)
    agent = pair.bob.agent
    agent.use(replace(agent._core.config, sessions=SessionTimerPolicy(session_expires_s=600, min_se_s=600)))
    pair.run(400)
    assert not pair.lines("SIP/2.0 422"), "refreshes go on as they were agreed"
    assert not pair.alice.of(CallEnded) and not pair.bob.of(CallEnded)
    pair.alice.agent.bye(handle, pair.now)
    pair.run(1.0)
    pair.invite()
    pair.run(1.0)
    assert len(pair.lines("SIP/2.0 422")) == 1, "a new call is told of the new Min-SE"
