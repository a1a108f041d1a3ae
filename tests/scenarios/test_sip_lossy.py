"""Whole calls between two user agents over a link that loses, repeats and reorders, on a manual clock."""

from __future__ import annotations

import pytest

from tests.scenarios.sip_pair import ANSWER, BOB, OFFER, Pair
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import (
    AckReceived,
    Answered,
    CallEnded,
    EndedBy,
    InfoReceived,
    InviteReceived,
    ProgressReceived,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
    SipCallHandle,
    UserAgentEvent,
)
from voicegw.testing.lossy_link import by_pattern, delay_first, lose, lose_first


def answer_at_once(pair: Pair) -> None:
    """Bob accepts whatever comes, re-INVITEs included."""

    def react(event: UserAgentEvent) -> None:
        if isinstance(event, InviteReceived):
            pair.bob.agent.ring(event.handle, pair.now)
            pair.bob.agent.accept(event.handle, ANSWER, pair.now)
        elif isinstance(event, ReinviteReceived):
            pair.bob.agent.answer_reinvite(event.handle, ANSWER, pair.now)

    pair.bob.react = react


def established(pair: Pair) -> tuple[SipCallHandle, SipCallHandle]:
    """Return Alice's and Bob's handle of a call that is up."""
    answer_at_once(pair)
    mine = pair.invite()
    pair.run(4.0)
    assert pair.alice.of(Answered)
    return mine, pair.bob.one(InviteReceived).handle


def test_a_call_from_invite_to_bye() -> None:
    pair = Pair()
    mine, _ = established(pair)
    assert pair.bob.one(InviteReceived).body == OFFER
    assert pair.alice.one(ProgressReceived).status == 180
    assert pair.alice.one(Answered).body == ANSWER
    assert pair.bob.one(AckReceived).body == b""
    pair.alice.agent.bye(mine, pair.now, 'Q.850;cause=16;text="done"')
    pair.run(1.0)
    ended = pair.bob.one(CallEnded)
    assert ended.ended_by is EndedBy.REMOTE_BYE
    assert ended.headers.get("Reason") == 'Q.850;cause=16;text="done"'
    assert pair.alice.one(CallEnded).ended_by is EndedBy.LOCAL_BYE
    assert pair.link.first_lines() == [
        f"INVITE sip:bob@{BOB} SIP/2.0",
        "SIP/2.0 100 Trying",
        "SIP/2.0 180 Ringing",
        "SIP/2.0 200 OK",
        f"ACK sip:{BOB} SIP/2.0",
        f"BYE sip:{BOB} SIP/2.0",
        "SIP/2.0 200 OK",
    ]
    pair.assert_all_forgotten()


@pytest.mark.parametrize("pattern", ["x.", ".x", "xx.", "x.d.", "d", "r.", ".r.d", "xr.d.x..", "x..x.xd", "dx.r"])
def test_a_call_survives_any_pattern_of_loss_repetition_and_reordering(pattern: str) -> None:
    pair = Pair(by_pattern(pattern))
    answer_at_once(pair)
    mine = pair.invite()
    pair.run(30.0)
    assert len(pair.alice.of(Answered)) == 1
    assert len(pair.bob.of(InviteReceived)) == 1
    assert len(pair.bob.of(AckReceived)) == 1
    pair.alice.agent.bye(mine, pair.now)
    pair.run(40.0)
    assert len(pair.alice.of(CallEnded)) == 1
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    pair.assert_all_forgotten()


def test_a_lost_200_is_repeated_until_its_ack() -> None:
    pair = Pair(lose_first("SIP/2.0 200", 3))
    established_at = pair.now
    established(pair)
    pair.run(4.0)
    times = [c.at - established_at for c in pair.link.log if c.start_line == "SIP/2.0 200 OK"]
    assert times == pytest.approx([0.02, 0.52, 1.52, 3.52])
    assert len(pair.lines("ACK")) == 1


