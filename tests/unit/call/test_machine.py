"""The call machine, one story a test."""

from __future__ import annotations

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call.call_config import CallConfig
from voicegw.call.machine import CallMachine
from voicegw.call.states import CallState

A = LegId("a")


def offered() -> CallMachine:
    call = CallMachine(CallConfig())
    call.handle(e.CallOffered(A), 0.0)
    return call


def answered() -> CallMachine:
    call = offered()
    call.handle(e.RouteChosen("demo"), 0.0)
    call.handle(e.MediaOpened(A), 0.1)
    call.handle(e.SessionAgreed(A, held=False), 0.1)
    assert call.handle(e.LegConfirmed(A), 0.2)[1:] == [c.StartAgent("demo")]
    return call


def test_a_call_rings_opens_media_answers_and_starts_its_agent_after_the_ack() -> None:
    call = offered()
    assert call.state is CallState.OFFERED
    assert call.handle(e.RouteChosen("demo"), 0.0) == [c.SendRinging(A), c.OpenMedia(A)]
    assert call.handle(e.MediaOpened(A), 0.1) == [c.AnswerLeg(A)]
    assert call.handle(e.SessionAgreed(A, held=False), 0.1) == []
    assert call.handle(e.LegConfirmed(A), 0.2)[1:] == [c.StartAgent("demo")]
    assert call.state is CallState.ACTIVE


def test_a_caller_whose_ack_is_lost_is_talked_to_as_soon_as_they_are_heard() -> None:
    call = offered()
    call.handle(e.RouteChosen("demo"), 0.0)
    call.handle(e.MediaOpened(A), 0.1)
    assert call.handle(e.MediaHeard(A), 0.1) == []
    call.handle(e.SessionAgreed(A, held=False), 0.1)
    assert call.handle(e.MediaHeard(A), 0.2)[1:] == [c.StartAgent("demo")]
    assert call.handle(e.MediaHeard(A), 0.3) == []
    assert call.handle(e.LegConfirmed(A), 1.0) == []


def test_a_delayed_offer_starts_the_agent_when_the_ack_brings_the_answer() -> None:
    call = offered()
    call.handle(e.RouteChosen("demo"), 0.0)
    call.handle(e.MediaOpened(A), 0.1)
    assert call.handle(e.LegConfirmed(A), 0.2) == []
    assert call.handle(e.SessionAgreed(A, held=False), 0.2)[1:] == [c.StartAgent("demo")]


def test_the_caller_hangs_up() -> None:
    call = answered()
    assert call.handle(e.LegEnded(A, HangupCause.CALLER_HANGUP), 5.0) == [
        c.StopAgent(),
        c.CloseMedia(A),
        c.FinishCall(HangupCause.CALLER_HANGUP),
    ]
    assert call.state is CallState.ENDED
    assert call.get_timer() is None


def test_the_agent_hangs_up_and_the_record_is_closed_once() -> None:
    call = answered()
    assert call.handle(e.AgentFinished(HangupCause.AGENT_HANGUP), 5.0) == [c.EndLeg(A, HangupCause.AGENT_HANGUP)]
    assert call.handle(e.AgentFinished(HangupCause.AGENT_HANGUP), 5.0) == []
    finish = call.handle(e.LegEnded(A, HangupCause.AGENT_HANGUP), 5.1)
    assert finish[-1] == c.FinishCall(HangupCause.AGENT_HANGUP)
    assert call.handle(e.LegEnded(A, HangupCause.AGENT_HANGUP), 5.2) == []


def test_a_cancel_while_media_is_opening_gives_the_port_back() -> None:
    call = offered()
    call.handle(e.RouteChosen("demo"), 0.0)
    assert call.handle(e.LegEnded(A, HangupCause.CALLER_CANCELLED), 0.05) == [
        c.FinishCall(HangupCause.CALLER_CANCELLED)
    ]
    assert call.handle(e.MediaOpened(A), 0.1) == [c.CloseMedia(A)]


