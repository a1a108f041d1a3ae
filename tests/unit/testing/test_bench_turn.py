from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.facts import AgentSpoke, CallWasOffered, Entry, TurnWasTimed
from voicegw.testing.bench import _turn_stubs
from voicegw.testing.bench._turn_calls import Talk, WireTurn
from voicegw.testing.bench._turn_engines import figures, verdicts
from voicegw.testing.bench._turn_log import Result, TimedTurn, compare, time_turn
from voicegw.testing.bench._turn_node import WORK_DONE, StubDelays
from voicegw.testing.bench._turn_stubs import SILENCE_MS, SLOW, Outcome, Scenario, work_of
from voicegw.testing.bench._wire import AUDIBLE, Said, speech_bounds

WALL = 1_700_000_000.0
"""Wall time at monotonic zero."""
OFFERED = Entry(
    0, 0.0, CallWasOffered(CallId("c"), "x", "demo", "1", "", datetime.fromtimestamp(WALL, UTC).isoformat())
)
TIMING = TurnWasTimed(
    endpointing_ms=405.0, asr_ms=20.0, agent_ms=5.0, tts_ms=2.0, playout_ms=10.0, total_ms=442.0, waited_ms=400.0
)
ANSWER = AgentSpoke(
    UtteranceId("u"), "Yes.", "Yes.", exact=True, interrupted=False, started_ms=10_000.0, ended_ms=11e3
)


def log(*entries: Entry) -> list[Entry]:
    return [OFFERED, *entries]


def test_a_turn_is_split_into_stages_that_add_up() -> None:
    turn = WireTurn(onset_at=8.0, end_at=9.5, answer_at=10.02)
    timed = time_turn(turn, log(Entry(1, 10_001.0, TIMING), Entry(2, 11_000.0, ANSWER)), WALL)
    assert timed is not None
    assert timed.total_ms == pytest.approx(520)
    assert timed.stages["lead_in"] == pytest.approx(20)
    assert timed.stages["hearing"] == pytest.approx(520 - 442 - 20)
    assert sum(timed.stages.values()) == pytest.approx(timed.total_ms)
    assert timed.after_decision_ms == pytest.approx(442 - 405 + 20)
    assert timed.added_ms == pytest.approx(520 - 400)


def test_a_timing_of_another_turn_does_not_fit() -> None:
    turn = WireTurn(onset_at=8.0, end_at=9.5, answer_at=12.0)
    assert time_turn(turn, log(Entry(1, 10_001.0, TIMING), Entry(2, 11_000.0, ANSWER)), WALL) is None
    assert time_turn(turn, log(Entry(2, 11_000.0, ANSWER)), WALL) is None


def timed(added: float) -> TimedTurn:
    names = ("hearing", "endpointing", "asr", "agent", "tts", "playout", "lead_in")
    return TimedTurn(added + 400, 400, dict.fromkeys(names, 1.0))


def test_the_aims() -> None:
    good = Result(turns=[timed(100.0)] * 20, stops_ms=[80.0] * 20)
    assert all(verdicts(good).values())
    assert figures(good)["added_ms_p95"] == 100.0
    slow = Result(turns=[timed(100.0)] * 10 + [timed(200.0)] * 10, stops_ms=[80.0] * 10 + [200.0] * 10)
    assert list(verdicts(slow).values()) == [True, False, False]
    assert not verdicts(Result(turns=[timed(1.0)], failures=["call 0: the agent speaks: not within 30.0 s"]))[
        "every line was answered"
    ]


def test_speech_begins_after_the_breath_and_ends_with_what_can_be_heard() -> None:
    loudness = np.repeat([0.0, 400.0, 3000.0, 5000.0, 90.0, 4000.0, 400.0, 50.0], 800)  # 100 ms each
    wave = np.tile([1, -1], len(loudness) // 2) * loudness
    assert speech_bounds(wave.astype(np.int16)) == (1600, 5599)


def test_silence_has_no_bounds() -> None:
    for quiet in (np.zeros(100, np.int16), np.full(800, AUDIBLE - 1, np.int16), np.zeros(0, np.int16)):
        with pytest.raises(ValueError, match="no speech"):
            speech_bounds(quiet)


def test_a_sample_is_on_the_wire_after_its_packet_left() -> None:
    said = Said(2, [5.0, 5.021])
    assert said.done
    assert said.time_of(0) == 5.0
    assert said.time_of(240) == pytest.approx(5.031)


def test_what_the_callers_measured_is_matched_with_their_own_logs() -> None:
    fitting = WireTurn(onset_at=8.0, end_at=9.5, answer_at=10.02, stopped_at=8.07)
    talk = Talk({"1": [fitting], "2": [WireTurn(8.0, 9.5, 10.0)]}, ["call 2, line 2: over"], WALL)
    result = compare(talk, {"1": log(Entry(1, 10_001.0, TIMING), Entry(2, 11_000.0, ANSWER))})
    assert len(result.turns) == 1
    assert result.stops_ms == [pytest.approx(70)]
    assert result.unmatched == 1
    assert result.failures == ["call 2, line 2: over"]


# ------------------------------------------------------------ stubs


def outcome(delays: StubDelays, *, speculation: bool, share: float, after_decision: float, stop: float) -> Outcome:
    hearing = 10.0
    total = hearing + SILENCE_MS + after_decision if speculation else SILENCE_MS + delays.sum_ms + share
    others = dict.fromkeys(("asr", "agent", "tts", "playout", "lead_in"), 1.0)
    stages = {"hearing": hearing, "endpointing": total - hearing - after_decision, **others}
    turn = TimedTurn(total, SILENCE_MS, stages)
    result = Result(turns=[turn] * 20, stops_ms=[stop] * 20)
    return Outcome(Scenario("any", delays, speculation), result, {})


def test_the_platforms_share_is_the_rest() -> None:
    assert SLOW.sum_ms == pytest.approx(150 + 300 + 4 + 100)
    plain = outcome(SLOW, speculation=False, share=35, after_decision=580, stop=60)
    assert plain.shares_ms == [pytest.approx(35)] * 20
    assert plain.after_decision_ms == [pytest.approx(580)] * 20


def test_the_aims_of_the_platform() -> None:
    plain = outcome(SLOW, speculation=False, share=35, after_decision=580, stop=60)
    guessed = outcome(SLOW, speculation=True, share=0, after_decision=50, stop=95)
    assert list(_turn_stubs.verdicts([plain, guessed]).values()) == [True, True, True, False, True]
    late = outcome(SLOW, speculation=True, share=0, after_decision=70, stop=60)
    heavy = outcome(SLOW, speculation=False, share=45, after_decision=580, stop=60)
    assert list(_turn_stubs.verdicts([heavy, late]).values()) == [True, False, False, True, True]
    assert not any(_turn_stubs.verdicts([]).values())


def test_the_figures_of_all_scenarios() -> None:
    plain = outcome(SLOW, speculation=False, share=35, after_decision=580, stop=60)
    found = _turn_stubs.figures([plain])
    assert msgspec.json.decode(msgspec.json.encode(found))["scenarios"]["any"]["share_ms_p95"] == 35.0


def test_the_account_of_the_stubs_is_the_last_line_of_their_log() -> None:
    work = {"asr_ms": {"jobs": 3}, "llm_tokens": {"jobs": 2}, "tts_ms": {"jobs": 4}}
    lines = [b"Traceback of some kind", msgspec.json.encode({"msg": WORK_DONE, **work})]
    assert work_of(b"\n".join(lines).decode()) == work
    assert work_of("it was killed") == {}
