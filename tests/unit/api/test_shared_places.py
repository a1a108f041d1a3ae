"""A watcher who goes on at another node misses nothing, and is told again at most what both had not read alike."""

from __future__ import annotations

import asyncio

from voicegw.api.events_stream import EventHub, Watcher
from voicegw.api.live_calls import LiveCalls
from voicegw.api.permissions import Scope
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f

C1, C2 = CallId("c1"), CallId("c2")
EVERYTHING = Scope(unlimited=True)


class Shared:
    """Two hubs, and the stream between their nodes."""

    def __init__(self, ring: int = 100) -> None:
        self.hubs = {
            name: EventHub(LiveCalls(), Counters(), ring=ring, backlog=100, boot=name, wall=lambda: 0.0)
            for name in ("a", "b")
        }
        self.told: list[tuple[str, CallId, f.Entry]] = []
        self._read = {"a": 0, "b": 0}
        for hub in self.hubs.values():
            hub.share()
            hub.attach(asyncio.get_running_loop())

    async def fact(self, node: str, call_id: CallId, seq: int) -> None:
        """Something happens at a node, and is told to the other some time."""
        entry = f.Entry(seq, 0.0, f.CallWasHeld(bool(seq % 2)))
        self.hubs[node].publish(call_id, entry)
        self.told.append((node, call_id, entry))
        await asyncio.sleep(0)

    async def read(self, node: str) -> None:
        """A node reads all that was told so far."""
        for number in range(self._read[node], len(self.told)):
            origin, call_id, entry = self.told[number]
            self.hubs[node].publish(call_id, entry, node="" if origin == node else origin, place=f"{number + 1}-0")
        self._read[node] = len(self.told)
        await asyncio.sleep(0)


async def seen(watcher: Watcher) -> list[tuple[str, int]]:
    """Call and number of what a watcher was told."""
    events = await watcher.next(0.0)
    return [(event.text.split(b'"call_id":"')[1][:2].decode(), int(_seq(event.text))) for event in events]


def _seq(text: bytes) -> bytes:
    return text.split(b'"seq":')[1].split(b",")[0]


def test_all_nodes_show_the_calls_of_all() -> None:
    async def scenario() -> None:
        shared = Shared()
        await shared.fact("a", C1, 0)
        await shared.read("b")
        calls = shared.hubs["b"].calls
        assert [(call.call_id, call.node) for call in calls.list(EVERYTHING)] == [("c1", "a")]
        await shared.read("a")
        assert [call.node for call in shared.hubs["a"].calls.list(EVERYTHING)] == [""]

    asyncio.run(scenario())


def test_an_id_of_another_node_is_gone_on_from() -> None:
    async def scenario() -> None:
        shared = Shared()
        a, b = shared.hubs["a"], shared.hubs["b"]
        await shared.fact("a", C1, 0)
        await shared.fact("b", C2, 0)
        await shared.read("a")
        await shared.read("b")
        last = a.last_id
        await shared.fact("b", C2, 1)
        await shared.fact("a", C1, 1)
        await shared.read("b")
        watcher, lost = b.watch(EVERYTHING, None, last)
        assert not lost and await seen(watcher) == [("c2", 1), ("c1", 1)]

    asyncio.run(scenario())


def test_what_is_on_its_way_is_told_and_nothing_is_missed() -> None:
    async def scenario() -> None:
        shared = Shared()
        a, b = shared.hubs["a"], shared.hubs["b"]
        await shared.fact("a", C1, 0)
        await shared.read("a")
        await shared.read("b")
        await shared.fact("b", C2, 0)  # not read by anybody yet
        watcher, lost = b.watch(EVERYTHING, None, a.last_id)
        assert not lost and await seen(watcher) == [("c2", 0)]
        await shared.read("b")
        watcher, _ = b.watch(EVERYTHING, None, a.last_id)
        assert await seen(watcher) == [("c2", 0)]

    asyncio.run(scenario())


def test_what_is_not_kept_any_more_is_told_as_lost() -> None:
    async def scenario() -> None:
        shared = Shared(ring=3)
        await shared.fact("a", C1, 0)
        await shared.read("a")
        last = shared.hubs["a"].last_id
        for seq in range(1, 9):
            await shared.fact("a", C1, seq)
        await shared.read("b")
        watcher, lost = shared.hubs["b"].watch(EVERYTHING, None, last)
        assert lost and await seen(watcher) == [("c1", 6), ("c1", 7), ("c1", 8)]
        for wrong in ("x-1@", "x-1@a.b", "x-1@1", "x-1"):
            assert shared.hubs["b"].watch(EVERYTHING, None, wrong)[1]

    asyncio.run(scenario())


def test_what_is_told_twice_is_handed_out_once() -> None:
    async def scenario() -> None:
        shared = Shared()
        watcher, _ = shared.hubs["b"].watch(EVERYTHING, None, None)
        await shared.fact("a", C1, 0)
        shared.told.append(shared.told[0])
        await shared.read("b")
        assert await seen(watcher) == [("c1", 0)]

    asyncio.run(scenario())


def test_a_call_that_no_node_has_is_over_after_two_looks() -> None:
    async def scenario() -> None:
        shared = Shared()
        await shared.fact("a", C1, 0)
        await shared.fact("b", C2, 0)
        await shared.read("b")
        hub = shared.hubs["b"]
        ended = f.Entry(9, 0.0, f.CallHasEnded("node_lost", "local", True, 41, "", 0.0))
        watcher, _ = hub.watch(EVERYTHING, None, None)
        for _ in range(2):
            hub.compare({}, lambda: ended)
            await asyncio.sleep(0)
        assert await seen(watcher) == [("c1", 9)]
        assert [call.call_id for call in hub.calls.list(EVERYTHING)] == [C2]

    asyncio.run(scenario())
