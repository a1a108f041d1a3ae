"""Sentences that were spoken before: most of what a scripted agent says is said in every call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from voicegw.ports.tts import TtsAudio, TtsChunk, TtsRequest

PROVEN_BYTES = 16 * 1024 * 1024
"""About a quarter of an hour of speech that is said again and again."""
NEW_BYTES = 2 * 1024 * 1024
"""About two minutes of speech that was said once so far."""

_Key: TypeAlias = tuple[str, TtsRequest]


class PhraseCache:
    """Whole sentences by engine and request; the one not used for longest makes room.

    New sentences have little room and are soon forgotten unless they are said again: what is said to one caller
    about their own affairs must neither push out what everybody is told nor stay in memory.
    """

    def __init__(self, proven_bytes: int = PROVEN_BYTES, new_bytes: int = NEW_BYTES) -> None:
        self._proven = _Shelf(proven_bytes)
        self._new = _Shelf(new_bytes)

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
        if chunks and not self._proven.look_up(key):
            self._new.put(key, tuple(chunks))


class _Shelf:
    """Sentences in the order of their last use, up to a size."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._chunks: OrderedDict[_Key, tuple[TtsChunk, ...]] = OrderedDict()

    def look_up(self, key: _Key) -> tuple[TtsChunk, ...]:
        if key not in self._chunks:
            return ()
        self._chunks.move_to_end(key)
        return self._chunks[key]

    def take(self, key: _Key) -> tuple[TtsChunk, ...]:
        chunks = self._chunks.pop(key, ())
        self._bytes -= _size(chunks)
        return chunks

    def put(self, key: _Key, chunks: tuple[TtsChunk, ...]) -> None:
        self.take(key)
        self._chunks[key] = chunks
        self._bytes += _size(chunks)
        while self._bytes > self._limit_bytes:
            _, dropped = self._chunks.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(chunks: Sequence[TtsChunk]) -> int:
    """Audio, and what a mark takes."""
    return sum(len(chunk.pcm) if isinstance(chunk, TtsAudio) else 100 for chunk in chunks)
