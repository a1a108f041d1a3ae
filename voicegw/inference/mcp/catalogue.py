"""From what an MCP server lists to the tools of an agent."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from mcp import Tool as McpTool

from voicegw.agents.tools.config import McpToolConfig
from voicegw.agents.tools.schema import Schema, SchemaError
from voicegw.agents.tools.tool import Tool
from voicegw.ports.tools import ToolEffect, ToolRunner, ToolSpec

log = logging.getLogger(__name__)

MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 2000
"""Paid for in every prompt; a server that says more is cut."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def make_tools(
    config: McpToolConfig, listed: Iterable[McpTool], runner_of: Callable[[str], ToolRunner]
) -> tuple[Tool, ...]:
    """The tools an agent may use. One that cannot be used (bad schema, name taken) is left out and logged."""
    tools: dict[str, Tool] = {}
    for one in listed:
        if config.allow is not None and one.name not in config.allow:
            continue
        tool = _make(config, one, runner_of(one.name))
        if tool is None or tool.spec.name in tools:
            log.warning("a tool of an MCP server is left out", extra={"server": config.name, "tool": one.name})
            continue
        tools[tool.spec.name] = tool
    return tuple(tools[name] for name in sorted(tools))


def _make(config: McpToolConfig, one: McpTool, runner: ToolRunner) -> Tool | None:
    try:
        parameters = Schema(one.input_schema)
        result = Schema(one.output_schema) if one.output_schema is not None else None
    except SchemaError:
        return None
    name = _NOT_IN_NAMES.sub("_", config.prefix + one.name)[:MAX_NAME_CHARS]
    spec = ToolSpec(name, (one.description or "")[:MAX_DESCRIPTION_CHARS], parameters.text)
    effect = _effect(config, one)
    tool = Tool(spec, parameters, runner, effect, result, config.timeout_s, config.say)
    return replace(tool, approval_s=config.asks_s)


def _effect(config: McpToolConfig, one: McpTool) -> ToolEffect:
    if (known := config.effects.get(one.name)) is not None:
        return known
    hints = one.annotations
    if config.trust_annotations and hints is not None:
        if hints.read_only_hint:
            return ToolEffect.NONE
        if hints.idempotent_hint:
            return ToolEffect.IDEMPOTENT
    return ToolEffect.ONCE


def same_tools(before: tuple[Tool, ...], after: tuple[Tool, ...]) -> bool:
    """Whether a model would be told the same."""
    return _told(before) == _told(after)


def _told(tools: tuple[Tool, ...]) -> Mapping[str, tuple[ToolSpec, ToolEffect]]:
    return {tool.spec.name: (tool.spec, tool.effect) for tool in tools}
