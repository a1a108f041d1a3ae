"""UPDATE and offers within a call, both ways, with their collisions (RFC 3311, RFC 6337)."""

from __future__ import annotations

import pytest

from tests.scenarios.sip_pair import ANSWER, BOB, OFFER, Pair, Party
from voicegw.sip.events import (
    AckReceived,
    Answered,
    CallEnded,
    EndedBy,
    InviteReceived,
    OfferAnswered,
    OfferReceived,
    OfferRefused,
    ProgressReceived,
    ReinviteAnswered,
    ReinviteReceived,
    SipCallHandle,
    UserAgentEvent,
)
from voicegw.sip.session_timer import SessionTimerPolicy
from voicegw.testing.lossy_link import by_pattern, lose_first

CHANGE = b"v=0\r\nchange"
AGREED = b"v=0\r\nagreed"


def obliging(pair: Pair, party: Party) -> None:
    """Answer whatever comes."""

    def react(event: UserAgentEvent) -> None:
        agent = party.agent
        match event:
            case OfferReceived():
                agent.answer_offer(event.handle, AGREED, pair.now)
            case ReinviteReceived():
                agent.answer_reinvite(event.handle, AGREED if event.body else CHANGE, pair.now)
            case ReinviteAnswered() if event.wants_answer:
                agent.acknowledge(event.handle, AGREED)
            case ProgressReceived() if event.wants_answer:
                agent.answer_progress(event.handle, event.tag, AGREED, pair.now)
            case _:
                pass

    party.react = react


def early(pair: Pair, sdp: bytes | None = OFFER) -> tuple[SipCallHandle, SipCallHandle]:
    """A call whose media are agreed and that nobody has answered yet; Alice's handle and Bob's."""
    obliging(pair, pair.alice)
    obliging(pair, pair.bob)
    mine = pair.invite(sdp)
    pair.run(0.1)
    theirs = pair.bob.one(InviteReceived).handle
    pair.bob.agent.ring(theirs, pair.now, 183, ANSWER)
    pair.run(5.0)
    assert pair.alice.of(ProgressReceived)
    return mine, theirs


def established(pair: Pair) -> tuple[SipCallHandle, SipCallHandle]:
    """A call that is up; Alice's handle and Bob's."""
    mine, theirs = early(pair)
    pair.bob.agent.accept(theirs, ANSWER, pair.now)
    pair.run(5.0)
    assert pair.alice.of(Answered)
    return mine, theirs


def moments(pair: Pair, start: str) -> list[float]:
    log = pair.link.log
    return [round(carried.at - log[0].at, 3) for carried in log if carried.start_line.startswith(start)]


@pytest.mark.parametrize("pattern", [".", "x.", ".x", "xx.", "d", "r.", "xr.d.x..", "dx.r"])
def test_update_changes_a_call_that_is_up(pattern: str) -> None:
    pair = Pair()
    mine, theirs = established(pair)
    pair.link.impairment = by_pattern(pattern)
    assert pair.alice.agent.update(mine, CHANGE, pair.now)
    assert not pair.alice.agent.update(mine, CHANGE, pair.now), "one at a time"
    assert not pair.alice.agent.reinvite(mine, CHANGE, pair.now)
    pair.run(30.0)
    assert pair.bob.one(OfferReceived).body == CHANGE
    assert pair.alice.one(OfferAnswered).body == AGREED
    assert pair.bob.agent.update(theirs, CHANGE, pair.now)
    pair.run(30.0)
    assert pair.alice.one(OfferReceived).body == CHANGE
    assert pair.bob.one(OfferAnswered).body == AGREED
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


@pytest.mark.parametrize("sdp", [OFFER, None])
def test_update_changes_early_media_both_ways(sdp: bytes | None) -> None:
    pair = Pair()
    mine, theirs = early(pair, sdp)
    tag = pair.alice.one(ProgressReceived).tag
    assert not pair.alice.agent.update(mine, CHANGE, pair.now), "of which fork?"
    assert pair.alice.agent.update(mine, CHANGE, pair.now, tag)
    pair.run(1.0)
    assert pair.bob.one(OfferReceived) == OfferReceived(theirs, CHANGE)
    assert pair.alice.one(OfferAnswered) == OfferAnswered(mine, AGREED, tag)
    assert pair.bob.agent.update(theirs, CHANGE, pair.now)
    pair.run(1.0)
    assert pair.alice.one(OfferReceived) == OfferReceived(mine, CHANGE, tag)
    assert pair.bob.of(OfferAnswered)[-1] == OfferAnswered(theirs, AGREED)
    pair.bob.agent.accept(theirs, ANSWER, pair.now)
    pair.run(1.0)
    assert pair.alice.one(Answered).body == b"", "what UPDATE agreed holds"
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


def test_update_without_an_offer_moves_the_target_alone() -> None:
    pair = Pair()
    mine, _ = established(pair)
    assert pair.alice.agent.update(mine, b"", pair.now)
    pair.run(1.0)
    assert pair.bob.of(OfferReceived) == []
    assert pair.alice.of(OfferAnswered) == []
    assert len(pair.lines("UPDATE")) == 1
    assert pair.lines("SIP/2.0 200")[-1] == "SIP/2.0 200 OK"


