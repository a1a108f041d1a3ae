"""A tool as an agent has it: what the model is told, what checks it, and what does the work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from voicegw.agents.actions import AgentAction
from voicegw.agents.tools.canonical import JsonObject
from voicegw.agents.tools.schema import Schema
from voicegw.ports.tools import ToolEffect, ToolResult, ToolRunner, ToolSpec, ToolStatus

DEFAULT_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class Action:
    """A body that does nothing but ask the call for an action: hang up, transfer, send keys.

    It needs no ledger: the action belongs to the reply that asked for it and is refused by the reply's id when the
    reply is dropped, so it happens once or not at all, and no call outlives a crash. ``make`` raises ValueError,
    whose text the model reads.
    """

    make: Callable[[JsonObject], AgentAction]


@dataclass(frozen=True, slots=True)
class Tool:
    """``result`` is None where anything may come back. ``say``: said while the caller waits, empty for nothing.

    ``offered``: whether the model may use it; a caller look-up may be for the agent alone. ``sensitive``: arguments
    that are not written down. ``approval_s``: within so many seconds a person must approve; 0: nobody is asked.
    """

    spec: ToolSpec
    parameters: Schema
    work: ToolRunner | Action
    effect: ToolEffect = ToolEffect.ONCE
    result: Schema | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    say: str = ""
    offered: bool = True
    sensitive: frozenset[str] = frozenset()
    approval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What the model reads, and what the call must do before the reply goes on."""

    result: ToolResult
    actions: tuple[AgentAction, ...] = ()


def make_tool(
    name: str,
    description: str,
    parameters: Mapping[str, object],
    work: ToolRunner | Action,
    *,
    effect: ToolEffect = ToolEffect.ONCE,
    result: Mapping[str, object] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    say: str = "",
    offered: bool = True,
    sensitive: Iterable[str] = (),
) -> Tool:
    """A tool from its schemas; raises :class:`~voicegw.agents.tools.schema.SchemaError`."""
    schema = Schema(parameters)
    checked = Schema(result) if result is not None else None
    spec = ToolSpec(name, description, schema.text)
    return Tool(spec, schema, work, effect, checked, timeout_s, say, offered, frozenset(sensitive))


def check_result(tool: Tool, result: ToolResult) -> ToolResult:
    """What the model may read of a result that fits the tool's schema or not.

    An answer of the wrong shape does not undo what was done: the status stays, the content is withheld.
    """
    if tool.result is None or result.status is not ToolStatus.DONE:
        return result
    problems = tool.result.problems(json.loads(result.content_json))
    if not problems:
        return result
    text = {"warning": "the answer does not fit its description and was withheld", "problems": problems}
    return ToolResult(result.status, json.dumps(text, ensure_ascii=False))
