"""A synthesiser under watch: one that says nothing in time, or stops in mid-sentence, has failed.

A hung engine raises nothing. Without a watch the caller would hear nothing until they hang up.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from voicegw.base.breaker import BreakerConfig, CircuitBreaker
from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.base.time_limit import TimeLimit
from voicegw.ports.tracing import WorkKind, begin_work
from voicegw.ports.tts import TtsAudio, TtsChunk, TtsProvider, TtsRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VoicePatience:
    """How long a synthesiser may be silent before another one is asked."""

    first_audio_ms: int = 1250
    """From the request to the first audio of a sentence. Engines that work need a tenth of it. The last engine that
    is left gets twice that, less what others took: giving up on it ends the call, and 2.5 s are long enough."""
    stall_ms: int = 1500
    """Between two pieces of audio of a sentence; they are made much faster than they are heard."""
    breaker: BreakerConfig = field(default_factory=BreakerConfig)
    """When an engine is left alone. One that hangs is left alone at once: each trial costs a caller a second."""

    def first_ms(self, *, last: bool, gone_ms: float) -> float:
        """The limit for an engine that is asked when ``gone_ms`` were spent on others."""
        return max(self.first_audio_ms, 2 * self.first_audio_ms - gone_ms) if last else self.first_audio_ms


class WatchedVoice:
    """One engine; its breaker is shared by all calls of the node."""

    def __init__(self, provider: TtsProvider, patience: VoicePatience, clock: Clock, counters: Counters) -> None:
        self.provider = provider
        self._patience = patience
        self._clock = clock
        self._counters = counters
        self._breaker = CircuitBreaker(patience.breaker)

    @property
    def name(self) -> str:
        """The engine's."""
        return self.provider.name

    @property
    def allowed(self) -> bool:
        """Whether it may be asked now; a last resort is asked even so."""
        return self._breaker.allows(self._clock.monotonic())

    async def synthesize(
        self, request: TtsRequest, *, last: bool = False, gone_ms: float = 0.0
    ) -> AsyncGenerator[TtsChunk, None]:
        """The engine's audio; raises ProviderError when it fails or takes too long.

        ``last`` and ``gone_ms`` as for :meth:`VoicePatience.first_ms`.
        """
        first_ms = self._patience.first_ms(last=last, gone_ms=gone_ms)
        asked_at = self._clock.monotonic()
        self._breaker.asked(asked_at)
        chunks = self.provider.synthesize(request)
        heard, limit, limit_ms = False, TimeLimit(), first_ms
        work = begin_work(f"speak {self.name}", WorkKind.HERE, {"voicegw.speech.engine": self.name})
        try:
            while (chunk := await self._next(chunks, limit, limit_ms)) is not None:
                if isinstance(chunk, TtsAudio) and not heard:
                    heard, limit_ms = True, self._patience.stall_ms
                    work.mark("first audio")
                    self._breaker.succeeded()
                    took_s = self._clock.monotonic() - asked_at
                    self._counters.observe(f"tts_first_audio_seconds_{self.name}", took_s)
                yield chunk
        except ProviderError as error:
            work.failed(type(error).__name__)
            self._counters.add(f"tts_failed_{self.name}")
            log.warning("synthesis failed: %s", error)
            if error.retryable:
                self._breaker.failed(self._clock.monotonic(), self._hang_s(error))
            raise
        finally:
            limit.close()
            work.end()
            if not heard:
                self._breaker.abandoned()

    async def _next(self, chunks: AsyncIterator[TtsChunk], limit: TimeLimit, limit_ms: float) -> TtsChunk | None:
        try:
            return await limit.wait(anext(chunks, None), limit_ms / 1000)
        except TimeoutError:
            self._counters.add(f"tts_hung_{self.name}")
            raise Hung(self.name, f"no audio for {limit_ms:.0f} ms") from None

    def _hang_s(self, error: ProviderError) -> float | None:
        return self._patience.breaker.open_s if isinstance(error, Hung) else None


class Hung(ProviderError):
    """The engine did nothing for too long."""

    def __init__(self, provider: str, message: str) -> None:
        super().__init__(provider, message, retryable=True)