def test_updates_that_cross_are_refused_491_and_tried_again_at_different_times() -> None:
    pair = Pair()
    mine, theirs = established(pair)
    begun = pair.now
    assert pair.alice.agent.update(mine, b"v=0\r\na", pair.now)
    assert pair.bob.agent.update(theirs, b"v=0\r\nb", pair.now)
    pair.run(7.0)
    assert pair.lines("SIP/2.0 491") == ["SIP/2.0 491 Request Pending"] * 2
    assert pair.alice.one(OfferReceived).body == b"v=0\r\nb"
    assert pair.bob.one(OfferReceived).body == b"v=0\r\na"
    assert len(pair.alice.of(OfferAnswered)) == len(pair.bob.of(OfferAnswered)) == 1
    again = [c for c in pair.link.log if c.start_line.startswith("UPDATE")][2:]
    waits = {c.source: c.at - begun for c in again}
    assert waits[BOB] <= 2.04
    assert 2.1 <= waits[pair.alice.address] <= 4.04
    assert pair.alice.of(OfferRefused) == []


def test_an_update_that_crosses_a_reinvite_gets_491() -> None:
    pair = Pair()
    mine, theirs = established(pair)
    assert pair.alice.agent.reinvite(mine, CHANGE, pair.now)
    assert pair.bob.agent.update(theirs, CHANGE, pair.now)
    pair.run(7.0)
    assert pair.lines("SIP/2.0 491") == ["SIP/2.0 491 Request Pending"] * 2
    assert len(pair.alice.of(ReinviteAnswered)) == len(pair.bob.of(OfferAnswered)) == 1


def test_an_update_while_another_one_waits_for_its_answer_gets_500() -> None:
    pair = Pair()
    mine, theirs = established(pair)
    pair.bob.react = lambda event: None
    assert pair.alice.agent.update(mine, CHANGE, pair.now)
    pair.run(0.1)
    call = pair.alice.agent._core.calls[mine]
    assert call.dialog is not None
    pair.alice.agent._core.request_in_dialog(call.dialog, "UPDATE", None, pair.now)
    pair.run(0.1)
    refusal = next(c.data for c in pair.link.log if c.start_line.startswith("SIP/2.0 500"))
    assert b"\r\nRetry-After: " in refusal
    pair.bob.agent.answer_offer(theirs, AGREED, pair.now)
    pair.run(0.1)
    assert pair.alice.one(OfferAnswered).body == AGREED


def test_a_refused_update_leaves_the_session_and_the_call() -> None:
    pair = Pair()
    mine, _ = established(pair)
    pair.bob.react = lambda event: (
        pair.bob.agent.answer_offer(event.handle, 488, pair.now) if isinstance(event, OfferReceived) else None
    )
    assert pair.alice.agent.update(mine, CHANGE, pair.now)
    pair.run(1.0)
    assert pair.alice.one(OfferRefused).status == 488
    assert pair.alice.agent.update(mine, CHANGE, pair.now), "the next one may go"
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


def test_an_update_into_a_dead_peer_ends_the_call() -> None:
    pair = Pair()
    mine, _ = established(pair)
    pair.link.detach(BOB)
    assert pair.alice.agent.update(mine, CHANGE, pair.now)
    pair.run(31.9)
    assert pair.alice.of(CallEnded) == []
    pair.run(0.2)
    assert pair.alice.one(CallEnded).ended_by is EndedBy.NO_RESPONSE


def test_a_bye_answers_an_update_that_nobody_has_answered() -> None:
    pair = Pair()
    mine, theirs = established(pair)
    pair.bob.react = lambda event: None
    assert pair.alice.agent.update(mine, CHANGE, pair.now)
    pair.run(0.1)
    pair.bob.agent.bye(theirs, pair.now)
    pair.run(0.1)
    assert pair.lines("SIP/2.0 487") == ["SIP/2.0 487 Request Terminated"]
    pair.assert_all_forgotten()


def test_a_200_waits_until_an_early_update_is_answered() -> None:
    pair = Pair()
    mine, theirs = early(pair)
    pair.bob.react = lambda event: None
    tag = pair.alice.one(ProgressReceived).tag
    assert pair.alice.agent.update(mine, CHANGE, pair.now, tag)
    pair.run(0.1)
    pair.bob.agent.accept(theirs, ANSWER, pair.now)
    pair.run(1.0)
    assert pair.alice.of(Answered) == []
    pair.bob.agent.answer_offer(theirs, AGREED, pair.now)
    pair.run(1.0)
    assert pair.alice.one(OfferAnswered).body == AGREED
    assert pair.alice.one(Answered).body == b""


def test_nothing_may_be_offered_while_an_answer_is_due() -> None:
    pair = Pair()
    pair.invite()
    pair.run(0.1)
    theirs = pair.bob.one(InviteReceived).handle
    assert not pair.bob.agent.update(theirs, CHANGE, pair.now), "Alice's offer is open"
    pair.link.impairment = lose_first("PRACK", 100)
    pair.bob.agent.ring(theirs, pair.now, 183, ANSWER)
    pair.run(1.0)
    assert not pair.bob.agent.update(theirs, CHANGE, pair.now), "Alice has not acknowledged our answer"


def test_a_reinvite_without_an_offer_is_answered_in_its_ack() -> None:
    pair = Pair(lose_first("ACK", 1))
    mine, _ = established(pair)
    assert pair.alice.agent.reinvite(mine, b"", pair.now)
    pair.run(3.0)
    assert pair.bob.one(ReinviteReceived).body == b""
    assert pair.alice.one(ReinviteAnswered).body == CHANGE
    assert pair.alice.one(ReinviteAnswered).wants_answer
    assert [event.body for event in pair.bob.of(AckReceived)][-1] == AGREED
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


def test_a_session_is_refreshed_by_update_where_both_know_it() -> None:
    minutes = SessionTimerPolicy(session_expires_s=180)
    pair = Pair(alice=minutes, bob=minutes)
    mine, _ = established(pair)
    before = len(pair.lines("INVITE"))
    pair.run(400.0)
    assert len(pair.lines("INVITE")) == before
    assert len(pair.lines("UPDATE")) == 4
    assert pair.alice.of(CallEnded) == []
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()
