"""The tools of an agent with some that are always there: those that its own kind of agent brings along."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.tool import Tool


class AlwaysHaving:
    """Call it for the registry of this moment: the same object as long as ``current`` gives the same one."""

    def __init__(self, current: Callable[[], ToolRegistry], *always: Tool) -> None:
        self._current = current
        self._always = always
        own = current()
        self._made = (own, own.having(*always))

    def __call__(self) -> ToolRegistry:
        """Raises ConfigError where a name is taken twice."""
        own = self._current()
        if own is not self._made[0]:
            self._made = (own, own.having(*self._always))
        return self._made[1]
