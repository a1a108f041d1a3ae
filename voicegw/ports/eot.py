"""End-of-turn models as the call sees them: what was said, and how it sounded, in; a probability out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EotCapabilities:
    """``text`` and ``audio`` say what the model looks at; ``languages`` are BCP 47 tags, empty for any.

    ``audio_ms`` is how much of the end of the turn it wants, at ``sample_rate_hz``; both 0 without ``audio``.
    """

    text: bool
    audio: bool
    languages: frozenset[str] = frozenset()
    sample_rate_hz: int = 0
    audio_ms: int = 0


@dataclass(frozen=True, slots=True)
class EotQuestion:
    """The state of a turn in which the caller has just fallen silent.

    ``text`` is the recogniser's best so far; ``asked`` what the agent said last, for what would answer it; ``pcm``
    16-bit little-endian mono at ``rate_hz``, the end of the turn, silence included, empty for a model without
    ``audio``.
    """

    text: str
    asked: str = ""
    language: str = "en-US"
    pcm: bytes = b""
    rate_hz: int = 8000


class EotModel(Protocol):
    """A model that hears whether somebody has finished, found by name in the inference registry."""

    name: str
    capabilities: EotCapabilities

    async def start(self) -> None:
        """Load the model; raises :class:`~voicegw.base.errors.ProviderError`."""
        ...

    async def probability(self, question: EotQuestion) -> float:
        """How likely the turn is over, 0 to 1. It only moves the wait between its limits: an answer that comes
        late or never (raises ProviderError) leaves endpointing as it is without a model."""
        ...

    async def close(self) -> None:
        """Free the model."""
        ...
