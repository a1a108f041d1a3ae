"""The words of an agent and of the installation: found beside their files, the agent's first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.agents.talk import FakeHttp
from tests.unit.agents.test_llm_files import MINIMAL
from tests.unit.agents.test_llm_files import House as LlmHouse
from voicegw.agents.lexicon import parse_lexicon
from voicegw.agents.load import load_agents
from voicegw.base.errors import ConfigError
from voicegw.config import load_config

FLOW = "name: desk\nlexicon: desk-words.yml\nsteps: [{say: hello}]\n"
HOUSE_WORDS = parse_lexicon("words: {Nguyen: win, Siobhan: shivawn}")


@pytest.mark.parametrize("text", [FLOW, MINIMAL.replace("clerk", "desk") + "lexicon: desk-words.yml\n"])
def test_the_agents_own_words_go_before_the_installations(tmp_path: Path, text: str) -> None:
    (tmp_path / "desk.yaml").write_text(text)
    (tmp_path / "desk-words.yml").write_text("words: {Nguyen: nwin}")
    agent = load_agents(tmp_path, FakeHttp(), {}, LlmHouse(), HOUSE_WORDS)["desk"]
    assert agent.lexicon.of("en-US").said("Nguyen and Siobhan", "flite") == "nwin and shivawn"


def test_a_lexicon_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text(FLOW)
    with pytest.raises(ConfigError, match="desk-words"):
        load_agents(tmp_path, FakeHttp(), {})


def test_the_installations_lexicon_lies_beside_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "voicegw.yaml").write_text("speech: {lexicon: words.yaml}")
    assert load_config(tmp_path / "voicegw.yaml").speech.lexicon == str(tmp_path / "words.yaml")
    assert load_config(None).speech.lexicon == ""
