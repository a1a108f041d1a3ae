"""The latest events, for watchers who come back: the newest ready to be sent, the older ones packed.

Twenty thousand events weigh 18 MB as objects, and each that goes leaves a hole of its own size between things that
live. Packed by the hundred they weigh a tenth, and come and go as one block. Only a watcher who was away for long
has them unpacked, from the newest back to what they saw.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from voicegw.base.ids import CallId

TOGETHER: Final = 256
"""Events in a block. At least as many are kept ready beside them, at most twice."""
_FAST: Final = 1


class LiveEvent(msgspec.Struct, frozen=True, gc=False):
    """An event ready to be sent, ``text`` as JSON. Hundreds are kept, and the collector need not visit them."""

    number: int
    id: str
    name: str
    text: bytes

    @property
    def frame(self) -> bytes:
        """As a server-sent event. Made when it is sent, because most of what is kept is never sent again."""
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id.encode(), self.name.encode(), self.text)


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An event of the ring with what decides who may see it."""

    event: LiveEvent
    call_id: CallId
    called: str
    calling: str
    agent: str


class _Block(msgspec.Struct, frozen=True, gc=False):
    """Events of consecutive numbers, apart from those of calls that were erased."""

    first: int
    last: int
    count: int
    call_ids: frozenset[CallId]
    packed: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Kept])


def _pack(events: Sequence[Kept]) -> _Block:
    return _Block(
        first=events[0].event.number,
        last=events[-1].event.number,
        count=len(events),
        call_ids=frozenset(kept.call_id for kept in events),
        packed=zlib.compress(_encoder.encode(events), _FAST),
    )


def _unpack(block: _Block) -> list[Kept]:
    return _decoder.decode(zlib.decompress(block.packed))


class EventRing:
    """At least the latest ``size`` events are kept, and fewer than ``size + TOGETHER``. Used in one thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._blocks: deque[_Block] = deque()
        self._ready: deque[Kept] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def oldest(self) -> int | None:
        """The number of the oldest event that is kept."""
        if self._blocks:
            return self._blocks[0].first
        return self._ready[0].event.number if self._ready else None

    def append(self, kept: Kept) -> None:
        """The next event, numbered higher than all before. The oldest goes where there is no room."""
        self._ready.append(kept)
        self._count += 1
        if len(self._ready) >= 2 * TOGETHER:
            self._blocks.append(_pack([self._ready.popleft() for _ in range(TOGETHER)]))
        self._make_room()

    def resize(self, size: int) -> None:
        """So many from now on."""
        self.size = size
        self._make_room()

    def newest_first(self, after: int) -> Iterator[Kept]:
        """The events with numbers above ``after``, the newest first. To be ended before the ring is changed."""
        for kept in reversed(self._ready):
            if kept.event.number <= after:
                return
            yield kept
        for block in reversed(self._blocks):
            if block.last <= after:
                return
            yield from (kept for kept in reversed(_unpack(block)) if kept.event.number > after)

    def forget(self, call_ids: Collection[str]) -> None:
        """Nothing of these calls is kept any more."""
        self._ready = deque(kept for kept in self._ready if kept.call_id not in call_ids)
        blocks = [self._without(block, call_ids) for block in self._blocks]
        self._blocks = deque(block for block in blocks if block is not None)
        self._count = len(self._ready) + sum(block.count for block in self._blocks)

    @staticmethod
    def _without(block: _Block, call_ids: Collection[str]) -> _Block | None:
        if block.call_ids.isdisjoint(call_ids):
            return block
        left = [kept for kept in _unpack(block) if kept.call_id not in call_ids]
        return _pack(left) if left else None

    def _make_room(self) -> None:
        while self._blocks and self._count - self._blocks[0].count >= self.size:
            self._count -= self._blocks.popleft().count
        while not self._blocks and self._count > self.size:
            self._ready.popleft()
            self._count -= 1
