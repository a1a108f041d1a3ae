"""The calls of a node as the others know them: a fold of the facts of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import msgspec

from voicegw.base.ids import CallId
from voicegw.call.facts import (
    CallHasEnded,
    CallWasAnswered,
    CallWasIntroduced,
    CallWasOffered,
    CallWasRouted,
    Entry,
)
from voicegw.ports.cluster import SharedCall


class Roll:
    """Running calls of this node."""

    def __init__(self) -> None:
        self._calls: dict[CallId, SharedCall] = {}
        self._changed: dict[CallId, None] = {}
        self._gone: dict[CallId, None] = {}
        self.writing = asyncio.Lock()
        """Held by who writes them down: all of them, or what has changed."""

    def add(self, call_id: CallId, entry: Entry) -> bool:
        """Take in a fact; True where the others have something to learn by it."""
        call = self._calls.get(call_id)
        match entry.data:
            case CallWasOffered(called=called, calling=calling, started_at=started_at):
                call = SharedCall(call_id, called, calling, started_at=started_at)
            case CallHasEnded():
                self._calls.pop(call_id, None)
                self._changed.pop(call_id, None)
                self._gone[call_id] = None
                return True
            case CallWasIntroduced(trunk=trunk) if call is not None:
                call = msgspec.structs.replace(call, trunk=trunk)
            case CallWasRouted(agent=agent) if call is not None:
                call = msgspec.structs.replace(call, agent=agent)
            case CallWasAnswered() if call is not None:
                call = msgspec.structs.replace(call, state="active")
            case _:
                return False
        self._calls[call_id] = msgspec.structs.replace(call, seq=entry.seq)
        self._changed[call_id] = None
        return True

    @property
    def calls(self) -> tuple[SharedCall, ...]:
        """All of them now."""
        return tuple(self._calls.values())

    def has(self, call_id: CallId) -> bool:
        """Whether a call runs here."""
        return call_id in self._calls

    def take_changes(self) -> tuple[tuple[SharedCall, ...], tuple[CallId, ...]]:
        """What was not written since the last time: calls that are others than before, and calls that are over."""
        changed = tuple(self._calls[call_id] for call_id in self._changed)
        gone = tuple(self._gone)
        self._changed.clear()
        self._gone.clear()
        return changed, gone

    def return_changes(self, changed: Collection[SharedCall], gone: Collection[CallId]) -> None:
        """They could not be written: they are to be taken again."""
        self._changed.update((call.call_id, None) for call in changed if call.call_id in self._calls)
        self._gone.update((call_id, None) for call_id in gone)


class Absent:
    """Calls that a watcher still shows and no node has: those whose end was told while nobody could hear it.

    A fact may come a moment before its call stands in the registry; so only what is missing twice in a row, looked
    at so far apart as nodes beat, is gone.
    """

    def __init__(self) -> None:
        self._suspects: frozenset[CallId] = frozenset()

    def look(self, shown: Collection[CallId], registered: Mapping[CallId, object]) -> frozenset[CallId]:
        """Those that are to be forgotten."""
        missing = frozenset(call_id for call_id in shown if call_id not in registered)
        gone = missing & self._suspects
        self._suspects = missing - gone
        return gone