def test_a_lost_ack_is_sent_again_for_each_copy_of_the_200() -> None:
    pair = Pair(lose_first("ACK", 2))
    established(pair)
    acks = [c.data for c in pair.link.log if c.start_line.startswith("ACK")]
    assert len(acks) == 3
    assert len(set(acks)) == 1
    assert len(pair.bob.of(AckReceived)) == 1
    assert len(pair.alice.of(Answered)) == 1


def test_a_200_that_is_never_acknowledged_ends_in_bye_after_64_t1() -> None:
    pair = Pair(lose_first("ACK", 100))
    answer_at_once(pair)
    pair.invite()
    pair.run(31.9)
    assert pair.bob.of(CallEnded) == []
    pair.run(0.3)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.NO_ACK
    assert pair.alice.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    assert pair.bob.counters.get(SipCounter.NO_ACK) == 1
    pair.assert_all_forgotten()


def test_a_lost_bye_is_repeated() -> None:
    pair = Pair(lose_first("BYE", 2))
    mine, _ = established(pair)
    pair.alice.agent.bye(mine, pair.now)
    pair.run(3.0)
    assert len(pair.lines("BYE")) == 3
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    pair.assert_all_forgotten()


def test_a_bye_without_any_answer_is_given_up() -> None:
    pair = Pair(lose_first("BYE", 100))
    mine, _ = established(pair)
    pair.alice.agent.bye(mine, pair.now)
    assert len(pair.alice.of(CallEnded)) == 0
    pair.run(40.0)
    assert len(pair.alice.of(CallEnded)) == 1
    assert len(pair.lines("BYE")) == 11
    assert pair.alice.agent.transactions == 0


def test_byes_that_cross_are_both_answered_200() -> None:
    pair = Pair()
    mine, theirs = established(pair)
    pair.alice.agent.bye(mine, pair.now)
    pair.bob.agent.bye(theirs, pair.now)
    pair.run(1.0)
    assert len(pair.lines("SIP/2.0 200")) == 3
    assert pair.lines("SIP/2.0 481") == []
    assert len(pair.alice.of(CallEnded)) == len(pair.bob.of(CallEnded)) == 1
    pair.assert_all_forgotten()


def test_an_invite_to_nobody_times_out_after_64_t1() -> None:
    pair = Pair(lose(*range(100)))
    pair.invite()
    pair.run(31.9)
    assert pair.alice.events == []
    pair.run(0.2)
    assert pair.alice.one(CallEnded).ended_by is EndedBy.NO_RESPONSE
    assert len(pair.lines("INVITE")) == 7
    pair.assert_all_forgotten()


def test_a_refusal_is_repeated_until_its_ack() -> None:
    pair = Pair(lose_first("ACK", 1))
    pair.bob.react = lambda event: (
        pair.bob.agent.reject(event.handle, 486, pair.now) if isinstance(event, InviteReceived) else None
    )
    pair.invite()
    pair.run(5.0)
    assert pair.lines("SIP/2.0 486") == ["SIP/2.0 486 Busy Here"] * 2
    assert len(pair.lines("ACK")) == 2
    ended = pair.alice.one(CallEnded)
    assert (ended.ended_by, ended.status, ended.reason) == (EndedBy.REMOTE_REFUSAL, 486, "Busy Here")
    assert pair.bob.one(CallEnded).ended_by is EndedBy.LOCAL_REFUSAL
    pair.assert_all_forgotten()


def test_cancel_while_it_rings() -> None:
    pair = Pair()
    pair.bob.react = lambda event: (
        pair.bob.agent.ring(event.handle, pair.now) if isinstance(event, InviteReceived) else None
    )
    mine = pair.invite()
    pair.run(5.0)
    pair.alice.agent.cancel(mine, pair.now)
    pair.run(1.0)
    assert pair.alice.one(CallEnded).ended_by is EndedBy.LOCAL_CANCEL
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_CANCEL
    assert pair.lines("SIP/2.0 487") == ["SIP/2.0 487 Request Terminated"]
    pair.assert_all_forgotten()