def test_no_port_and_no_route_refuse_with_their_causes() -> None:
    call = offered()
    assert call.handle(e.RouteRefused(HangupCause.NO_ROUTE), 0.0) == [c.RejectLeg(A, HangupCause.NO_ROUTE)]
    call = offered()
    call.handle(e.RouteChosen("demo"), 0.0)
    assert call.handle(e.MediaRefused(A), 0.1) == [c.RejectLeg(A, HangupCause.OVERLOADED)]


def test_hold_stops_the_no_media_rule_and_resume_restores_it() -> None:
    call = answered()
    call.handle(e.SessionAgreed(A, held=True), 3.0)
    assert call.handle(e.MediaSilent(A, 60_000), 63.0) == []
    call.handle(e.SessionAgreed(A, held=False), 64.0)
    assert call.handle(e.MediaSilent(A, 19_000), 90.0) == []
    assert call.handle(e.MediaSilent(A, 20_000), 94.0) == [c.EndLeg(A, HangupCause.NO_MEDIA)]


def test_a_dead_media_worker_ends_the_call() -> None:
    assert answered().handle(e.MediaLost(), 3.0) == [c.EndLeg(A, HangupCause.MEDIA_LOST)]


def test_the_longest_duration_parts_politely_and_then_firmly() -> None:
    call = answered()
    assert call.handle_timer(3600.2) == [c.PartFromCaller(HangupCause.CALL_TOO_LONG)]
    assert call.get_timer() == 3612.2
    assert call.handle_timer(3612.2) == [c.EndLeg(A, HangupCause.CALL_TOO_LONG)]


def test_shutdown_parts_from_a_talking_caller_and_rejects_a_ringing_one() -> None:
    assert answered().handle(e.ShutdownRequested(), 9.0) == [c.PartFromCaller(HangupCause.DRAINING)]
    ringing = offered()
    ringing.handle(e.RouteChosen("demo"), 0.0)
    assert ringing.handle(e.ShutdownRequested(), 1.0) == [c.RejectLeg(A, HangupCause.DRAINING)]


def test_a_call_of_ours_dials_invites_and_starts_its_agent_with_the_answer() -> None:
    call = CallMachine(CallConfig())
    call.handle(e.CallOffered(A, "sip:a@192.0.2.9"), 0.0)
    assert call.handle(e.RouteChosen("demo"), 0.0) == [c.DialLeg(A, "sip:a@192.0.2.9")]
    assert call.handle(e.MediaOpened(A), 0.1) == [c.InviteLeg(A, "sip:a@192.0.2.9")]
    assert call.handle(e.LegRinging(A, 180), 1.0) == []
    assert call.handle(e.SessionAgreed(A, held=False), 3.0)[1:] == [c.StartAgent("demo")]
    gone = call.handle(e.LegEnded(A, HangupCause.CALLER_HANGUP), 9.0)
    assert gone == [c.StopAgent(), c.CloseMedia(A), c.FinishCall(HangupCause.CALLER_HANGUP)]


def test_a_call_of_ours_that_is_not_answered_is_finished() -> None:
    call = CallMachine(CallConfig())
    call.handle(e.CallOffered(A, "sip:a@192.0.2.9"), 0.0)
    call.handle(e.RouteChosen("demo"), 0.0)
    call.handle(e.MediaOpened(A), 0.1)
    refused = call.handle(e.LegEnded(A, HangupCause.NO_ANSWER, 480), 9.0)
    assert refused == [c.CloseMedia(A), c.FinishCall(HangupCause.NO_ANSWER)]


def test_a_call_of_ours_that_was_never_sent_is_finished_at_once() -> None:
    for event, cause in (
        (e.MediaRefused(A), HangupCause.OVERLOADED),
        (e.EndRequested(HangupCause.SUPERVISOR_ENDED), HangupCause.SUPERVISOR_ENDED),
        (e.ShutdownRequested(), HangupCause.DRAINING),
    ):
        call = CallMachine(CallConfig())
        call.handle(e.CallOffered(A, "sip:a@192.0.2.9"), 0.0)
        call.handle(e.RouteChosen("demo"), 0.0)
        assert call.handle(event, 0.1) == [c.FinishCall(cause)]
