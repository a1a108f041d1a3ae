"""What happens before the answer, one story a test."""

from __future__ import annotations

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call.call_config import CallConfig
from voicegw.call.machine import CallMachine
from voicegw.call.states import LegState

A = LegId("a")
WAITS, BACK = c.SuspendAgent(c.Absence.ANSWER), c.ResumeAgent(c.Absence.ANSWER)


def offered(route: e.CallEvent) -> CallMachine:
    """A call that has its port."""
    call = CallMachine(CallConfig(max_early_s=60.0))
    call.handle(e.CallOffered(A), 0.0)
    assert call.handle(route, 0.0) == [c.OpenMedia(A)], "no 180: it would have the network ring over us"
    assert call.handle(e.MediaOpened(A), 0.1) == [c.SendEarly(A)]
    return call


def early() -> CallMachine:
    """The caller hears the agent."""
    call = offered(e.RouteChosen("demo", early=True))
    assert call.handle(e.EarlyMediaAgreed(A), 0.1)[1:] == [c.StartAgent("demo", early=True)]
    assert call.legs[A].state is LegState.EARLY_MEDIA
    return call


def test_the_agent_goes_on_when_its_answer_is_acknowledged() -> None:
    call = early()
    assert call.handle(e.AnswerWanted(), 5.0) == [WAITS, c.AnswerLeg(A)]
    assert call.handle(e.SessionAgreed(A, held=False), 5.0) == []
    assert call.handle(e.LegConfirmed(A), 5.1) == [BACK]
    assert call.get_timer() == 5.1 + CallConfig().max_duration_s


def test_asking_twice_answers_once() -> None:
    call = early()
    call.handle(e.AnswerWanted(), 5.0)
    assert call.handle(e.AnswerWanted(), 5.0) == [WAITS]
    call.handle(e.SessionAgreed(A, held=False), 5.0)
    call.handle(e.LegConfirmed(A), 5.1)
    assert call.handle(e.AnswerWanted(), 6.0) == [WAITS, BACK]


def test_an_agent_that_ends_the_call_refuses_it() -> None:
    assert early().handle(e.AgentFinished(HangupCause.BUSY), 5.0) == [c.RejectLeg(A, HangupCause.BUSY)]


def test_who_cannot_be_told_before_is_told_after_the_answer() -> None:
    call = offered(e.RouteChosen("demo", early=True))
    assert call.handle(e.EarlyMediaRefused(A), 0.1) == [c.AnswerLeg(A)]
    call.handle(e.SessionAgreed(A, held=False), 0.1)
    assert call.handle(e.LegConfirmed(A), 0.2)[1:] == [c.StartAgent("demo")]


def test_a_refusal_that_cannot_be_announced_is_a_refusal_all_the_same() -> None:
    call = offered(e.RouteRefused(HangupCause.BUSY, announced=True))
    assert call.handle(e.EarlyMediaRefused(A), 0.1) == [c.RejectLeg(A, HangupCause.BUSY)]


def test_a_refusal_for_which_there_is_no_port_keeps_its_cause() -> None:
    call = CallMachine(CallConfig())
    call.handle(e.CallOffered(A), 0.0)
    call.handle(e.RouteRefused(HangupCause.BUSY, announced=True), 0.0)
    assert call.handle(e.MediaRefused(A), 0.1) == [c.RejectLeg(A, HangupCause.BUSY)]


def test_nobody_waits_for_an_answer_for_ever() -> None:
    call = early()
    assert call.get_timer() == 60.0
    assert call.handle_timer(60.0) == [c.RejectLeg(A, HangupCause.CALL_TOO_LONG)]


def test_a_caller_of_whom_nothing_comes_back_is_answered() -> None:
    """An offer in a 183 whose PRACK has no answer: nobody knows where to send."""
    call = offered(e.RouteChosen("demo", early=True))
    assert call.handle_timer(60.0) == [c.AnswerLeg(A)]
    assert call.get_timer() is None


def test_the_caller_gives_up_in_the_middle() -> None:
    call = early()
    assert call.handle(e.LegEnded(A, HangupCause.CALLER_CANCELLED), 3.0) == [
        c.StopAgent(),
        c.CloseMedia(A),
        c.FinishCall(HangupCause.CALLER_CANCELLED),
    ]
    assert call.get_timer() is None
