"""Sentences that were spoken before: most of what a scripted agent says is said in every call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from voicegw.ports.tts import TtsAudio, TtsChunk, TtsRequest

DEFAULT_BYTES = 16 * 1024 * 1024
"""About a quarter of an hour of speech."""
REMEMBERED_ONCE = 4096


class PhraseCache:
    """Whole sentences by engine and request, as long as they fit; the one not used for longest goes first.

    A sentence is kept when it is made for the second time: what is said once, to one caller about their own
    affairs, neither pushes the others out nor stays in memory.
    """

    def __init__(self, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._made: OrderedDict[tuple[str, TtsRequest], tuple[TtsChunk, ...]] = OrderedDict()
        self._bytes = 0
        self._once: OrderedDict[int, None] = OrderedDict()

    def get(self, engine: str, request: TtsRequest) -> tuple[TtsChunk, ...]:
        """What the engine made of this request; empty if it is not known."""
        key = (engine, request)
        if key not in self._made:
            return ()
        self._made.move_to_end(key)
        return self._made[key]

    def put(self, engine: str, request: TtsRequest, chunks: Sequence[TtsChunk]) -> None:
        """A sentence was made to its end."""
        key = (engine, request)
        if key in self._made or not chunks or self._is_first(hash(key)):
            return
        self._made[key] = tuple(chunks)
        self._bytes += _size(chunks)
        while self._bytes > self._limit_bytes:
            _, dropped = self._made.popitem(last=False)
            self._bytes -= _size(dropped)

    def _is_first(self, fingerprint: int) -> bool:
        if fingerprint in self._once:
            del self._once[fingerprint]
            return False
        self._once[fingerprint] = None
        if len(self._once) > REMEMBERED_ONCE:
            self._once.popitem(last=False)
        return True


def _size(chunks: Sequence[TtsChunk]) -> int:
    """Audio, and what a mark takes."""
    return sum(len(chunk.pcm) if isinstance(chunk, TtsAudio) else 100 for chunk in chunks)
