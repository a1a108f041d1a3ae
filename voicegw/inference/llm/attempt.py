"""One provider asked for one answer: what it said first, what it cost, and what its breaker learns from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from voicegw.base.breaker import CircuitBreaker
from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.inference.llm.budget import CallBudget, estimate
from voicegw.ports.llm import (
    LlmEvent,
    LlmFinished,
    LlmOverloaded,
    LlmProvider,
    LlmRejected,
    LlmRequest,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A provider with its breaker: one a node, shared by the chains of all agents."""

    provider: LlmProvider
    breaker: CircuitBreaker


class Attempt:
    """Reads the answer; :meth:`close` settles the bill: what failed before its first word costs nothing."""

    def __init__(
        self, guarded: Guarded, request: LlmRequest, budget: CallBudget, clock: Clock, counters: Counters
    ) -> None:
        self.name = guarded.provider.name
        self._guarded = guarded
        self._request = request
        self._budget = budget
        self._clock = clock
        self._counters = counters
        self._stream: AsyncGenerator[LlmEvent, None] = guarded.provider.stream(request)
        self._text: list[str] = []
        self._usage: LlmUsage | None = None
        self._judged = False
        self._refused = False
        self._closed = False
        self._asked_at = clock.monotonic()
        guarded.breaker.asked(self._asked_at)
        counters.add(f"llm_asked_{self.name}")

    async def first_words(self) -> list[LlmEvent]:
        """Everything up to the first word, tool call or end; raises ProviderError."""
        events: list[LlmEvent] = []
        while more := await self.more():
            events += more
            if isinstance(more[-1], TextDelta | ToolCallRequested | LlmFinished):
                self._judged = True
                took_s = self._clock.monotonic() - self._asked_at
                self._counters.observe(f"llm_first_token_seconds_{self.name}", took_s)
                self._guarded.breaker.succeeded()
                break
        return events

    async def more(self) -> list[LlmEvent]:
        """What comes next, nothing at the end; raises ProviderError, of which the breaker has been told."""
        try:
            event = await anext(self._stream, None)
        except ProviderError as error:
            self._failed(error)
            raise
        if isinstance(event, TextDelta):
            self._text.append(event.text)
        elif isinstance(event, LlmUsage):
            self._usage = event
        return [] if event is None else [event]

    async def close(self, *, late: bool = False) -> None:
        """Cancel what is still under way. ``late``: somebody else spoke while this one should have."""
        if self._closed:
            return
        self._closed = True
        await self._stream.aclose()
        if not self._judged:
            self._abandon(late)
        if self._usage is not None or self._text or not self._refused:
            usage = self._usage or estimate(self._request, "".join(self._text))
            self._budget.charge(usage, self._guarded.provider.capabilities.price)

    def _abandon(self, late: bool) -> None:
        if late:
            self._counters.add(f"llm_late_{self.name}")
            self._guarded.breaker.failed(self._clock.monotonic())
        else:
            self._guarded.breaker.abandoned()

    def _failed(self, error: ProviderError) -> None:
        self._judged = True
        self._refused = True
        self._counters.add(f"llm_failed_{self.name}")
        if isinstance(error, LlmRejected):
            # The server is well; another agent's request will please it.
            self._guarded.breaker.abandoned()
            return
        retry_after_s = error.retry_after_s if isinstance(error, LlmOverloaded) else None
        self._guarded.breaker.failed(self._clock.monotonic(), retry_after_s)
