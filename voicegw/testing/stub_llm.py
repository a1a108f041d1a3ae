"""A language model that takes exactly as long as it is told and says what it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from voicegw.ports.llm import (
    FinishReason,
    LlmCapabilities,
    LlmEvent,
    LlmFinished,
    LlmRequest,
    LlmUsage,
    TextDelta,
)
from voicegw.testing.stub_work import StubTime, StubWork


@dataclass(slots=True)
class StubLlm:
    """Implements LlmProvider. A token is a word with the space behind it.

    The first one comes ``first_after_s`` after the request, the others at ``tokens_per_s``.
    """

    answer: Callable[[LlmRequest], str]
    first_after_s: float = 0.0
    tokens_per_s: float = 1000.0
    time: StubTime = field(default_factory=StubTime)
    name: str = "stub"
    capabilities: LlmCapabilities = field(default_factory=LlmCapabilities)
    work: StubWork = field(default_factory=StubWork)
    """In tokens."""

    async def start(self) -> None:
        """Nothing to open."""

    async def warm_up(self, request: LlmRequest) -> float:
        """Always warm; ``request`` is of no interest."""
        return self.first_after_s if request.messages else 0.0

    async def close(self) -> None:
        """Nothing to give up."""

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        """The answer, token by token; closing the generator counts what was made as thrown away."""
        self.work.jobs += 1
        first_at = self.time.now() + self.first_after_s
        tokens = tokens_of(self.answer(request))
        made = 0
        whole = False
        try:
            for number, token in enumerate(tokens):
                await self.time.until(first_at + number / self.tokens_per_s)
                made += 1
                self.work.made += 1
                yield TextDelta(token)
            whole = True
            yield LlmFinished(FinishReason.STOP)
            yield LlmUsage(_prompt_tokens(request), 0, made)
        finally:
            if not whole:
                self.work.cancel(made)


def tokens_of(text: str) -> list[str]:
    """Words with the space behind them."""
    return [f"{word} " for word in text.split()]


def _prompt_tokens(request: LlmRequest) -> int:
    return sum(len(message.content.split()) for message in request.messages)
