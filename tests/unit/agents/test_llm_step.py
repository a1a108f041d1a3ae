"""A step of a script that a model leads: handed over, interrupted, given back with values that were checked."""

from __future__ import annotations

import asyncio
import json
import textwrap
from pathlib import Path

import pytest

from tests.unit.agents.llm_step import EAGER, SCRIPT, StepHouse, step_session
from tests.unit.agents.talk import FACTS, MONDAY, NO_INPUT, STARTED, FakeHttp, keys, speech
from tests.unit.agents.test_llm_session import CountingRunner, ScriptedModel, order_tool
from voicegw.agents.actions import AgentAction, Concealing, Gather, Hangup, Say, ServiceMoved, SlotFilled, Transfer
from voicegw.agents.agent import AgentContext, CallerTurn, HistoryLine
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.load import load_agents, parse_flow
from voicegw.base.errors import ConfigError, ProviderError
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.ports.llm import LlmEvent, TextDelta, ToolCallRequested

CONTEXT = AgentContext(FACTS, MONDAY)


def finish(**arguments: object) -> ToolCallRequested:
    return ToolCallRequested("f", "finish_step", json.dumps(arguments))


def take(session: FlowSession, *turns: CallerTurn, context: AgentContext = CONTEXT) -> list[AgentAction]:
    """The reply to the last turn."""

    async def collect(turn: CallerTurn) -> list[AgentAction]:
        return [action async for action in session.reply(turn, context)]

    for turn in turns:
        actions = asyncio.run(collect(turn))
    return actions


def said(actions: list[AgentAction]) -> str:
    return " ".join(action.text for action in actions if isinstance(action, Say))


def at_the_step(*answers: list[LlmEvent | Exception], script: str = SCRIPT) -> tuple[FlowSession, ScriptedModel]:
    model = ScriptedModel(*answers)
    session = step_session(model, FACTS, script=script)
    assert said(take(session, STARTED)) == "The Mill. How many guests?"
    return session, model


def test_the_model_leads_and_the_script_goes_on_with_what_it_found_out() -> None:
    session, model = at_the_step(
        [TextDelta("Friday is full. Is Saturday fine?")],
        [TextDelta("Lovely."), finish(outcome="found", day="2026-03-07", time="19:30", window=None)],
    )
    history = (HistoryLine("agent", "The Mill. How many guests?"),)
    opening = take(session, speech("four"), context=AgentContext(FACTS, MONDAY, history))
    assert said(opening) == "Which day suits you?"
    assert SlotFilled("guests", "4", False) in opening
    assert isinstance(opening[-1], Gather)
    assert model.requests == [], "the opening needs no model"
    assert said(take(session, speech("friday"))) == "Friday is full. Is Saturday fine?"
    last = take(session, speech("all right"))
    assert said(last) == "Lovely. Noted, 4 on Saturday the seventh of March. Goodbye then."
    assert [action for action in last if isinstance(action, SlotFilled)] == [
        SlotFilled("day", "2026-03-07", False),
        SlotFilled("time", "19:30", False),
    ]
    assert session.collected == {"guests": "4", "day": "2026-03-07", "time": "19:30"}
    told = [message.content for message in model.requests[0].messages]
    assert "Find a day for 4 guests." in told[0]
    assert "guests: 4" in told[0]
    assert told[1:4] == ["The Mill. How many guests?", "four", "Which day suits you?"]


NOTED = SCRIPT.replace("  - id: talk\n", "  - say: Four it is then.\n  - id: talk\n")


@pytest.mark.parametrize(
    ("heard", "remembered"),
    [
        (None, "Four it is then. Which day suits you?"),
        ("Four it is then. Which day suits you?", "Four it is then. Which day suits you?"),
        ("Four it is then. Which", "Four it is then. Which …"),
        ("Four it", "Four it …"),
        ("", None),
    ],
)
def test_the_model_knows_what_the_script_said_before_it_as_far_as_it_was_heard(
    heard: str | None, remembered: str | None
) -> None:
    session, model = at_the_step([TextDelta("Friday is fine.")], [TextDelta("Yes.")], script=NOTED)
    assert said(take(session, speech("four"))) == "Four it is then. Which day suits you?"
    if heard is not None:
        session.heard(heard)
    take(session, speech("friday"))
    contents = [message.content for message in model.requests[0].messages[1:-1]]
    assert contents == ["four", *([remembered] if remembered else [])]
    session.heard("Friday")
    take(session, speech("sure"))
    assert model.requests[1].messages[-2].content == "Friday …", "later replies are its own from their first word"