def test_cancel_waits_for_the_first_provisional_response() -> None:
    pair = Pair(lose_first("SIP/2.0 100"))
    mine = pair.invite()
    pair.run(0.1)
    pair.alice.agent.cancel(mine, pair.now)
    pair.run(0.1)
    assert pair.lines("CANCEL") == []
    pair.run(2.0)
    assert len(pair.lines("CANCEL")) == 1
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_CANCEL
    pair.assert_all_forgotten()


def test_cancel_that_crosses_the_200_ends_in_ack_and_bye() -> None:
    pair = Pair()
    mine = pair.invite()
    pair.run(1.0)
    pair.bob.agent.accept(pair.bob.one(InviteReceived).handle, ANSWER, pair.now)
    pair.alice.agent.cancel(mine, pair.now)
    pair.run(1.0)
    assert pair.alice.of(Answered) == []
    assert pair.alice.one(CallEnded).ended_by is EndedBy.LOCAL_CANCEL
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    assert pair.lines("SIP/2.0 487") == []
    assert len(pair.lines("ACK")) == len(pair.lines("BYE")) == 1
    pair.assert_all_forgotten()


def test_a_cancelled_invite_without_a_final_response_is_abandoned() -> None:
    pair = Pair(lose_first("SIP/2.0 487", 100))
    mine = pair.invite()
    pair.run(1.0)
    pair.alice.agent.cancel(mine, pair.now)
    pair.run(70.0)
    assert pair.alice.agent.transactions == 0


def test_a_call_that_rings_for_ever_is_cancelled_by_timer_c() -> None:
    pair = Pair()
    pair.bob.react = lambda event: (
        pair.bob.agent.ring(event.handle, pair.now) if isinstance(event, InviteReceived) else None
    )
    pair.invite()
    pair.run(170.0)
    assert pair.lines("SIP/2.0 180") == ["SIP/2.0 180 Ringing"] * 3  # repeated each minute
    pair.link.impairment = lose_first("SIP/2.0 180", 100)
    pair.run(180.0)
    assert pair.alice.one(CallEnded).ended_by is EndedBy.NO_ANSWER
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_CANCEL
    pair.assert_all_forgotten()


def test_bye_before_the_ack_arrived_is_accepted() -> None:
    pair = Pair(delay_first("ACK", 0.2))
    answer_at_once(pair)
    mine = pair.invite()
    pair.run(0.05)
    pair.alice.agent.bye(mine, pair.now)
    pair.run(3.0)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    assert pair.bob.of(AckReceived) == []
    assert pair.bob.counters.get(SipCounter.STRAY_ACK) == 1
    pair.assert_all_forgotten()


def test_hanging_up_before_the_ack_holds_the_bye_back() -> None:
    pair = Pair(lose_first("ACK", 1))
    pair.bob.react = lambda event: (
        pair.bob.agent.accept(event.handle, ANSWER, pair.now) if isinstance(event, InviteReceived) else None
    )
    pair.invite()
    pair.run(0.1)
    pair.bob.agent.bye(pair.bob.one(InviteReceived).handle, pair.now, "SIP;cause=200")
    pair.run(0.1)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.LOCAL_BYE
    assert pair.lines("BYE") == []
    pair.run(2.0)
    assert len(pair.lines("BYE")) == 1
    assert pair.alice.one(CallEnded).headers.get("Reason") == "SIP;cause=200"
    assert len(pair.bob.of(CallEnded)) == 1
    pair.assert_all_forgotten()


