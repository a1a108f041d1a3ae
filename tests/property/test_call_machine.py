"""In whatever order signalling, media and the agent report: every call is finished once and every port returned."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.causes import HangupCause
from voicegw.base.fsm import IllegalTransition
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call.call_config import CallConfig
from voicegw.call.machine import CallMachine
from voicegw.call.states import LEG_TABLE, LegState, LegTrigger

A = LegId("a")
_EVENTS = st.sampled_from(
    [
        e.SessionAgreed(A, held=False),
        e.SessionAgreed(A, held=True),
        e.LegConfirmed(A),
        e.EarlyMediaAgreed(A),
        e.EarlyMediaRefused(A),
        e.AnswerWanted(),
        e.AgentFinished(HangupCause.AGENT_HANGUP),
        e.MediaSilent(A, 40_000),
        e.MediaLost(),
        e.ShutdownRequested(),
        e.LegEnded(A, HangupCause.CALLER_HANGUP),
    ]
)


_ROUTES = (
    e.RouteChosen("demo"),
    e.RouteChosen("demo", early=True),
    e.RouteRefused(HangupCause.BUSY, announced=True),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_EVENTS, max_size=12), st.integers(0, 12), st.booleans(), st.sampled_from(_ROUTES))
def test_every_call_ends_once_and_returns_its_port(
    events: list[e.CallEvent], media_at: int, refused: bool, route: e.CallEvent
) -> None:
    call = CallMachine(CallConfig(max_early_s=8.0))
    commands = call.handle(e.CallOffered(A), 0.0)
    commands += call.handle(route, 0.0)
    opened = e.MediaRefused(A) if refused else e.MediaOpened(A)
    events.insert(min(media_at, len(events)), opened)
    for now, event in enumerate([*events, e.LegEnded(A, HangupCause.CALLER_HANGUP)], start=1):
        commands += call.handle(event, float(now))
        commands += call.handle_timer(float(now))
    kinds = [type(command) for command in commands]
    assert kinds.count(c.FinishCall) == 1
    assert kinds.count(c.CloseMedia) == (0 if refused else 1)
    assert kinds.count(c.StartAgent) == kinds.count(c.StopAgent) <= 1
    assert kinds.count(c.EndLeg) + kinds.count(c.RejectLeg) <= 1
    assert kinds.count(c.AnswerLeg) <= 1


@pytest.mark.parametrize("state", list(LegState))
@pytest.mark.parametrize("trigger", list(LegTrigger))
def test_every_pair_has_a_row_or_is_refused(state: LegState, trigger: LegTrigger) -> None:
    if LEG_TABLE.accepts(state, trigger):
        assert LEG_TABLE.next(state, trigger) in LegState
    else:
        with pytest.raises(IllegalTransition):
            LEG_TABLE.next(state, trigger)
