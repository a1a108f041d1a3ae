"""Whatever happens in whatever order: no illegal pair, no dead end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.fsm import IllegalTransition
from voicegw.base.ids import UtteranceId
from voicegw.turn import events as e
from voicegw.turn.machine import TurnConfig, TurnMachine
from voicegw.turn.states import TURN_TABLE, TurnState, TurnTrigger

_ANY = st.sampled_from(
    [
        "speech_started",
        "speech_paused",
        "speech_stopped",
        "silence",
        "guess",
        "partial",
        "murmur",
        "complete",
        "reply_started",
        "reply_empty",
        "utterance",
        "protected",
        "finished",
        "key",
        "keys",
        "suspend",
        "resume",
        "timer",
    ]
)


def _event(kind: str, now: float) -> e.TurnEvent:
    return {
        "speech_started": e.SpeechStarted(now - 0.06, False),
        "speech_paused": e.SpeechStarted(now - 0.06, True),
        "speech_stopped": e.SpeechStopped(now - 0.2),
        "silence": e.SpeechPaused(now - 0.15),
        "guess": e.EndOfTurnGuessed(0.9),
        "murmur": e.PartialHeard("mm hm", False),
        "partial": e.PartialHeard("i want", False),
        "complete": e.PartialHeard("yes", True),
        "reply_started": e.ReplyStarted(),
        "reply_empty": e.ReplyEmpty(),
        "utterance": e.UtteranceStarted(UtteranceId("u"), True),
        "protected": e.UtteranceStarted(UtteranceId("u"), False),
        "finished": e.UtteranceFinished(),
        "key": e.KeyPressed(),
        "keys": e.TurnSettled(),
        "suspend": e.AgentSuspended(),
        "resume": e.AgentResumed(),
    }[kind]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_ANY, st.floats(0.0, 3.0)), max_size=60))
def test_no_sequence_breaks_the_machine_or_leaves_it_without_a_way_out(steps: list[tuple[str, float]]) -> None:
    machine = TurnMachine(TurnConfig())
    now = 1.0
    machine.handle(e.ListeningChanged(4000, False), now)
    for kind, wait in steps:
        now += wait
        if kind == "timer":
            machine.handle_timer(now)
        elif kind != "resume" or machine.state is TurnState.SUSPENDED:
            machine.handle(_event(kind, now), now)
        waits_for_a_verdict = machine.state in (
            TurnState.CALLER_SPEAKING,
            TurnState.ENDPOINTING,
            TurnState.THINKING,
            TurnState.YIELDED,
            TurnState.DECIDING,
        )
        assert not waits_for_a_verdict or machine.get_timer() is not None, machine.state


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(_ANY, st.floats(0.0, 3.0)), max_size=40))
def test_left_alone_every_wait_ends_with_the_agent_or_a_prompt(steps: list[tuple[str, float]]) -> None:
    machine = TurnMachine(TurnConfig())
    now = 1.0
    machine.handle(e.ListeningChanged(4000, False), now)
    for kind, wait in steps:
        now += wait
        if kind not in ("timer", "suspend", "resume"):
            machine.handle(_event(kind, now), now)
    for _ in range(8):
        timer = machine.get_timer()
        if timer is None:
            break
        now = max(now, timer)
        machine.handle_timer(now)
    # With no further event the machine rests only where the agent is due to speak or is speaking.
    assert machine.state in (TurnState.LISTENING, TurnState.SPEAKING, TurnState.THINKING)


@pytest.mark.parametrize("state", list(TurnState))
@pytest.mark.parametrize("trigger", list(TurnTrigger))
def test_every_pair_has_a_row_or_is_refused(state: TurnState, trigger: TurnTrigger) -> None:
    if TURN_TABLE.accepts(state, trigger):
        assert TURN_TABLE.next(state, trigger) in TurnState
    else:
        with pytest.raises(IllegalTransition):
            TURN_TABLE.next(state, trigger)


def test_the_table_has_its_28_rows() -> None:
    assert len(TURN_TABLE.rows) == 28
