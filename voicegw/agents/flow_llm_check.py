"""What cannot be meant in the steps of a script that a language model leads."""

from __future__ import annotations

from collections.abc import Iterator

from voicegw.agents.agent import SIGNALLED
from voicegw.agents.flow_llm_model import LlmStep
from voicegw.agents.flow_model import FlowFile
from voicegw.agents.slots import slot_problems
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import did_you_mean
from voicegw.dialplan.yaml_lines import Document, Path

BUILT_IN = SIGNALLED | {"called", "calling", "call_id", "today", "now", "heard", "http_status", "value"}
"""Variables that are always there; ``value`` in read-backs only."""


def llm_targets(step: LlmStep) -> Iterator[tuple[Path, str]]:
    """Where the step may go by name, and the place in it that says so."""
    for name, outcome in step.until.items():
        yield ("llm", "until", name, "goto"), outcome.goto
    yield ("llm", "on_failure"), step.on_failure


def llm_problems(script: FlowFile, document: Document) -> Iterator[ConfigError]:
    """Kinds of answers that contradict themselves, and outcomes that need what nobody collects."""
    for i, step in enumerate(script.steps):
        if step.llm is None:
            continue
        place: Path = ("steps", i, "llm")
        for name, slot in step.llm.collect.items():
            for key, message, fix in slot_problems(slot):
                yield document.error((*place, "collect", name, key), message, fix)
            if name in BUILT_IN or name == "outcome":
                message = f"'{name}' is a built-in variable"
                yield document.error((*place, "collect", name), message, "choose another name")
        for name, outcome in step.llm.until.items():
            for needed in outcome.needs:
                if needed not in step.llm.collect:
                    message = f"the step does not collect '{needed}'"
                    fix = did_you_mean(needed, step.llm.collect)
                    yield document.error((*place, "until", name, "needs"), message, fix)
