"""The tools of one agent as they are now: its own, and those that its tool servers list."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool

log = logging.getLogger(__name__)


class ToolListing(Protocol):
    """A server of tools; ``version`` grows whenever its list of ``tools`` changes."""

    tools: tuple[Tool, ...]
    version: int


class LiveTools:
    """Call it for the registry of this moment: the same object until a server lists other tools.

    Raises ConfigError in the constructor where the agent's ``own`` tools cannot stand together. What a server lists
    later must not break a call: a name that is taken is left out.
    """

    def __init__(self, own: Sequence[Tool], servers: Sequence[ToolListing] = ()) -> None:
        self._own = tuple(own)
        self._servers = tuple(servers)
        self._made = ToolRegistry(own)
        if self._servers:
            self._made = self._make()

    def __call__(self) -> ToolRegistry:
        """The registry as it is now."""
        if self._made.version != self._version():
            self._made = self._make()
        return self._made

    def _version(self) -> int:
        return sum(server.version for server in self._servers)

    def _make(self) -> ToolRegistry:
        tools = {tool.spec.name: tool for tool in self._own}
        for server in self._servers:
            for tool in server.tools:
                if tools.setdefault(tool.spec.name, tool) is not tool:
                    log.warning("a tool is left out: its name is taken", extra={"tool": tool.spec.name})
        return ToolRegistry(tools.values(), self._version())