def test_a_sensitive_value_and_all_that_is_said_of_it_is_not_written_down() -> None:
    script = SCRIPT.replace("description: the day}", "sensitive: true}")
    found = finish(outcome="found", day="2026-03-07", time="19:30")
    session, _ = at_the_step([TextDelta("Saturday, right?")], [found], script=script)
    opening = take(session, speech("four"))
    assert not any(isinstance(action, Concealing) for action in opening), "those are the words of the script"
    assert isinstance(opening[-1], Gather) and opening[-1].sensitive
    answer = take(session, speech("saturday"))
    assert answer[:2] == [Concealing("Saturday, right?"), Say("Saturday, right?")]
    assert isinstance(answer[-1], Gather) and answer[-1].sensitive
    filled = [action for action in take(session, speech("yes")) if isinstance(action, SlotFilled)]
    assert filled == [SlotFilled("day", "2026-03-07", sensitive=True), SlotFilled("time", "19:30")]


def test_without_an_opening_the_model_answers_what_was_said_last() -> None:
    session, model = at_the_step([TextDelta("For which day?")], script=EAGER)
    assert said(take(session, speech("four"))) == "For which day?"
    assert model.requests[0].messages[-1].content.endswith("four")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"outcome": "found"}, "needs day"),
        ({"outcome": "found", "day": "2026-02-01"}, "is over; today is 2026-03-02"),
        ({"outcome": "found", "day": "whenever"}, "YYYY-MM-DD"),
        ({"outcome": "later", "day": "2026-03-07"}, "outcome"),
        ({"outcome": "found", "day": "2026-03-07", "time": "half"}, "time: "),
    ],
)
def test_what_the_script_would_refuse_the_model_must_ask_again(arguments: dict[str, str], problem: str) -> None:
    session, model = at_the_step([finish(**arguments)], [TextDelta("Which day was it?")])
    reply = take(session, speech("four"), speech("er"))
    assert said(reply) == "Which day was it?"
    assert problem in model.requests[1].messages[-1].content
    assert "day" not in session.collected


@pytest.mark.parametrize("day", ["2026-03-06", "friday", "the sixth of march"])
def test_values_may_come_in_the_callers_words(day: str) -> None:
    session, _ = at_the_step([finish(outcome="found", day=day, window="yes")])
    take(session, speech("four"), speech("as I said"))
    assert session.collected["day"] == "2026-03-06"
    assert session.collected["window"] == "true"


def test_where_no_model_answers_the_script_goes_on() -> None:
    dead = ProviderError("llm", "gone", retryable=True)
    session, _ = at_the_step([dead])
    reply = take(session, speech("four"), speech("friday"))
    assert reply[0] == ServiceMoved("script", "llm: gone")
    assert said(reply) == "Which day, please?"
    assert "Noted, 4 on Friday the sixth of March." in said(take(session, speech("friday")))


def test_a_model_gets_so_many_turns_and_no_more() -> None:
    session, model = at_the_step(*[[TextDelta("And which day?")] for _ in range(3)])
    assert said(take(session, speech("four"), *[speech("hm")] * 3)) == "And which day?"
    assert said(take(session, speech("hm"))) == "Which day, please?"
    assert len(model.requests) == 3


def test_silence_in_the_step_is_the_scripts_patience() -> None:
    session, _ = at_the_step()
    assert said(take(session, speech("four"), NO_INPUT)) == "Sorry, I didn't hear you."
    take(session, NO_INPUT)
    assert said(take(session, NO_INPUT)) == "Thank you for calling. Goodbye."
    assert len(take(session, speech("hello"))) == 1, "after the end it only hangs up"


def test_a_person_and_goodbye_are_understood_in_the_step_too() -> None:
    for turn, ending in ((speech("operator"), Transfer), (keys("0"), Transfer), (speech("goodbye"), Hangup)):
        session, model = at_the_step()
        assert isinstance(take(session, speech("four"), turn)[-1], ending)
        assert model.requests == []


