"""Find out who is calling while it still rings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from voicegw.agents.actions import SlotFilled
from voicegw.agents.agent import SIGNALLED, CallFacts
from voicegw.agents.flow_webhook import to_variable
from voicegw.agents.template import Variable, plain
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.canonical import Json
from voicegw.agents.tools.config import CallerLookupConfig
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import did_you_mean
from voicegw.ports.tools import ToolCall, ToolEffect, ToolResult, ToolStatus


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """``values``: what was found, by variable. ``actions`` tell the event log of each."""

    result: ToolResult
    values: Mapping[str, Variable] = field(default_factory=dict)
    actions: tuple[SlotFilled, ...] = ()


def check_lookup(config: CallerLookupConfig, registry: ToolRegistry) -> None:
    """Raise ConfigError where the tool does not exist or does more than read: the call may never be answered."""
    tool = registry.get(config.tool)
    if tool is None:
        raise ConfigError(f"there is no tool {config.tool!r}", fix=did_you_mean(config.tool, registry.names))
    if tool.effect is not ToolEffect.NONE:
        raise ConfigError(
            f"the tool {config.tool!r} does more than read", fix="add 'effect: none' to it if it only reads"
        )


async def look_up(config: CallerLookupConfig, tools: CallTools, facts: CallFacts) -> KnownCaller:
    """Run it, for at most ``timeout_s`` seconds. Never raises for a failing tool."""
    variables: dict[str, Variable] = {
        **dict.fromkeys(SIGNALLED, ""),
        **facts.signalled,
        "call_id": str(facts.call_id),
        "calling": facts.calling,
        "called": facts.called,
    }
    arguments = {name: text.plain(variables) for name, text in config.arguments.items()}
    call = ToolCall("caller-lookup", config.tool, json.dumps(arguments))
    prepared = tools.prepare(call, by_model=False)
    if isinstance(prepared, ToolResult):
        return KnownCaller(prepared)
    try:
        async with asyncio.timeout(config.timeout_s):
            outcome = await tools.run(prepared, committed=False)
    except TimeoutError:
        return KnownCaller(ToolResult.failed(f"no answer within {config.timeout_s:g} s"))
    if outcome.result.status is not ToolStatus.DONE:
        return KnownCaller(outcome.result)
    return _known(config, outcome.result)


def _known(config: CallerLookupConfig, result: ToolResult) -> KnownCaller:
    answer: Json = json.loads(result.content_json)
    found = {name: to_variable(_at(answer, path)) for name, path in config.save.items()}
    values = {name: value for name, value in found.items() if value is not None}
    return KnownCaller(result, values, tuple(SlotFilled(name, plain(value)) for name, value in values.items()))


def _at(answer: Json, path: str) -> Json:
    """The value at ``customer.numbers.0``; None where there is nothing."""
    for part in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(part)
        elif isinstance(answer, list) and part.isascii() and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            return None
    return answer
