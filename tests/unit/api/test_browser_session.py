"""What a browser's connection is to its call: every state, every deadline, and one end only."""

from __future__ import annotations

import pytest

from voicegw.api.browser_session import (
    SESSION,
    Answer,
    BrowserSession,
    Close,
    End,
    SessionInput,
    SessionState,
    SessionTimes,
)
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId

TIMES = SessionTimes(idle_s=30, answer_s=10, lost_s=3)
LEG, OTHER = LegId("leg"), LegId("other")


def session(state: SessionState) -> BrowserSession:
    """One that has come so far by second 100."""
    made = BrowserSession(TIMES, 100)
    if state in (SessionState.RINGING, SessionState.TALKING):
        assert made.dialled(LEG, 100) == []
    if state is SessionState.TALKING:
        assert made.heard(100) == [Answer(LEG)]
    if state is SessionState.OVER:
        made.left(100)
    assert made.state is state
    return made


def test_a_call_is_answered_with_the_first_audio() -> None:
    made = session(SessionState.RINGING)
    assert made.check(109) == []
    assert made.heard(109) == [Answer(LEG)]
    assert made.heard(109.02) == []


def test_a_browser_that_speaks_already_answers_at_once() -> None:
    made = session(SessionState.WAITING)
    assert made.heard(101) == []
    assert made.dialled(LEG, 103.9) == [Answer(LEG)]


def test_one_that_spoke_long_ago_does_not() -> None:
    made = session(SessionState.WAITING)
    made.heard(101)
    assert made.dialled(LEG, 104) == []
    assert made.state is SessionState.RINGING


@pytest.mark.parametrize(
    ("state", "after_s", "cause"),
    [
        (SessionState.RINGING, 10, HangupCause.NO_ANSWER),
        (SessionState.TALKING, 3, HangupCause.NO_MEDIA),
    ],
)
def test_deadlines_end_the_leg(state: SessionState, after_s: float, cause: HangupCause) -> None:
    made = session(state)
    assert made.check(100 + after_s - 0.1) == []
    assert made.check(100 + after_s) == [End(LEG, cause), Close()]
    assert made.state is SessionState.OVER
    assert made.check(1000) == []


def test_a_connection_that_no_call_wants_is_closed() -> None:
    made = session(SessionState.WAITING)
    assert made.check(129.9) == []
    assert made.check(130) == [Close()]


def test_audio_keeps_it_alive() -> None:
    made = session(SessionState.TALKING)
    made.heard(102.9)
    assert made.check(105) == []


@pytest.mark.parametrize("state", SessionState)
def test_each_way_out_is_told_once(state: SessionState) -> None:
    has_leg = state in (SessionState.RINGING, SessionState.TALKING)
    for leave, cause in (
        (BrowserSession.left, HangupCause.CALLER_HANGUP),
        (BrowserSession.lost, HangupCause.NO_MEDIA),
        (BrowserSession.forbidden, HangupCause.SUPERVISION_OVER),
    ):
        made = session(state)
        expected = [End(LEG, cause), Close()] if has_leg else [Close()]
        assert leave(made, 101) == ([] if state is SessionState.OVER else expected)
        assert leave(made, 102) == []


def test_a_call_that_hung_up_is_not_told_of_it() -> None:
    made = session(SessionState.TALKING)
    assert made.hung_up(101) == [Close()]


@pytest.mark.parametrize("state", [SessionState.RINGING, SessionState.TALKING, SessionState.OVER])
def test_it_is_a_leg_of_one_call_only(state: SessionState) -> None:
    made = session(state)
    assert made.dialled(OTHER, 101) == [End(OTHER, HangupCause.BUSY)]
    assert made.state is state


def test_every_state_but_the_last_can_end() -> None:
    for state in SessionState:
        assert SESSION.accepts(state, SessionInput.OVER) == (state is not SessionState.OVER)
