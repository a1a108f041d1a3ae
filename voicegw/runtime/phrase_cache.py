"""Sentences that were spoken before: most of what a scripted agent says is said in every call.

And prompts: what agents say to everybody is made ahead of the first call and kept as long as an agent says it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import TypeAlias

from voicegw.ports.tts import TtsAudio, TtsChunk, TtsRequest

PROVEN_BYTES = 16 * 1024 * 1024
"""About a quarter of an hour of speech that is said again and again."""
NEW_BYTES = 2 * 1024 * 1024
"""About two minutes of speech that was said once so far."""
PINNED_BYTES = 32 * 1024 * 1024
"""About half an hour of prompts. What is more is made when it is said, like everything else."""

Key: TypeAlias = tuple[str, TtsRequest]
"""An engine by name, and what it was asked for."""


class PhraseCache:
    """Whole sentences by engine and request; the one not used for longest makes room.

    New sentences have little room and are soon forgotten unless they are said again: what is said to one caller
    about their own affairs must neither push out what everybody is told nor stay in memory.
    """

    def __init__(
        self, proven_bytes: int = PROVEN_BYTES, new_bytes: int = NEW_BYTES, pinned_bytes: int = PINNED_BYTES
    ) -> None:
        self._proven = _Shelf(proven_bytes)
        self._new = _Shelf(new_bytes)
        self._pinned: dict[Key, tuple[TtsChunk, ...]] = {}
        self._pinned_left = pinned_bytes

    def get(self, engine: str, request: TtsRequest) -> tuple[TtsChunk, ...]:
        """What the engine made of this request; empty if it is not known."""
        key = (engine, request)
        if chunks := self._new.take(key):
            self._proven.put(key, chunks)
            return chunks
        return self._proven.look_up(key)

    def put(self, engine: str, request: TtsRequest, chunks: Sequence[TtsChunk]) -> None:
        """A sentence was made to its end."""
        key = (engine, request)
        if chunks and key not in self._pinned and not self._proven.look_up(key):
            self._new.put(key, tuple(chunks))

    def pinned(self, engine: str, request: TtsRequest) -> tuple[TtsChunk, ...]:
        """A prompt, if it is one that is there."""
        return self._pinned.get((engine, request), ())

    def pin(self, engine: str, request: TtsRequest, chunks: Sequence[TtsChunk]) -> bool:
        """Keep a prompt until :meth:`unpin_all_but`; False if there is no room."""
        key = (engine, request)
        self._unpin(key)
        if _size(chunks) > self._pinned_left:
            return False
        self._pinned[key] = tuple(chunks)
        self._pinned_left -= _size(chunks)
        return True

    def unpin_all_but(self, wanted: Collection[Key]) -> None:
        """Forget the prompts that no agent says any more."""
        for key in [key for key in self._pinned if key not in wanted]:
            self._unpin(key)

    def _unpin(self, key: Key) -> None:
        self._pinned_left += _size(self._pinned.pop(key, ()))


class _Shelf:
    """Sentences in the order of their last use, up to a size."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._chunks: OrderedDict[Key, tuple[TtsChunk, ...]] = OrderedDict()

    def look_up(self, key: Key) -> tuple[TtsChunk, ...]:
        if key not in self._chunks:
            return ()
        self._chunks.move_to_end(key)
        return self._chunks[key]

    def take(self, key: Key) -> tuple[TtsChunk, ...]:
        chunks = self._chunks.pop(key, ())
        self._bytes -= _size(chunks)
        return chunks

    def put(self, key: Key, chunks: tuple[TtsChunk, ...]) -> None:
        self.take(key)
        self._chunks[key] = chunks
        self._bytes += _size(chunks)
        while self._bytes > self._limit_bytes:
            _, dropped = self._chunks.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(chunks: Sequence[TtsChunk]) -> int:
    """Audio, and what a mark takes."""
    return sum(len(chunk.pcm) if isinstance(chunk, TtsAudio) else 100 for chunk in chunks)
