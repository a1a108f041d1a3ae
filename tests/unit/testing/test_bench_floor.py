"""Who stopped the agent, and who should have: the account of the back-channel bench."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest

from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.facts import AnyFact, CallerBargedIn, CallerSpoke, CallerWasBackground, CallWasOffered, Entry
from voicegw.ports.asr import AsrOptions
from voicegw.testing.bench._turn_floor import Row, Trial, TrialBook, figures, verdicts
from voicegw.testing.bench._turn_lecture import BEHIND_S, HINTS, OracleAsr, Truth, Uttered
from voicegw.testing.interjections import BACK_CHANNELS, Sound, SoundKind

CALL = CallId("c")
STOP = Sound("stop", SoundKind.INTERRUPTION, "stop it now", np.zeros(160, np.int16))
YEAH = Sound("yeah", SoundKind.BACK_CHANNEL, "yeah", np.zeros(160, np.int16))
DOOR = Sound("door", SoundKind.NOISE, "", np.zeros(160, np.int16))


def entry(data: AnyFact) -> Entry:
    return Entry(1, 0.0, data)


def line_in_call(truth: Truth) -> TrialBook:
    line = TrialBook(truth)
    line.on_fact(CALL, entry(CallWasOffered(CALL, "x", "lecture", "7", "", "2026-01-01T00:00:00+00:00")))
    return line


def test_a_trial_is_what_the_node_wrote_down_during_it() -> None:
    line = line_in_call(Truth())
    line.on_fact(CALL, entry(CallerBargedIn(UtteranceId("u"), 70.0, "speech")))
    first, second = Trial(YEAH), Trial(STOP)
    now = time.monotonic()
    line.begin("7", first, Uttered(YEAH, now, now + 0.3))
    line.on_fact(CALL, entry(CallerWasBackground(480.0)))
    line.begin("7", second, Uttered(STOP, now, now + 0.8))
    line.on_fact(CALL, entry(CallerBargedIn(UtteranceId("u"), 70.0, "speech")))
    line.on_fact(CALL, entry(CallerSpoke("stop it", 0.9, "", 0.0, 0.0)))
    line.on_fact(CallId("another"), entry(CallerWasBackground(480.0)))
    assert (first.stopped, first.held_ms, first.wrong) == (False, [480.0], False)
    assert (second.stopped, second.understood, second.wrong) == (True, "stop it", False)
    assert second.decided_ms >= 0.0


def test_stopping_for_yeah_and_going_on_over_stop_are_wrong() -> None:
    assert Trial(YEAH, stopped=True).wrong
    assert Trial(DOOR, stopped=True).wrong
    assert Trial(STOP).wrong
    assert not Trial(DOOR).wrong


def test_the_aims() -> None:
    good = [Trial(YEAH)] * 60 + [Trial(DOOR)] * 60 + [Trial(STOP, stopped=True)] * 100
    row = Row("oracle", [*good, Trial(YEAH, stopped=True), Trial(STOP)], [])
    assert list(verdicts([row]).values()) == [True, True, True]
    worse = Row("oracle", [*good, *[Trial(DOOR, stopped=True)] * 3, *[Trial(STOP)] * 3], ["call 1: lost"])
    assert list(verdicts([worse]).values()) == [False, False, False]


def test_the_figures_say_which_sounds_were_misjudged() -> None:
    row = Row("oracle", [Trial(YEAH, stopped=True, understood="yeah"), Trial(STOP, held_ms=[500.0])], [])
    found = msgspec.json.decode(msgspec.json.encode(figures([row])))["recognisers"]["oracle"]
    assert (found["back_channel_wrong"], found["interruption_wrong"], found["noise"]) == (1, 1, 0)
    assert "understood 'yeah'" in found["mistakes"][0]
    assert "held for 500 ms" in found["mistakes"][1]


def test_the_oracle_is_behind_by_300_ms_a_word() -> None:
    truth = Truth()
    truth.say(CALL, Uttered(STOP, onset_at=100.0, end_at=100.9))
    line = truth.line(CALL, now=100.1)
    assert [text for _, text in line.partials] == ["stop", "stop it", "stop it now"]
    assert [at for at, _ in line.partials] == [
        pytest.approx(0.2 + BEHIND_S),
        pytest.approx(0.5 + BEHIND_S),
        pytest.approx(0.8 + BEHIND_S),
    ]
    assert line.text == "stop it now"
    assert truth.line(CALL, now=104.0).text == ""
    assert truth.line("another", now=100.1).text == ""


def test_the_oracle_hears_the_call_it_listens_to() -> None:
    truth = Truth()
    now = time.monotonic()
    truth.say(CALL, Uttered(YEAH, now, now + 0.3))
    asr = OracleAsr(truth)
    assert asr.line_of(AsrOptions(caller=CALL)).text == "yeah"
    assert asr.line_of(AsrOptions(caller="another")).text == ""


def test_the_agent_expects_no_back_channels() -> None:
    assert not set(HINTS) & set(BACK_CHANNELS)
