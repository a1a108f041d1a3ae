"""Live events: every fact of every call, once encoded, to every watcher who may see it.

Facts come from the runtime's thread; everything else here lives in the API's loop. A watcher who comes back says
the last id they saw and gets what came since, from a bounded ring. An id that the ring no longer has is answered by
a ``gap`` event: read the snapshot, then go on. A watcher who cannot keep up is dropped, told so, and delays nobody.

In a cluster the facts of all nodes come here, and an id says as well how far the stream that nodes share had been
read. With it a watcher goes on at any other node, and is told again at most what both had not yet read alike.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import msgspec

from voicegw.api.event_ring import EventRing, Kept, LiveEvent
from voicegw.api.live_calls import LiveCall, LiveCalls
from voicegw.api.permissions import Scope
from voicegw.api.shared_places import SharedPlaces, numbers_of
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.base.texts import encoded
from voicegw.call.facts import AnyFact, Entry
from voicegw.cluster.roll import Absent

TOO_SLOW = "too slow: more events waited for you than are kept; read the snapshot and come back"
CLOSING = "the server is stopping"


class RiskAlert(msgspec.Struct, frozen=True, tag=True, tag_field="alert"):
    """A reason to look at a call became weighty; ``points`` are its own, ``risk`` those of the call (0 to 100)."""

    reason: str
    text: str
    points: int
    risk: int


class PhoneChanged(msgspec.Struct, frozen=True, tag=True, tag_field="news"):
    """A phone registered, left, or began or ended a call. It belongs to no call, and only watchers without limits
    are told."""

    name: str
    registered: bool
    calls: int


class TrunkChanged(msgspec.Struct, frozen=True, tag=True, tag_field="news"):
    """A trunk went down or came up, or lost our registration; ``why``: why it is down. Told as PhoneChanged is."""

    name: str
    up: bool
    why: str


class Envelope(msgspec.Struct, frozen=True):
    """One live event as watchers get it. ``sent_wall``: seconds since 1970, to measure the way to the watcher."""

    id: str
    call_id: CallId
    seq: int
    at_ms: float
    sent_wall: float
    data: AnyFact | RiskAlert | PhoneChanged | TrunkChanged


@dataclass(frozen=True, slots=True)
class Known:
    """A fact that became known. ``node`` is empty for this one, ``place`` where it did not come by the cluster."""

    call_id: CallId
    entry: Entry
    wall: float
    node: str = ""
    place: str = ""


class Watcher:
    """One open stream of all calls in ``scope``, or of one. ``reason`` says why it ended.

    ``scope`` may be replaced while the stream is open: rights that change take effect.
    """

    def __init__(self, scope: Scope, call_id: CallId | None, backlog: int) -> None:
        self.scope = scope
        self.reason = ""
        self._call_id = call_id
        self._backlog = backlog
        self._waiting: deque[LiveEvent] = deque()
        self._wake = asyncio.Event()

    def may_see(self, kept: Kept) -> bool:
        """Whether an event is for this stream."""
        if self._call_id is not None and kept.call_id != self._call_id:
            return False
        return self.scope.has_call(kept.called, kept.calling, kept.agent)

    def offer(self, event: LiveEvent) -> bool:
        """Queue an event; False where the watcher is too slow and is done with."""
        if len(self._waiting) >= self._backlog:
            self.end(TOO_SLOW)
            return False
        self._waiting.append(event)
        self._wake.set()
        return True

    def end(self, reason: str) -> None:
        """No more events; what waits is dropped."""
        self.reason = reason
        self._waiting.clear()
        self._wake.set()

    async def next(self, timeout_s: float) -> list[LiveEvent]:
        """Everything that waits, or nothing after ``timeout_s`` or at the end."""
        if not self._waiting and not self.reason:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        events = list(self._waiting)
        self._waiting.clear()
        return events


class EventHub:
    """Takes facts in from any thread and hands them to watchers in the loop that :meth:`attach` was called in."""

    def __init__(
        self,
        calls: LiveCalls,
        counters: Counters,
        *,
        ring: int,
        backlog: int,
        boot: str,
        wall: Callable[[], float] = time.time,
        gather_s: float = 0.0,
    ) -> None:
        """``gather_s``: what comes within it is handed out at once, because waking a watcher costs the most."""
        self.calls = calls
        self._counters = counters
        self._ring = EventRing(ring)
        self._backlog = backlog
        self._boot = boot
        self._wall = wall
        self._gather_s = gather_s
        self._inbox: deque[Known] = deque()
        self._places = SharedPlaces()
        self._absent = Absent()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._number = 0
        self._watchers: set[Watcher] = set()
        self._listeners: list[Callable[[CallId, Entry], None]] = []
        self._encoder = msgspec.json.Encoder()

    # ------------------------------------------------------------ from any thread

    def share(self) -> None:
        """There are other nodes: their facts will come, and ours come back with their places."""
        self._places.is_shared = True

    def publish(self, call_id: CallId, entry: Entry, *, node: str = "", place: str = "") -> None:
        """A fact became known. Costs an append; a burst wakes the API's loop once.

        ``node``: another one, whose call it is. ``place``: in the stream that nodes share; a fact of our own comes
        back with it.
        """
        self._inbox.append(Known(call_id, entry, self._wall(), node, place))
        loop = self._loop
        if loop is not None and not self._scheduled:
            self._scheduled = True
            try:
                loop.call_soon_threadsafe(self._gather, loop)
            except RuntimeError:  # the API's loop is closed: nobody watches any more
                self._loop = None

    def publish_news(self, change: PhoneChanged | TrunkChanged) -> None:
        """A phone or a trunk changed."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the API's loop is closed: nobody watches any more
                loop.call_soon_threadsafe(self._tell_news, change)

    def compare(self, registry: Mapping[CallId, object], ended: Callable[[], Entry]) -> None:
        """The calls that all nodes have now: what is shown of others and in no registry is over."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._compare, registry, ended)

    # ------------------------------------------------------------ in the API's loop

    def use(self, ring: int, backlog: int) -> None:
        """So many events are kept from now on, and may wait for a watcher who comes from now on."""
        self._ring.resize(ring)
        self._backlog = backlog

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on facts are handed out in this loop."""
        self._loop = loop
        self._drain()

    def detach(self) -> None:
        """End all streams."""
        self._loop = None
        for watcher in list(self._watchers):
            watcher.end(CLOSING)
        self._watchers.clear()

    def listen(self, listener: Callable[[CallId, Entry], None]) -> None:
        """Call ``listener`` with every fact, in the API's loop."""
        self._listeners.append(listener)

    @property
    def watchers(self) -> int:
        """How many streams are open."""
        return len(self._watchers)

    @property
    def last_id(self) -> str:
        """The id of the newest event."""
        return self._id(self._number)

    def watch(self, scope: Scope, call_id: CallId | None, after: str | None) -> tuple[Watcher, bool]:
        """Open a stream of what is in scope, of one call or of all. True where events after ``after`` are lost."""
        watcher = Watcher(scope, call_id, self._backlog)
        lost = after is not None and self._replay(watcher, after)
        self._watchers.add(watcher)
        return watcher, lost

    def _replay(self, watcher: Watcher, after: str) -> bool:
        """Give the watcher what came after that id; True where some of it is gone."""
        number = self._number_of(after)
        if number is None and (place := self._places.read(after)) is not None:
            return self._replay_from(watcher, place)
        seen = -1 if number is None else number
        is_more = self._offer_kept(watcher, seen, range(seen + 1, self._number + 1))
        return number is None or number + 1 < (self._ring.oldest or self._number + 1) or is_more

    def _replay_from(self, watcher: Watcher, place: tuple[int, int]) -> bool:
        """The same for an id of another node."""
        numbers, lost = self._places.after(place)
        return self._offer_kept(watcher, min(numbers, default=self._number) - 1, numbers) or lost

    def _offer_kept(self, watcher: Watcher, after: int, numbers: Collection[int]) -> bool:
        """Those of ``numbers`` that are above ``after``, the newest that may wait; True where there are more."""
        found = self._ring.newest_first(after)
        missed = (kept.event for kept in found if kept.event.number in numbers and watcher.may_see(kept))
        latest = list(islice(missed, self._backlog + 1))
        for event in reversed(latest[: self._backlog]):
            watcher.offer(event)
        return len(latest) > self._backlog

    def leave(self, watcher: Watcher) -> None:
        """Close a stream."""
        self._watchers.discard(watcher)

    def forget(self, call_ids: Collection[str]) -> None:
        """These calls were erased: nothing of them is replayed any more. Not a gap: nobody is to have it."""
        self._ring.forget(call_ids)

    def _number_of(self, event_id: str) -> int | None:
        boot, _, number = event_id.partition("@")[0].rpartition("-")
        known = boot == self._boot and number.isascii() and number.isdigit() and len(number) < 18
        return int(number) if known and int(number) <= self._number else None

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._gather_s:
            loop.call_later(self._gather_s, self._drain)
        else:
            self._drain()

    def _drain(self) -> None:
        self._scheduled = False
        while self._inbox:
            known = self._inbox.popleft()
            if known.place:
                self._places.reach(numbers_of(known.place))
            if known.place and not known.node:
                self._places.settle(known.call_id, known.entry.seq)
            elif not self._is_old(known):
                self._hand_out(known)

    def _is_old(self, known: Known) -> bool:
        """What a node tells again because it could not know that it had been heard."""
        call = self.calls.get(known.call_id) if known.node else None
        return call is not None and known.entry.seq <= call.last_seq

    def _hand_out(self, known: Known) -> None:
        call_id, entry, wall = known.call_id, known.entry, known.wall
        call = self.calls.add(call_id, entry.seq, entry.data, known.node)
        first = self._number + 1
        self._tell(call, entry, entry.data, wall)
        for sign in call.alerts:
            if not known.node:
                self._counters.add("risk_alerts")
            alert = RiskAlert(sign.reason.value, sign.text, sign.points, call.risk.points)
            self._tell(call, entry, alert, wall)
        numbers = range(first, self._number + 1)
        self._places.note(numbers, None if known.node else (call_id, entry.seq), self._ring.oldest or first)
        for listener in self._listeners:
            listener(call_id, entry)

    def _compare(self, registry: Mapping[CallId, object], ended: Callable[[], Entry]) -> None:
        for call_id in self._absent.look(self.calls.elsewhere(), registry):
            call = self.calls.get(call_id)
            if call is not None:
                self._hand_out(Known(call_id, ended(), self._wall(), call.node))

    def _tell(self, call: LiveCall, entry: Entry, data: AnyFact | RiskAlert, wall: float) -> None:
        call_id = call.call_id
        event = self._encode(call_id, entry.seq, entry.at_ms, data, wall)
        self._spread(Kept(event, call_id, call.called, call.calling, call.agent))

    def _tell_news(self, change: PhoneChanged | TrunkChanged) -> None:
        no_call = CallId("")
        self._spread(Kept(self._encode(no_call, 0, 0.0, change, self._wall()), no_call, "", "", ""))

    def _spread(self, kept: Kept) -> None:
        self._ring.append(kept)
        for watcher in list(self._watchers):
            if watcher.may_see(kept) and not watcher.offer(kept.event):
                self._watchers.discard(watcher)
                self._counters.add("api_watchers_dropped")

    def _encode(
        self,
        call_id: CallId,
        seq: int,
        at_ms: float,
        data: AnyFact | RiskAlert | PhoneChanged | TrunkChanged,
        wall: float,
    ) -> LiveEvent:
        """The next event of all."""
        self._number += 1
        name = type(data).__name__
        event_id = self._id(self._number)
        text = encoded(self._encoder, Envelope(event_id, call_id, seq, at_ms, wall, data))
        return LiveEvent(self._number, event_id, name, text)

    def _id(self, number: int) -> str:
        return f"{self._boot}-{number}{self._places.suffix}"
