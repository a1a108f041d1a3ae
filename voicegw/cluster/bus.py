"""What nodes tell one another: facts of calls to all, requests to one, answers back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final, Protocol, assert_never

from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import CallHasEnded, Entry
from voicegw.cluster.counters import ClusterCounter
from voicegw.cluster.messages import (
    Answered,
    AnyMessage,
    Asked,
    CallsLost,
    ConfigChanged,
    FactTold,
    Outcome,
    decode,
    encode,
)
from voicegw.cluster.roll import Roll
from voicegw.cluster.tasks import Tasks
from voicegw.ports.cluster import READ_AT_MOST, Delivered, Owner, Positions, SharedState

log = logging.getLogger(__name__)

READ_S: Final = 1.0
AGAIN_S: Final = 0.5
"""Between two tries while nobody can be reached."""
_TOLD_AT_ONCE: Final = 200
_QUEUED: Final = 10_000
"""Messages that wait for Redis: about a minute of a busy node."""
_REMEMBERED: Final = 1000
"""Requests that were served: more than come while the client library tries again."""
_CLOCKS_S: Final = 2.0
"""So far may the clocks of two nodes be apart."""


class BusListener(Protocol):
    """Who hears what other nodes say."""

    def fact(self, owner: Owner, call_id: CallId, entry: Entry, position: str) -> None:
        """A fact of a call, of this node too: then everything before it has been told."""
        ...

    def lost(self, lost: CallsLost, position: str) -> None:
        """A node is gone and its calls are ended; also told to the one that ended them."""
        ...

    def config(self, changed: ConfigChanged) -> None:
        """Another node has published something."""
        ...

    async def asked(self, what: str, body: bytes) -> Answered:
        """Another node wants something done; ``number`` and ``origin`` of the answer do not matter."""
        ...


class Bus:
    """The messages of one node."""

    def __init__(
        self,
        shared: SharedState,
        owner: Owner,
        listener: BusListener,
        *,
        roll: Roll,
        clock: Clock,
        counters: Counters,
        tasks: Tasks,
    ) -> None:
        self._shared = shared
        self._owner = owner
        self._listener = listener
        self._roll = roll
        self._clock = clock
        self._counters = counters
        self._tasks = tasks
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._positions = Positions()
        self._served: deque[tuple[str, int]] = deque(maxlen=_REMEMBERED)
        self._is_current = False
        self._missed: dict[str, ConfigChanged] = {}
        self._number = 0
        self._waiting: dict[int, tuple[Owner, asyncio.Future[Answered]]] = {}
        self.owners: dict[CallId, Owner] = {}
        """Whose the running calls of other nodes are, as their facts tell."""

    # ------------------------------------------------------------ telling

    def publish(self, call_id: CallId, entry: Entry) -> None:
        """A fact of a call of this node; told soon."""
        self._roll.add(call_id, entry)
        self._tell(FactTold(str(self._owner), call_id, entry))

    def announce(self, part: str, digest: str = "") -> None:
        """Something was published here."""
        self._tell(ConfigChanged(str(self._owner), part, digest))

    def _tell(self, message: AnyMessage) -> None:
        if len(self._queue) >= _QUEUED:
            self._queue.popleft()
            self._counters.add(ClusterCounter.FACTS_DROPPED)
        self._queue.append(encode(message))
        self._wake.set()

    async def write(self) -> None:
        """Carry to the shared state what is to be told, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self._write_once():
                await asyncio.sleep(AGAIN_S)
                self._wake.set()

    async def _write_once(self) -> bool:
        """The registry first: who hears of a call finds it there."""
        async with self._roll.writing:
            changed, gone = self._roll.take_changes()
            try:
                await self._shared.put_calls(self._owner, changed)
                await self._shared.drop_calls(self._owner, gone)
            except ProviderError:
                self._roll.return_changes(changed, gone)
                return False
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_TOLD_AT_ONCE, len(self._queue)))]
            try:
                await self._shared.tell(batch)
            except ProviderError:
                self._queue.extendleft(reversed(batch))
                return False
            except asyncio.CancelledError:
                self._queue.extendleft(reversed(batch))
                raise
        return True

    async def tell_rest(self) -> None:
        """What waits, after :meth:`write` was cancelled: the ends of the last calls. Nobody waits for Redis."""
        await self._write_once()

    # ------------------------------------------------------------ hearing

    async def read(self) -> None:
        """Hear what the others say, from the oldest message that is kept, for ever."""
        while True:
            try:
                delivered = await self._shared.read(self._owner, self._positions, READ_S)
            except ProviderError:
                await asyncio.sleep(AGAIN_S)
                continue
            for one in delivered:
                self._take(one)
            if not self._is_current and len(delivered) < READ_AT_MOST:
                self._is_current = True
                for changed in self._missed.values():
                    self._listener.config(changed)

    def _take(self, one: Delivered) -> None:
        moved = {"all": one.position} if one.to_all else {"own": one.position}
        self._positions = self._positions._replace(**moved)
        message = decode(one.data)
        match message:
            case FactTold():
                owner = Owner.parse(message.origin)
                self._note_owner(owner, message.call_id, message.entry)
                self._listener.fact(owner, message.call_id, message.entry, one.position)
            case CallsLost():
                self._forsake(Owner.parse(message.owner))
                for call_id, _ in message.ended:
                    self.owners.pop(call_id, None)
                self._listener.lost(message, one.position)
            case ConfigChanged():
                if message.origin == str(self._owner):
                    return
                if self._is_current:
                    self._listener.config(message)
                else:  # it may be newer than what this node read when it started, and the last one is enough
                    self._missed[message.part] = message
            case Asked():
                request = (message.origin, message.number)
                if request not in self._served:  # the client library may have sent it twice
                    self._served.append(request)
                    self._tasks.begin(self._serve(message), "serve a request")
            case Answered():
                self._settle(message)
            case None:
                pass
            case _:
                assert_never(message)

    def _note_owner(self, owner: Owner, call_id: CallId, entry: Entry) -> None:
        if isinstance(entry.data, CallHasEnded):
            self.owners.pop(call_id, None)
        elif owner != self._owner:
            self.owners[call_id] = owner

    # ------------------------------------------------------------ requests

    async def ask(self, owner: Owner, what: str, body: bytes, patience_s: float) -> Answered:
        """Let another node do something; an answer that says why not where it cannot be had."""
        self._counters.add(ClusterCounter.REQUESTS)
        self._number += 1
        number, future = self._number, asyncio.get_running_loop().create_future()
        self._waiting[number] = (owner, future)
        until_wall = self._clock.wall() + patience_s
        try:
            await self._shared.send(owner, encode(Asked(str(self._owner), number, what, body, until_wall)))
            async with asyncio.timeout(patience_s):
                answer: Answered = await future
                return answer
        except (ProviderError, TimeoutError):
            self._counters.add(ClusterCounter.REQUESTS_FAILED)
            return Answered("", number, Outcome.REFUSED, f"node {owner.name} does not answer")
        finally:
            del self._waiting[number]

    def _settle(self, message: Answered) -> None:
        waiting = self._waiting.get(message.number)
        if waiting is not None and not waiting[1].done() and str(waiting[0]) == message.origin:
            waiting[1].set_result(message)

    def _forsake(self, owner: Owner) -> None:
        """Who waits for an answer of a dead node waits no more."""
        for number, (asked, future) in self._waiting.items():
            if asked == owner and not future.done():
                self._counters.add(ClusterCounter.REQUESTS_FAILED)
                future.set_result(Answered("", number, Outcome.REFUSED, f"node {owner.name} is gone"))

    async def _serve(self, message: Asked) -> None:
        if self._clock.wall() > message.until_wall + _CLOCKS_S:
            return  # nobody waits for it any more: done now, it would surprise
        self._counters.add(ClusterCounter.REQUESTS_SERVED)
        answer = await self._listener.asked(message.what, message.body)
        reply = Answered(str(self._owner), message.number, answer.outcome, answer.text, answer.body)
        try:
            await self._shared.send(Owner.parse(message.origin), encode(reply))
        except ProviderError:
            log.warning("an answer could not be given", extra={"node": message.origin})
