"""Nodes of a cluster in one process on a manual clock; each can be cut off from the state that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.cluster.config import ClusterConfig
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.messages import Answered, CallsLost, ConfigChanged, Outcome
from voicegw.cluster.node import ClusterNode, Place, Standing
from voicegw.ports.cluster import Hold, NodeState, Owner, SharedCall, SharedState
from voicegw.testing.manual_clock import ManualClock

CONFIG = ClusterConfig(redis="redis://nowhere")


class Line:
    """The way of one node to the shared state."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self.is_cut = False

    def keep(self, messages: int) -> None:
        self._shared.keep(messages)

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._shared, name)

        async def guarded(*arguments: Any) -> Any:
            if self.is_cut and name != "close":
                raise ProviderError("redis", "cut", retryable=True)
            result = await work(*arguments)
            if self.is_cut and name != "close":
                raise ProviderError("redis", "cut", retryable=True)
            return result

        return guarded


class Member:
    """A node, and what it hears."""

    def __init__(self, house: MemoryHouse, clock: ManualClock, name: str, seed: int = 0) -> None:
        self.line = Line(MemoryShared(house))
        self.counters = Counters()
        self.state = NodeState.READY
        self.heard: list[tuple[str, CallId, str]] = []
        self.lost_news: list[tuple[str, tuple[CallId, ...]]] = []
        self.published: list[str] = []
        self.orders: list[tuple[str, bytes]] = []
        self.ended: list[tuple[str, CallId]] = []
        self.contacts: list[bool] = []
        self.leases: list[tuple[str, Hold]] = []
        self.is_deaf = False
        self._calls = 0
        self.node = ClusterNode(
            CONFIG,
            self.line,  # type: ignore[arg-type]
            Place(name, f"10.0.0.{ord(name[0])}:5060", "", "0.1"),
            lambda: Standing(self.state, self._calls, 10),
            self,
            self._end_lost,
            clock,
            self.counters,
            lambda size: bytes((ord(name[0]) + seed + self._calls) % 251 for _ in range(size)),
        )
        self.node.heart.on_contact = self.contacts.append
        self.node.leases.on_change = lambda name, hold: self.leases.append((name, hold))

    def calls(self, call_id: str, *facts: f.AnyFact) -> None:
        """A call begins here, and these are its facts after the first."""
        id = CallId(call_id)
        offered = f.CallWasOffered(id, "sip", "100", "200", "", "2026-01-01T00:00:00Z")
        for seq, fact in enumerate((offered, *facts)):
            self.node.bus.publish(id, f.Entry(seq, 0.0, fact))

    def fact(self, owner: Owner, call_id: CallId, entry: f.Entry, position: str) -> None:
        self.heard.append((owner.name, call_id, type(entry.data).__name__))

    def lost(self, lost: CallsLost, position: str) -> None:
        self.lost_news.append((Owner.parse(lost.owner).name, tuple(call_id for call_id, _ in lost.ended)))

    def config(self, changed: ConfigChanged) -> None:
        self.published.append(changed.part)

    async def asked(self, what: str, body: bytes) -> Answered:
        self.orders.append((what, body))
        return Answered("", 0, Outcome.DONE if what != "no" else Outcome.REFUSED, "", body.upper())

    async def _end_lost(self, owner: Owner, calls: Sequence[SharedCall]) -> tuple[tuple[CallId, f.Entry], ...]:
        self.ended += [(owner.name, call.call_id) for call in calls]
        ended = f.CallHasEnded("node_lost", "local", True, 41, "", 0.0)
        return tuple((call.call_id, f.Entry(call.seq + 1, 0.0, ended)) for call in calls)
