"""Disclosure and consent in flows and before agents of a model: the actions that they make."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.scenarios.house import ScriptedAgent
from tests.unit.agents.talk import STARTED, FakeHttp, Talk, keys, speech
from voicegw.agents.actions import (
    AgentAction,
    Concealing,
    ConsentAnswered,
    Disclosing,
    Gather,
    Hangup,
    Say,
    SlotFilled,
)
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, CallFacts, TurnKind
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.load import parse_flow
from voicegw.agents.preface import Preface, PrefaceSession
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId
from voicegw.call.consent import RecordingPolicy
from voicegw.dialplan.compile import RouteRequest
from voicegw.dialplan.load import parse_dialplan
from voicegw.dialplan.match import ToAgent

CONTEXT = AgentContext(CallFacts(CallId("c")), datetime(2026, 1, 5, 9, 0))
SILENCE = CallerTurn(TurnKind.NO_INPUT)
QUESTION = "May we record this call?"
FLOW = """
name: a
steps:
  - disclose: I am a machine.
  - consent: {prompt: "May we record this call?", refused: off, again: ["Yes or no?"]}
  - ask: {save: pin, type: digits, length: 4, sensitive: true, confirm: always, prompt: Your number please}
  - hangup: Recorded.
  - id: off
    hangup: Not recorded.
"""


def answers(actions: list[AgentAction]) -> list[ConsentAnswered]:
    return [action for action in actions if isinstance(action, ConsentAnswered)]


# ---------------------------------------------------------------- flows


def test_a_disclosure_is_announced_then_said_and_not_to_be_talked_over() -> None:
    talk = Talk(parse_flow(FLOW))
    assert talk.last[:2] == [Disclosing("I am a machine."), Say("I am a machine.", interruptible=False)]
    assert talk.said.endswith(QUESTION)


@pytest.mark.parametrize(
    ("turn", "given", "words"),
    [
        (speech("yes of course"), True, "yes of course"),
        (keys("1"), True, "1"),
        (speech("no thank you"), False, "no thank you"),
        (keys("2"), False, "2"),
    ],
)
def test_answers_by_voice_and_keys(turn: CallerTurn, given: bool, words: str) -> None:
    talk = Talk(parse_flow(FLOW))
    said = talk.take(turn)
    assert answers(talk.last) == [ConsentAnswered(QUESTION, words, given)]
    assert ("Your number" in said) is given and ("Not recorded" in said) is not given


@pytest.mark.parametrize("turn", [SILENCE, speech("blue elephants")])
def test_no_answer_is_a_no_and_not_the_end_of_the_call(turn: CallerTurn) -> None:
    talk = Talk(parse_flow(FLOW))
    assert talk.take(turn) == "Yes or no?"
    talk.take(turn)
    assert talk.take(turn) == "Not recorded."
    assert answers(talk.last) == [ConsentAnswered(QUESTION, "", given=False)]


def test_a_sensitive_question_its_read_back_and_its_value() -> None:
    talk = Talk(parse_flow(FLOW))
    talk.say("yes")
    assert talk.gather.sensitive
    talk.say("four seven one one")
    assert talk.gather.sensitive and Concealing("I heard 4 7 1 1. Is that right?") in talk.last
    talk.say("yes")
    assert SlotFilled("pin", "4711", confirmed=True, sensitive=True) in talk.last


@pytest.mark.parametrize(
    ("head", "policy"),
    [("", RecordingPolicy.AFTER_CONSENT), ("recording: never\n", RecordingPolicy.NEVER)],
)
def test_a_script_that_asks_waits_for_the_answer(head: str, policy: RecordingPolicy) -> None:
    assert FlowAgent(parse_flow(head + FLOW), FakeHttp()).recording is policy
    plain = parse_flow("name: a\nsteps: [{hangup: Bye.}]\n")
    assert FlowAgent(plain, FakeHttp()).recording is RecordingPolicy.ALWAYS


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("refused: of", "there is no step named 'of'"),
        ("refuse: off", "unknown key 'refuse'"),
        ("again: ['{{ x }}'], refused: off", "nothing sets the variable 'x'"),
    ],
)
def test_mistakes_have_a_line(wrong: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_flow(FLOW.replace('refused: off, again: ["Yes or no?"]', wrong))


# ---------------------------------------------------------------- routes


def test_a_route_may_have_a_policy_of_its_own() -> None:
    plan = parse_dialplan("routes: [{name: r, agent: a, recording: never}]")
    request = RouteRequest("1", "2", datetime(2026, 1, 5, tzinfo=UTC))
    assert plan.route(request) == ToAgent("r", "a", RecordingPolicy.NEVER)
    for wrong in ("{name: r, agent: a, recording: maybe}", "{name: r, reject: busy, recording: never}"):
        with pytest.raises(ConfigError, match="recording"):
            parse_dialplan(f"routes: [{wrong}]")


# ---------------------------------------------------------------- before a model


def take(session: AgentSession, turn: CallerTurn) -> list[AgentAction]:
    async def collect() -> list[AgentAction]:
        return [action async for action in session.reply(turn, CONTEXT)]

    return asyncio.run(collect())


def inner() -> ScriptedAgent:
    return ScriptedAgent([[Say("Hello."), Gather()], [Say("Fine."), Gather()]])


def test_only_a_disclosure_goes_before_the_greeting() -> None:
    agent = inner()
    session = PrefaceSession(Preface("I am a machine.", "", ""), agent)
    said = [Disclosing("I am a machine."), Say("I am a machine.", interruptible=False), Say("Hello."), Gather()]
    assert take(session, STARTED) == said
    session.heard("Hello.")
    assert take(session, speech("hi")) == [Say("Fine."), Gather()]
    assert [turn.kind for turn in agent.turns] == [TurnKind.CALL_STARTED, TurnKind.SPEECH]
    assert agent.heard_texts == ["Hello."]


@pytest.mark.parametrize(("turn", "given"), [(keys("1"), True), (speech("no"), False), (keys("7"), None)])
def test_the_agent_begins_after_the_answer(turn: CallerTurn, given: bool | None) -> None:
    agent = inner()
    session = PrefaceSession(Preface("", QUESTION, ""), agent)
    assert take(session, STARTED)[0] == Say(QUESTION) and agent.turns == []
    before = session.checkpoint()
    assert [answer.given for answer in answers(take(session, turn))] == ([] if given is None else [given])
    assert len(agent.turns) == (given is not None)
    session.restore(before)
    assert answers(take(session, speech("yes"))) == [ConsentAnswered(QUESTION, "yes", given=True)]


def test_three_silences_are_a_no_that_may_end_the_call() -> None:
    session = PrefaceSession(Preface("", QUESTION, "Goodbye then."), inner())
    take(session, STARTED)
    take(session, SILENCE)
    take(session, SILENCE)
    assert take(session, SILENCE) == [ConsentAnswered(QUESTION, "", given=False), Say("Goodbye then."), Hangup()]
    assert not session.speculative and session.tools_version == 0 and session.collected == {}