def test_a_reply_that_is_taken_back_leaves_no_trace_even_where_it_ended_the_step() -> None:
    done: list[LlmEvent | Exception] = [finish(outcome="found", day="2026-03-07")]
    session, _ = at_the_step(done, [TextDelta("Sunday?")], done)
    take(session, speech("four"))
    kept = session.checkpoint()
    assert "Noted" in said(take(session, speech("saturday")))
    session.restore(kept)
    assert session.collected == {"guests": "4"}
    assert said(take(session, speech("saturday or sunday"))) == "Sunday?"
    assert "Noted" in said(take(session, speech("saturday")))


def test_the_model_knows_what_was_heard_of_its_words_behind_those_of_the_script() -> None:
    script = EAGER.replace("  - id: talk\n", "  - say: Very well.\n  - id: talk\n")
    session, model = at_the_step([TextDelta("We have Friday or Saturday.")], [TextDelta("Yes?")], script=script)
    assert said(take(session, speech("four"))) == "Very well. We have Friday or Saturday."
    assert "You have just said: Very well." in model.requests[0].messages[-1].content
    session.heard("Very well. We have")
    take(session, speech("stop"))
    assert model.requests[1].messages[-2].content == "We have …"


def test_a_tool_of_the_step_runs_again_when_the_step_comes_again_and_not_when_its_reply_is_taken_back() -> None:
    runner = CountingRunner()
    script = SCRIPT.replace("say: Noted, {{ guests }} on {{ day }}.", "goto: talk")
    order = ToolCallRequested("1", "order_status", '{"order":"1"}')
    ends: list[LlmEvent | Exception] = [order, finish(outcome="found", day="2026-03-07")]
    model = ScriptedModel(ends, ends, ends)
    session = step_session(model, FACTS, order_tool(runner), script=script)
    take(session, STARTED, speech("four"))
    kept = session.checkpoint()
    take(session, speech("go"))
    session.restore(kept)
    take(session, speech("go on"))
    assert runner.runs == 1, "the same wish, made again for the longer turn"
    take(session, speech("and again"))
    assert runner.runs == 2, "another step, another wish"


def test_without_any_model_the_step_fails_at_once() -> None:
    session = FlowSession(parse_flow(SCRIPT), FakeHttp(), FACTS)
    assert said(take(session, STARTED, speech("four"))) == "Which day, please?"


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("goto: done, needs: [day]", "goto: don, needs: [day]"), 16, "no step named 'don'"),
        (("needs: [day]", "needs: [dya]"), 16, "does not collect 'dya'"),
        (("on_failure: simple", "on_failure: simpel"), 19, "no step named 'simpel'"),
        (("time: {type: time}", "time: {type: time, past: true}"), 13, "'past' belongs to type date"),
        (("time: {type: time}", "now: {type: time}"), 13, "built-in variable"),
        (("{{ guests }} guests.", "{{ gusts }} guests."), 9, "nothing sets the variable 'gusts'"),
        (("    llm:\n", "    next: done\n    llm:\n"), 6, "'next' means nothing after llm"),
    ],
)
def test_mistakes_are_told_with_their_line(change: tuple[str, str], line: int, message: str) -> None:
    assert change[0] in SCRIPT
    with pytest.raises(ConfigError) as caught:
        parse_flow(SCRIPT.replace(*change))
    error = caught.value.problems[0] if isinstance(caught.value, ConfigProblems) else caught.value
    assert message in str(error)
    assert error.line == line


def test_a_file_with_a_step_is_loaded_with_the_models_of_the_house(tmp_path: Path) -> None:
    (tmp_path / "table.yaml").write_text(SCRIPT)
    agents = load_agents(tmp_path, FakeHttp(), {}, StepHouse(ScriptedModel()))
    assert agents["table"].name == "table"
    with pytest.raises(ConfigError, match="not available here"):
        load_agents(tmp_path, FakeHttp(), {})


def test_the_example_of_the_documentation_loads() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "flows.md").read_text()
    example = text.split("# a step for a model\n")[1].split("```")[0]
    step = textwrap.indent(example, "  ")
    around = (
        "name: table\nsteps:\n  - ask: {save: guests, type: number, prompt: 'How many?'}\n",
        "  - id: day\n    ask: {save: day, type: date, prompt: 'Which day?'}\n",
        "  - id: check\n    say: '{{ day }} {{ time }}'\n  - id: bye\n    hangup: Goodbye.\n",
    )
    flow = parse_flow(step.join(around[:2]) + around[2])
    assert flow.script.steps[1].llm is not None
