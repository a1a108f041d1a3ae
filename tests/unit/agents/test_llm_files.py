"""Files of LLM agents: the example in the documentation, and what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.agents.test_llm_session import MemoryLedger, ScriptedModel
from voicegw.agents.llm_agent import LlmAgent, LlmNeeds
from voicegw.agents.load import load_agents
from voicegw.agents.tools.desk import ToolDesk
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.ports.llm import Llm
from voicegw.runtime.http_client import HttpxClient

ROOT = Path(__file__).resolve().parents[3]
MINIMAL = "kind: llm\nname: clerk\nmodels: [local]\ngreeting: Hello.\ninstructions: Help.\n"


class House:
    """A house with one model and no tools."""

    def __init__(self) -> None:
        self.desk = ToolDesk(MemoryLedger(), SystemClock(), Counters())

    def models_of(self, file: LlmNeeds) -> Callable[[], Llm]:
        if "local" not in file.models:
            raise ConfigError(f"there is no language model named '{file.models[0]}'", fix="allowed: local")
        return lambda: ScriptedModel()

    def tools_of(self, file: LlmNeeds) -> Callable[[], ToolRegistry]:
        return ToolRegistry


def load(folder: Path, text: str) -> LlmAgent:
    (folder / "clerk.yaml").write_text(text)
    agent = load_agents(folder, HttpxClient(), {}, House())["clerk"]
    assert isinstance(agent, LlmAgent)
    return agent


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "llm-agents.md").read_text()
    example = text.split("# agents/clerk.yaml\n")[1].split("```")[0]
    (tmp_path / "reception.yaml").write_text((ROOT / "dialplans" / "agents" / "reception.yaml").read_text())
    agent = load(tmp_path, example)
    assert agent.phrases() == ("i would like an appointment", "where are you")
    assert len(agent.expectations()) > 1
    assert "small clinic" in next(agent.beginnings())[1].messages[0].content


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("models: [local]", "models: [other]"), 3, "no language model named 'other'"),
        (("greeting: Hello.", "greting: Hello."), 4, "unknown key 'greting'"),
        (("instructions: Help.", "instructions: Help.\nfallback: nobody"), 6, "no scripted agent named 'nobody'"),
        (("instructions: Help.", "instructions: Help.\ntools: [{type: magic}]"), 6, "tools"),
        (("instructions: Help.", 'instructions: Help.\nladder:\n  menu:\n    keys: {"1": {say: A}}'), 7, "prompt"),
        (
            (
                "instructions: Help.",
                'instructions: Help.\nladder:\n  menu:\n    prompt: P\n    keys:\n      "1": {}',
            ),
            10,
            "exactly one thing",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(
    tmp_path: Path, change: tuple[str, str], line: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, MINIMAL.replace(*change))
    assert f"clerk.yaml:{line}" in str(caught.value)


def test_everything_that_is_said_without_a_model_is_a_prompt(tmp_path: Path) -> None:
    menu = '{prompt: Press one., keys: {"1": {say: At the river.}, "2": {transfer: desk}}}'
    agent = load(tmp_path, MINIMAL + f"ladder: {{menu: {menu}, message: Goodbye then.}}")
    prompts = agent.prompts("en-US")
    assert prompts[0] == "Hello."
    assert set(prompts) >= {"Press one.", "At the river.", "Goodbye then.", "Are you still there?"}
    assert any("put you through" in text for text in prompts), "a key transfers"
    assert not any("put you through" in text for text in load(tmp_path, MINIMAL).prompts("en-US"))


def test_a_script_names_its_texts_without_holes(tmp_path: Path) -> None:
    (tmp_path / "reception.yaml").write_text((ROOT / "dialplans" / "agents" / "reception.yaml").read_text())
    script = load_agents(tmp_path, HttpxClient(), {})["reception"]
    prompts = script.prompts("en-US")
    assert len(prompts) == len(set(prompts)) > 10
    assert not any("{{" in text for text in prompts)
    agent = load(tmp_path, MINIMAL + "fallback: reception\n")
    assert set(agent.prompts("en-US")) > set(prompts)
