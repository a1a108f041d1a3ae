"""A script in several languages: changed by a step, by ear, and by a model that leads a step of it."""

from __future__ import annotations

import pytest

from tests.unit.agents.llm_step import SCRIPT, step_session
from tests.unit.agents.talk import FACTS, MONDAY, STARTED, FakeHttp, Talk, keys, speech
from tests.unit.agents.test_llm_session import ScriptedModel
from tests.unit.agents.test_llm_step import said, take
from voicegw.agents.actions import Say, SwitchLanguage
from voicegw.agents.agent import AgentContext, CallerTurn, TurnKind
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.load import parse_flow
from voicegw.base.errors import ConfigError
from voicegw.ports.llm import TextDelta, ToolCallRequested

LINES = """
name: lines
language: en-US
voice: slt
languages:
  de-DE:
    voice: thorsten
    goto: deutsch
    texts: {no_match: "Wie bitte?", goodbye: "Auf Wiederhören."}
  es-ES: {}
steps:
  - id: english
    menu:
      prompt: Sales or service? For German press three.
      keys:
        1: {phrases: [sales], goto: sales}
        3: {phrases: [german], goto: switch}
  - id: sales
    hangup: Sales is closed.
  - id: switch
    language: de-DE
  - id: deutsch
    menu:
      prompt: Für den Verkauf drücken Sie eins.
      keys:
        1: {phrases: [verkauf], goto: ende}
  - id: ende
    say: Der Verkauf ist zu.
"""
GERMAN = "Für den Verkauf drücken Sie eins."


def german(text: str) -> CallerTurn:
    return CallerTurn(TurnKind.SPEECH, text, 0.9, language="de-DE")


def texts(talk: Talk) -> list[str]:
    return [action.text for action in talk.last if isinstance(action, Say)]


def test_an_agent_has_a_voice_for_each() -> None:
    assert FlowAgent(parse_flow(LINES), FakeHttp()).languages == {"en-US": "slt", "de-DE": "thorsten", "es-ES": ""}


def test_what_is_said_to_everybody_is_known_by_language() -> None:
    agent = FlowAgent(parse_flow(LINES), FakeHttp())
    english, german_prompts, spanish = (set(agent.prompts(tag)) for tag in ("en-US", "de-DE", "es-ES"))
    assert {GERMAN, "Der Verkauf ist zu.", "Wie bitte?", "Auf Wiederhören."} <= german_prompts
    assert not {GERMAN, "Wie bitte?"} & english
    assert "Sales or service? For German press three." in english - german_prompts
    assert "Sorry, I didn't catch that." in spanish
    assert GERMAN not in spanish, "no path leads there in Spanish"


def test_what_is_said_before_a_model_leads_is_known_too() -> None:
    script = SCRIPT.replace("steps:\n", "languages: {de-DE: {}}\nsteps:\n")
    agent = FlowAgent(parse_flow(script), FakeHttp())
    assert "Which day suits you?" in agent.prompts("en-US")
    assert "Goodbye then." in agent.prompts("de-DE"), "the model may have changed the language"
    assert "Which day suits you?" not in agent.prompts("de-DE"), "but not before it had the call"


def test_a_step_changes_the_language_and_the_standing_sentences() -> None:
    talk = Talk(parse_flow(LINES))
    talk.take(keys("3"))
    assert talk.last[0] == SwitchLanguage("de-DE")
    assert texts(talk) == [GERMAN]
    talk.take(speech("irgendwas"))
    assert texts(talk) == ["Wie bitte?", GERMAN]
    talk.take(keys("1"))
    assert texts(talk) == ["Der Verkauf ist zu.", "Auf Wiederhören."]


def test_a_caller_who_speaks_another_language_is_led_to_it() -> None:
    talk = Talk(parse_flow(LINES))
    talk.take(german("guten tag zusammen"))
    assert talk.last[0] == SwitchLanguage("de-DE")
    assert texts(talk) == [GERMAN]


def test_a_language_without_a_place_in_the_script_changes_nothing() -> None:
    talk = Talk(parse_flow(LINES))
    talk.take(CallerTurn(TurnKind.SPEECH, "buenos días", 0.9, language="es-ES"))
    assert not any(isinstance(action, SwitchLanguage) for action in talk.last)


def test_a_reply_that_is_taken_back_takes_its_language_with_it() -> None:
    talk = Talk(parse_flow(LINES))
    kept = talk.session.checkpoint()
    talk.take(german("guten tag zusammen"))
    talk.session.restore(kept)
    assert talk.say("what") == "Sorry, I didn't catch that. Sales or service? For German press three."


def test_a_model_that_leads_a_step_speaks_the_scripts_languages() -> None:
    script = SCRIPT.replace(
        "steps:\n", 'languages: {de-DE: {voice: thorsten, texts: {goodbye: "Tschüss."}}}\nsteps:\n'
    )
    script = script.replace("hangup: Goodbye then.", "hangup:")
    finish = ToolCallRequested("f", "finish_step", '{"outcome":"no_wish"}')
    model = ScriptedModel([TextDelta("Gern.")], [finish])
    session = step_session(model, FACTS, script=script)
    take(session, STARTED, speech("four"))
    reply = take(session, german("geht auch deutsch"), context=AgentContext(FACTS, MONDAY))
    assert reply[0] == SwitchLanguage("de-DE")
    assert reply[1] == Say("Gern.", language="de-DE")
    assert [tool.name for tool in model.requests[0].tools] == ["finish_step", "switch_language"]
    assert "en-US, de-DE" in model.requests[0].messages[0].content
    assert said(take(session, speech("nein danke"))) == "Tschüss.", "the script goes on in the caller's language"


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("language: de-DE\n  - id: deutsch", "language: de\n  - id: deutsch"), 21, "no language 'de'"),
        (("goto: deutsch", "goto: deutch"), 8, "no step named 'deutch'"),
        (('"Wie bitte?"', '"Wie bitte, {{ wer }}?"'), 9, "nothing sets the variable 'wer'"),
    ],
)
def test_mistakes_are_told_with_their_line(change: tuple[str, str], line: int, message: str) -> None:
    assert change[0] in LINES
    with pytest.raises(ConfigError, match=message) as caught:
        parse_flow(LINES.replace(*change))
    assert f":{line}: " in str(caught.value)


def test_days_and_times_are_left_to_the_language_that_reads_them() -> None:
    script = """
name: tag
language: de-DE
variables: {nummer: 5}
steps:
  - ask: {save: day, type: date, prompt: 'Welcher Tag?', confirm: never}
  - ask: {save: at, type: time, prompt: 'Wann?', confirm: never}
  - hangup: "Notiert: {{ day }} um {{ at }}, Nummer {{ nummer }}."
"""
    talk = Talk(parse_flow(script))
    talk.say("friday", "half past three")
    assert texts(talk) == ["Notiert: 2026-03-06 um 15:30, Nummer 5."]
    assert talk.said == "Notiert: sechster März zweitausendsechsundzwanzig um fünfzehn Uhr dreißig, Nummer fünf."
