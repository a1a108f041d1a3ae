"""The tools of one agent, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voicegw.agents.tools.canonical import ArgumentsError, JsonObject, parse_arguments
from voicegw.agents.tools.tool import Tool
from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import did_you_mean
from voicegw.ports.tools import ToolCall, ToolSpec

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What chat servers accept as the name of a function."""


class CallRefused(ValueError):
    """What the model asks for cannot be run; the message tells it why. Nothing has happened."""


class ToolRegistry:
    """Immutable. ``version`` goes into the basis of a reply: with other tools it would be another reply."""

    def __init__(self, tools: Iterable[Tool] = (), version: int = 0) -> None:
        self._tools: dict[str, Tool] = {}
        self.version = version
        for tool in tools:
            name = tool.spec.name
            if not NAME.fullmatch(name):
                raise ConfigError(
                    f"{name!r} cannot be the name of a tool", fix="letters, digits, _ and -, up to 64"
                )
            if name in self._tools:
                raise ConfigError(f"there are two tools called {name!r}", fix="give each a name of its own")
            self._tools[name] = tool

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, always in the same order, so that prompts have a common beginning."""
        return tuple(tool.spec for _, tool in sorted(self._tools.items()) if tool.offered)

    def having(self, *more: Tool) -> ToolRegistry:
        """These tools and ``more``; raises ConfigError where a name is taken."""
        return ToolRegistry([*self._tools.values(), *more], self.version)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, offered to the model or not."""
        return tuple(sorted(self._tools))

    @property
    def said(self) -> tuple[str, ...]:
        """What its tools say while they run."""
        return tuple(tool.say for _, tool in sorted(self._tools.items()) if tool.say)

    def get(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self._tools.get(name)

    def check(self, call: ToolCall, *, by_model: bool = True) -> tuple[Tool, JsonObject]:
        """The tool and its arguments; raises :class:`CallRefused` where one does not exist or the other not fit.

        A model (``by_model``) may use only what it was offered.
        """
        tool = self._tools.get(call.name)
        if tool is None or (by_model and not tool.offered):
            offered = [name for name, tool in self._tools.items() if tool.offered]
            raise CallRefused(f"there is no tool {call.name!r}; {did_you_mean(call.name, offered)}")
        try:
            arguments = parse_arguments(call.arguments_json)
        except ArgumentsError as error:
            raise CallRefused(str(error)) from None
        if problems := tool.parameters.problems(arguments):
            raise CallRefused("the arguments do not fit: " + "; ".join(problems))
        return tool, arguments
