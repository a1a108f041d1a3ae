"""Reliable provisional responses in whole calls on the manual clock, each timer to the millisecond (RFC 3262)."""

from __future__ import annotations

import pytest

from tests.scenarios.sip_pair import ANSWER, OFFER, Pair
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import (
    AckReceived,
    Answered,
    CallEnded,
    EndedBy,
    InviteReceived,
    OfferAnswered,
    ProgressReceived,
    SipCallHandle,
    UserAgentEvent,
)
from voicegw.testing.lossy_link import by_pattern, lose_first

REQUIRED = (("Require", "100rel"),)


def early_media_first(pair: Pair) -> None:
    """Bob sends 183 with his answer at once, and 200 when the test says so."""

    def react(event: UserAgentEvent) -> None:
        if isinstance(event, InviteReceived):
            pair.bob.agent.ring(event.handle, pair.now, 183, ANSWER)

    pair.bob.react = react


def bobs_call(pair: Pair) -> SipCallHandle:
    return pair.bob.one(InviteReceived).handle


def moments(pair: Pair, start: str) -> list[float]:
    """When each datagram that begins so was sent, in seconds since the first of all."""
    log = pair.link.log
    return [round(carried.at - log[0].at, 3) for carried in log if carried.start_line.startswith(start)]


def test_early_media_is_acknowledged_and_the_200_has_no_second_answer() -> None:
    pair = Pair()
    early_media_first(pair)
    mine = pair.invite()
    pair.run(1.0)
    progress = pair.alice.one(ProgressReceived)
    assert (progress.status, progress.body, progress.wants_answer) == (183, ANSWER, False)
    pair.bob.agent.accept(bobs_call(pair), ANSWER, pair.now)
    pair.run(1.0)
    answered = pair.alice.one(Answered)
    assert (answered.body, answered.tag, answered.wants_answer) == (b"", progress.tag, False)
    assert pair.bob.one(AckReceived).body == b""
    pair.alice.agent.bye(mine, pair.now)
    pair.run(1.0)
    lines = [line.partition(" sip:")[0] for line in pair.link.first_lines()]
    assert lines == [
        "INVITE",
        "SIP/2.0 100 Trying",
        "SIP/2.0 183 Session Progress",
        "PRACK",
        "SIP/2.0 200 OK",
        "SIP/2.0 200 OK",
        "ACK",
        "BYE",
        "SIP/2.0 200 OK",
    ]
    pair.assert_all_forgotten()


def test_a_lost_response_is_repeated_at_doubling_intervals_until_its_prack() -> None:
    pair = Pair(lose_first("SIP/2.0 183", 5))
    early_media_first(pair)
    pair.invite()
    pair.run(20.0)
    sent = [0.02, 0.52, 1.52, 3.52, 7.52, 15.52]
    assert moments(pair, "SIP/2.0 183") == sent, "T1, then doubled without the limit of T2"
    assert moments(pair, "PRACK") == [15.54]
    assert len({c.data for c in pair.link.log if c.start_line.startswith("SIP/2.0 183")}) == 1


def test_a_caller_that_acknowledges_nothing_is_refused_after_64_t1() -> None:
    pair = Pair(lose_first("PRACK", 100))
    early_media_first(pair)
    pair.invite()
    pair.run(32.01)
    assert pair.bob.of(CallEnded) == []
    pair.run(0.02)
    assert (pair.bob.one(CallEnded).ended_by, pair.bob.one(CallEnded).status) == (EndedBy.NO_PRACK, 504)
    assert moments(pair, "SIP/2.0 504") == [32.02]
    pair.run(0.02)
    assert (pair.alice.one(CallEnded).ended_by, pair.alice.one(CallEnded).status) == (EndedBy.REMOTE_REFUSAL, 504)
    assert moments(pair, "SIP/2.0 183") == [0.02, 0.52, 1.52, 3.52, 7.52, 15.52, 31.52]
    pair.assert_all_forgotten()


def test_a_lost_prack_is_repeated_by_its_transaction_and_counts_once() -> None:
    pair = Pair(lose_first("PRACK", 2))
    early_media_first(pair)
    pair.invite()
    pair.run(5.0)
    assert moments(pair, "PRACK") == [0.04, 0.54, 1.54]
    assert moments(pair, "SIP/2.0 183") == [0.02, 0.52, 1.52]
    assert len(pair.alice.of(ProgressReceived)) == 1
    assert pair.alice.counters.get(SipCounter.PROVISIONAL_IGNORED) == 2


def test_the_200_waits_for_the_prack_of_a_description() -> None:
    pair = Pair(lose_first("PRACK", 2))
    early_media_first(pair)
    pair.invite()
    pair.run(0.1)
    pair.bob.agent.accept(bobs_call(pair), ANSWER, pair.now)
    pair.run(3.0)
    assert moments(pair, "PRACK")[-1] == 1.54
    assert moments(pair, "SIP/2.0 200") == [1.56, 1.56], "of the PRACK, and of the INVITE right behind it"
    assert pair.alice.of(Answered)
    assert pair.bob.of(AckReceived)


