"""What the recogniser is told to expect: enough for each question, and nothing that would not be understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.agents.talk import FakeHttp, Talk
from voicegw.agents.flow import Flow, agent_phrases
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.load import load_flows

FLOWS = load_flows(Path(__file__).resolve().parents[3] / "dialplans" / "agents")


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
def test_phrases_are_plain_lower_case_words(flow: Flow) -> None:
    for phrase in agent_phrases(flow):
        assert phrase == phrase.lower().strip()
        assert not set(phrase) - set("abcdefghijklmnopqrstuvwxyz'. "), phrase
        assert not any(char.isdigit() for char in phrase)


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
def test_expectations_are_part_of_all_phrases_and_hold_their_boost(flow: Flow) -> None:
    everything = set(agent_phrases(flow))
    for expected in FlowAgent(flow, FakeHttp()).expectations():
        assert set(expected.boost) <= set(expected.phrases)
        assert set(expected.phrases) <= everything
        assert "goodbye" in expected.phrases


def test_a_question_does_not_expect_what_belongs_to_another() -> None:
    talk = Talk(FLOWS["appointment"])
    assert "half past three" not in talk.gather.phrases
    talk.say("tuesday", "half past three")
    assert "tuesday" not in talk.gather.phrases
    assert "no tuesday" not in talk.gather.phrases


def test_a_check_expects_corrections() -> None:
    talk = Talk(FLOWS["appointment"])
    talk.say("tuesday", "half past three", "four two seven one nine six")
    assert {"yes", "no wednesday", "no at four"} <= set(talk.gather.phrases)
    assert "no wednesday" not in talk.gather.boost


def test_every_gather_was_announced() -> None:
    """A model that is compiled ahead is only useful if it is the one that is asked for."""
    flow = FLOWS["orders"]
    announced = {(each.phrases, each.boost) for each in flow.expectations()}
    talk = Talk(flow)
    for text in ("one two three four", "yes", "mumble", "one one one one", "no"):
        talk.say(text)
        if talk.ended is None:
            assert (talk.gather.phrases, talk.gather.boost) in announced
