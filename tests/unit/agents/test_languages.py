"""When a caller has changed the language, and when it only sounded so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.agents.test_llm_files import MINIMAL, load
from voicegw.agents.languages import changed_language, same_language

OWN = ("en-US", "de-AT", "es-ES")


@pytest.mark.parametrize(
    ("heard", "text", "confidence", "language"),
    [
        ("de", "ich hätte gern", 0.9, "de-AT"),
        ("de-DE", "ich hätte gern", 0.9, "de-AT"),
        ("ES", "buenos días", 0.5, "es-ES"),
        ("en", "good morning", 0.9, ""),
        ("en-GB", "good morning", 0.9, ""),
        ("fr", "bonjour monsieur", 0.9, ""),
        ("de", "okay", 0.9, ""),
        ("de", "ich hätte gern", 0.3, ""),
        ("", "ich hätte gern", 0.9, ""),
    ],
)
def test_a_caller_changes_the_language(heard: str, text: str, confidence: float, language: str) -> None:
    assert changed_language(OWN, "en-US", heard, text, confidence) == language


def test_an_exact_tag_goes_before_a_related_one() -> None:
    assert same_language(("en-US", "en-GB"), "en-gb") == "en-GB"
    assert same_language(("en-US", "en-GB"), "en") == "en-US"
    assert same_language(OWN, "") == ""


def test_an_agent_with_languages_has_their_voices_and_the_tool(tmp_path: Path) -> None:
    plain = load(tmp_path, MINIMAL)
    assert plain.languages == {"en-US": ""}
    assert next(plain.beginnings())[1].tools == ()
    agent = load(tmp_path, MINIMAL + "voice: slt\nlanguages:\n  de-DE: {voice: thorsten}\n")
    assert agent.languages == {"en-US": "slt", "de-DE": "thorsten"}
    (tool,) = next(agent.beginnings())[1].tools
    assert tool.name == "switch_language"
    assert '"enum":["en-US","de-DE"]' in tool.parameters_json_schema
    assert "en-US, de-DE" in next(agent.beginnings())[1].messages[0].content


def test_what_it_says_without_a_model_is_known_by_language(tmp_path: Path) -> None:
    german = "{texts: {no_input: 'Noch da?'}, ladder: {message: Tschüss.}}"
    agent = load(tmp_path, MINIMAL + f"disclosure: I am a machine.\nlanguages:\n  de-DE: {german}\n  fr-FR: {{}}\n")
    own = agent.prompts("en-US")
    assert own[:2] == ("I am a machine.", "Hello.")
    assert {"Noch da?", "Tschüss."} <= set(agent.prompts("de-DE"))
    assert not {"Noch da?", "Tschüss."} & set(own)
    assert "Hello." not in agent.prompts("de-DE")
    assert "Are you still there?" in agent.prompts("fr-FR"), "it has no texts of its own"