def test_the_200_does_not_wait_where_nothing_was_described() -> None:
    pair = Pair(lose_first("PRACK", 2))
    mine = pair.invite(headers=REQUIRED)
    pair.run(0.1)
    pair.bob.agent.ring(bobs_call(pair), pair.now)
    pair.run(0.1)
    pair.bob.agent.accept(bobs_call(pair), ANSWER, pair.now)
    pair.run(3.0)
    assert moments(pair, "SIP/2.0 180") == [0.1], "not repeated beside a final response"
    assert pair.alice.one(Answered).body == ANSWER
    assert pair.lines("SIP/2.0 481") == [], "a late PRACK is still good"
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


def test_a_caller_that_requires_it_gets_every_response_reliably_and_one_at_a_time() -> None:
    pair = Pair(lose_first("PRACK", 1))
    pair.invite(headers=REQUIRED)
    pair.run(0.1)
    for status in (180, 182, 183):
        pair.bob.agent.ring(bobs_call(pair), pair.now, status, ANSWER if status == 183 else b"")
    pair.run(3.0)
    assert moments(pair, "SIP/2.0 180") == [0.1, 0.6]
    assert moments(pair, "PRACK") == [0.12, 0.62, 0.66, 0.7]
    assert moments(pair, "SIP/2.0 182") == [0.64]
    assert moments(pair, "SIP/2.0 183") == [0.68]
    numbers = [event.headers.get("RSeq") or "" for event in pair.alice.of(ProgressReceived)]
    assert [int(number) - int(numbers[0]) for number in numbers] == [0, 1, 2]
    assert [event.body for event in pair.alice.of(ProgressReceived)] == [b"", b"", ANSWER]


def test_responses_that_refresh_a_long_ringing_have_numbers_of_their_own() -> None:
    pair = Pair()
    pair.invite(headers=REQUIRED)
    pair.run(0.1)
    pair.bob.agent.ring(bobs_call(pair), pair.now)
    pair.run(130.0)
    assert moments(pair, "SIP/2.0 180") == [0.1, 60.1, 120.1]
    assert len(pair.lines("PRACK")) == 3
    assert len({event.headers.get("RSeq") for event in pair.alice.of(ProgressReceived)}) == 3


def test_an_offer_in_a_183_is_answered_in_its_prack() -> None:
    pair = Pair()
    early_media_first(pair)

    def react(event: UserAgentEvent) -> None:
        if isinstance(event, ProgressReceived) and event.wants_answer:
            pair.alice.agent.answer_progress(event.handle, event.tag, b"v=0\r\nin the PRACK", pair.now)

    pair.alice.react = react
    mine = pair.invite(None)
    pair.run(1.0)
    assert pair.alice.one(ProgressReceived).body == ANSWER
    assert pair.bob.one(OfferAnswered).body == b"v=0\r\nin the PRACK"
    pair.bob.agent.accept(bobs_call(pair), b"", pair.now)
    pair.run(1.0)
    answered = pair.alice.one(Answered)
    assert (answered.body, answered.wants_answer) == (b"", False)
    assert pair.bob.one(AckReceived).body == b""
    pair.alice.agent.bye(mine, pair.now)
    pair.assert_all_forgotten()


def test_a_cancel_ends_what_waits_for_a_prack() -> None:
    pair = Pair(lose_first("PRACK", 100))
    early_media_first(pair)
    mine = pair.invite()
    pair.run(0.1)
    pair.bob.agent.accept(bobs_call(pair), ANSWER, pair.now)
    pair.alice.agent.cancel(mine, pair.now, "SIP;cause=200")
    pair.run(1.0)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_CANCEL
    assert pair.bob.one(CallEnded).headers.get("Reason") == "SIP;cause=200"
    assert pair.alice.one(CallEnded).ended_by is EndedBy.LOCAL_CANCEL
    assert pair.alice.of(Answered) == []
    pair.assert_all_forgotten()


def test_a_refusal_ends_what_waits_for_a_prack() -> None:
    pair = Pair(lose_first("PRACK", 100))
    early_media_first(pair)
    pair.invite()
    pair.run(0.1)
    pair.bob.agent.reject(bobs_call(pair), 486, pair.now)
    pair.run(40.0)
    assert moments(pair, "SIP/2.0 183") == [0.02]
    assert pair.alice.one(CallEnded).status == 486
    pair.assert_all_forgotten()


@pytest.mark.parametrize("pattern", ["x.", ".x", "xx.", "x.d.", "d", "r.", ".r.d", "xr.d.x..", "x..x.xd", "dx.r"])
@pytest.mark.parametrize("sdp", [OFFER, None])
def test_early_media_survives_loss_repetition_and_reordering(pattern: str, sdp: bytes | None) -> None:
    pair = Pair(by_pattern(pattern))
    early_media_first(pair)

    def react(event: UserAgentEvent) -> None:
        if isinstance(event, ProgressReceived) and event.wants_answer:
            pair.alice.agent.answer_progress(event.handle, event.tag, OFFER, pair.now)

    pair.alice.react = react
    mine = pair.invite(sdp)
    pair.run(12.0)
    assert pair.alice.one(ProgressReceived).body == ANSWER
    assert len(pair.bob.of(OfferAnswered)) == (0 if sdp else 1)
    pair.bob.agent.accept(bobs_call(pair), ANSWER, pair.now)
    pair.run(20.0)
    assert pair.alice.one(Answered).body == b""
    assert len(pair.bob.of(AckReceived)) == 1
    pair.alice.agent.bye(mine, pair.now)
    pair.run(40.0)
    assert pair.bob.one(CallEnded).ended_by is EndedBy.REMOTE_BYE
    pair.assert_all_forgotten()
