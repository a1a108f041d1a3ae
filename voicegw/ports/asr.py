"""Speech recognition as the call sees it: audio in as it arrives, partial and final texts out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AsrCapabilities:
    """What a recogniser can do.

    ``sample_rate_hz`` is what ``push`` takes unless the options say otherwise; ``partials`` whether it reports
    before the end; ``phrases`` whether it uses :attr:`AsrOptions.phrases`; ``languages`` BCP 47 tags, empty for
    any. ``slow_final``: the final text takes long after ``finish``, so it is asked for at the first likely end of a
    turn; if the caller goes on, a new stream hears the turn from its beginning.
    """

    sample_rate_hz: int
    partials: bool
    phrases: bool
    languages: frozenset[str] = frozenset()
    slow_final: bool = False


@dataclass(frozen=True, slots=True)
class AsrOptions:
    """What the caller may be about to say.

    ``phrases`` are sentences in plain lower-case words (``"i want to book an appointment"``); the domain
    language model is compiled from them. ``boost`` are the ones the current question expects, which get
    more weight. Equal phrases and boosts share one compiled model; without any, a general model is used.
    Three or more digits in a row stand for any digits. ``language`` may be ``auto`` for a recogniser that can tell
    languages apart. ``caller`` (a call id, say) lets a recogniser carry what it learnt of the voice, the language
    and the line from one utterance to the next; empty for no such memory. ``sample_rate_hz`` is that of the audio,
    8000 or 16000: every recogniser takes both.
    """

    language: str = "en-US"
    phrases: tuple[str, ...] = ()
    boost: tuple[str, ...] = ()
    caller: str = ""
    sample_rate_hz: int = 8000


@dataclass(frozen=True, slots=True)
class AsrPartial:
    """The best text so far; may still change."""

    text: str


@dataclass(frozen=True, slots=True)
class AsrFinal:
    """The text of one utterance. ``confidence`` is 0 to 1; ``audio_ms`` is how much audio it covers.

    ``language`` is the language that was heard (``en``), empty from a recogniser of one language.
    """

    text: str
    confidence: float
    audio_ms: float
    decode_ms: float
    language: str = ""


@dataclass(frozen=True, slots=True)
class AsrFailed:
    """The engine is gone; this stream yields nothing more. A new one may succeed if ``retryable``."""

    reason: str
    retryable: bool


AsrEvent = AsrPartial | AsrFinal | AsrFailed


class AsrStream(Protocol):
    """One utterance of one caller. Never blocks, never raises for a dead engine: that is an event."""

    def push(self, pcm: bytes) -> None:
        """Feed 16-bit little-endian mono PCM at :attr:`AsrOptions.sample_rate_hz`."""
        ...

    def finish(self) -> None:
        """The utterance is over: an :class:`AsrFinal` (or :class:`AsrFailed`) follows and ends the stream."""
        ...

    def close(self) -> None:
        """Throw the stream away; pending work is refused by its id and nothing more is yielded."""
        ...

    def events(self) -> AsyncIterator[AsrEvent]:
        """Partial results as they change, then one final or failed event."""
        ...


class AsrProvider(Protocol):
    """A recogniser, found by name in the inference registry."""

    name: str
    capabilities: AsrCapabilities

    async def start(self) -> None:
        """Load models and start workers; raises :class:`~voicegw.base.errors.ProviderError`."""
        ...

    def open(self, options: AsrOptions) -> AsrStream:
        """Begin one utterance."""
        ...

    async def prepare(self, options: AsrOptions) -> None:
        """Compile and cache the language model of ``options`` ahead of the first call."""
        ...

    async def close(self) -> None:
        """Stop the workers."""
        ...
