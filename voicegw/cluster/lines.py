"""Lines of trunks and numbers that all nodes share.

A node that cannot ask goes on by itself: it lets so many calls in as if it were alone. What it has then is written
down when contact returns, so that for a while more may be in use than there are, and nothing is taken from a call
that goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.tasks import Tasks
from voicegw.ports.cluster import Line, Owner, SharedState

PATIENCE_S: Final = 0.3
"""A caller hears nothing meanwhile."""


class SharedLines:
    """A :class:`~voicegw.ports.cluster.LinePool` of one node."""

    def __init__(self, shared: SharedState, owner: Owner, counters: Counters, tasks: Tasks) -> None:
        self._shared = shared
        self._owner = owner
        self._counters = counters
        self._tasks = tasks
        self._held: dict[str, tuple[str, ...]] = {}
        self.is_reachable = True
        """Set by who knows; without it nobody is asked, and no call waits."""
        self.is_unsure = False
        """Whether something was asked and not answered: the next beat writes all of them anew."""
        self._freeing: dict[str, asyncio.Task[None]] = {}

    @property
    def held(self) -> Mapping[str, Sequence[str]]:
        """The names of the lines of every holder here."""
        return self._held

    async def take(self, holder: str, lines: Sequence[Line]) -> str:
        """See the protocol."""
        had_some = holder in self._held
        self._held[holder] = tuple(line.name for line in lines)  # from now on :meth:`free` has something to free
        full = await self._ask(holder, lines) if self.is_reachable else None
        if full is None:
            self._counters.add(ClusterCounter.LINES_UNSHARED)
            full = self._full_here(holder, lines)
        if full:
            self._counters.add(ClusterCounter.LINES_FULL)
            self._held.pop(holder, None)
            if had_some:
                self._begin_to_free(holder)
        elif holder not in self._held:  # over before it was answered
            self._begin_to_free(holder)
        return full

    def free(self, holder: str) -> None:
        """See the protocol."""
        if self._held.pop(holder, None) is not None and self.is_reachable:
            self._begin_to_free(holder)

    async def _ask(self, holder: str, lines: Sequence[Line]) -> str | None:
        """None where nobody answers in time. What arrives too late is set right by the next rewrite."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                if freeing := self._freeing.get(holder):  # it would give back what is taken now
                    await asyncio.wait((freeing,))
                return await self._shared.take_lines(self._owner, holder, lines)
        except (ProviderError, TimeoutError):
            self.is_unsure = True
            return None

    def _full_here(self, holder: str, lines: Sequence[Line]) -> str:
        """The first line of which this node alone has all."""
        others = [names for one, names in self._held.items() if one != holder]
        full = (line.name for line in lines if sum(line.name in names for names in others) >= line.limit)
        return next(full, "")

    def _begin_to_free(self, holder: str) -> None:
        self._freeing[holder] = self._tasks.begin(self._free(holder), "free lines")

    async def _free(self, holder: str) -> None:
        try:
            await self._shared.free_lines(self._owner, holder)
        except ProviderError:
            self.is_unsure = True
        finally:
            if self._freeing.get(holder) is asyncio.current_task():
                del self._freeing[holder]
