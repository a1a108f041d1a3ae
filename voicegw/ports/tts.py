"""Speech synthesis as the call sees it: text in, audio out as it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TtsCapabilities:
    """``streaming``: first audio before the whole sentence is made. ``word_marks``: yields :class:`WordMark`.

    ``version`` changes when the same request would sound different: what was made before is made again then.
    """

    streaming: bool
    word_marks: bool
    languages: frozenset[str] = frozenset()
    voices: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class TtsRequest:
    """One sentence (or less). ``voice`` is the engine's own name, empty for its default; ``rate`` 1.0 is normal."""

    text: str
    voice: str = ""
    language: str = "en-US"
    rate: float = 1.0
    sample_rate_hz: int = 8000


@dataclass(frozen=True, slots=True)
class TtsAudio:
    """A piece of 16-bit little-endian mono PCM, at the rate that was asked for where ``rate_hz`` is 0."""

    pcm: bytes
    rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class WordMark:
    """The word ``text[start_char:end_char]`` begins at ``at_sample`` of this request's audio."""

    at_sample: int
    start_char: int
    end_char: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What an engine is given to read for a written text; its audio and marks follow, the marks in ``text``.

    Comes before the first audio; a second one, of the engine that takes over, replaces it.
    """

    text: str


TtsChunk = TtsAudio | WordMark
SpokenChunk = Reading | TtsAudio | WordMark


class TtsProvider(Protocol):
    """A synthesiser, found by name in the inference registry."""

    name: str
    capabilities: TtsCapabilities

    async def start(self) -> None:
        """Load voices and start workers; raises :class:`~voicegw.base.errors.ProviderError`."""
        ...

    def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        """Yield audio as it is made; closing the iterator cancels. Raises ProviderError when the engine fails."""
        ...

    async def close(self) -> None:
        """Stop the workers."""
        ...