def test_delayed_offer_goes_in_the_200_and_the_answer_in_the_ack() -> None:
    pair = Pair(lose_first("ACK", 1))
    answer_at_once(pair)

    def react(event: UserAgentEvent) -> None:
        if isinstance(event, Answered):
            assert event.wants_answer
            pair.alice.agent.acknowledge(event.handle, b"v=0\r\nanswer")

    pair.alice.react = react
    pair.invite(None)
    pair.run(3.0)
    assert pair.alice.one(Answered).body == ANSWER
    assert pair.bob.one(AckReceived).body == b"v=0\r\nanswer"
    assert len(pair.lines("ACK")) == 2


def test_reinvite_changes_the_session_and_a_488_leaves_it() -> None:
    pair = Pair(lose_first("SIP/2.0 488"))
    mine, _ = established(pair)
    assert pair.alice.agent.reinvite(mine, b"v=0\r\nhold", pair.now)
    assert not pair.alice.agent.reinvite(mine, b"v=0\r\ntwice", pair.now)
    pair.run(1.0)
    assert pair.bob.one(ReinviteReceived).body == b"v=0\r\nhold"
    assert pair.alice.one(ReinviteAnswered).body == ANSWER
    assert len(pair.bob.of(AckReceived)) == 2
    pair.bob.react = lambda event: (
        pair.bob.agent.answer_reinvite(event.handle, 488, pair.now) if isinstance(event, ReinviteReceived) else None
    )
    assert pair.alice.agent.reinvite(mine, b"v=0\r\nt38", pair.now)
    pair.run(3.0)
    assert pair.alice.one(ReinviteRefused).status == 488
    pair.alice.agent.bye(mine, pair.now)
    pair.run(1.0)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    pair.assert_all_forgotten()


def test_reinvites_that_cross_are_both_refused_491_and_tried_again_at_different_times() -> None:
    pair = Pair()
    mine, theirs = established(pair)
    pair.alice.react = lambda event: (
        pair.alice.agent.answer_reinvite(event.handle, ANSWER, pair.now)
        if isinstance(event, ReinviteReceived)
        else None
    )
    assert pair.alice.agent.reinvite(mine, b"v=0\r\na", pair.now)
    assert pair.bob.agent.reinvite(theirs, b"v=0\r\nb", pair.now)
    pair.run(0.5)
    assert pair.lines("SIP/2.0 491") == ["SIP/2.0 491 Request Pending"] * 2
    pair.run(6.0)
    assert pair.alice.one(ReinviteReceived).body == b"v=0\r\nb"
    assert pair.bob.one(ReinviteReceived).body == b"v=0\r\na"
    assert len(pair.alice.of(ReinviteAnswered)) == len(pair.bob.of(ReinviteAnswered)) == 1
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


def test_a_reinvite_into_a_dead_peer_ends_the_call() -> None:
    pair = Pair()
    mine, _ = established(pair)
    pair.link.detach(BOB)
    assert pair.alice.agent.reinvite(mine, OFFER, pair.now)
    pair.run(40.0)
    assert pair.alice.one(CallEnded).ended_by is EndedBy.NO_RESPONSE


def test_info_arrives_once_however_often_it_is_sent() -> None:
    pair = Pair()
    mine, _ = established(pair)
    call = pair.alice.agent._core.calls[mine]
    assert call.dialog is not None
    extra = (("Content-Type", "application/dtmf-relay"),)
    pair.link.impairment = lose_first("SIP/2.0 200")
    pair.alice.agent._core.request_in_dialog(call.dialog, "INFO", None, pair.now, extra, b"Signal=5\r\n")
    pair.run(3.0)
    assert len(pair.lines("INFO")) == 2
    assert pair.bob.one(InfoReceived).body == b"Signal=5\r\n"


def test_an_error_of_the_transport_ends_the_attempt_at_once() -> None:
    pair = Pair()
    pair.invite()
    pair.alice.agent.datagrams_to_send()
    pair.alice.agent.transport_failed(BOB, pair.now)
    pair.run(0.1)
    assert pair.alice.one(CallEnded).ended_by is EndedBy.TRANSPORT_ERROR
    pair.assert_all_forgotten()
