"""A recogniser under watch: one that gives no final text in time has failed, and the agent is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from voicegw.base.metrics import Counters
from voicegw.ports.asr import (
    AsrEvent,
    AsrFailed,
    AsrFinal,
    AsrOptions,
    AsrProvider,
    AsrStream,
)
from voicegw.ports.tracing import UNTRACED, WorkKind, begin_work

log = logging.getLogger(__name__)

FINAL_MS = 4000
"""From the end of an utterance to its text. A recogniser that keeps up needs a tenth of it."""


class WatchedAsr:
    """An :class:`~voicegw.ports.asr.AsrProvider` around another one."""

    def __init__(self, inner: AsrProvider, counters: Counters, final_ms: int = FINAL_MS) -> None:
        self.name = inner.name
        self.capabilities = inner.capabilities
        self._inner = inner
        self._counters = counters
        self._final_ms = final_ms

    async def start(self) -> None:
        """See :class:`~voicegw.ports.asr.AsrProvider`. What the engine can do may be known only now."""
        await self._inner.start()
        self.capabilities = self._inner.capabilities

    async def prepare(self, options: AsrOptions) -> None:
        """See :class:`~voicegw.ports.asr.AsrProvider`."""
        await self._inner.prepare(options)

    def open(self, options: AsrOptions) -> AsrStream:
        """See :class:`~voicegw.ports.asr.AsrProvider`."""
        return WatchedStream(self._inner.open(options), self.name, self._counters, self._final_ms)

    async def close(self) -> None:
        """See :class:`~voicegw.ports.asr.AsrProvider`."""
        await self._inner.close()


class WatchedStream:
    """An :class:`~voicegw.ports.asr.AsrStream`: audio goes straight through, events under watch."""

    def __init__(self, inner: AsrStream, name: str, counters: Counters, final_ms: int) -> None:
        self._inner = inner
        self._name = name
        self._counters = counters
        self._final_ms = final_ms
        self._finished = asyncio.Event()
        self._over = False
        self._work = UNTRACED

    def push(self, pcm: bytes) -> None:
        """See :class:`~voicegw.ports.asr.AsrStream`."""
        self._inner.push(pcm)

    def finish(self) -> None:
        """See :class:`~voicegw.ports.asr.AsrStream`. From now on the engine's time runs."""
        if not self._finished.is_set():
            told = {"voicegw.speech.engine": self._name}
            self._work = begin_work(f"recognise {self._name}", WorkKind.HERE, told)
        self._finished.set()
        self._inner.finish()

    def close(self) -> None:
        """See :class:`~voicegw.ports.asr.AsrStream`."""
        self._over = True
        self._work.end()
        self._finished.set()
        self._inner.close()

    async def events(self) -> AsyncIterator[AsrEvent]:
        """See :class:`~voicegw.ports.asr.AsrStream`; ends with AsrFailed where the engine hangs."""
        inner = self._inner.events()
        patience = asyncio.create_task(self._patience_ends(), name="asr patience")
        try:
            while (event := await self._next(inner, patience)) is not None:
                if isinstance(event, AsrFailed):
                    self._work.failed(type(event).__name__)
                if is_last := isinstance(event, AsrFinal | AsrFailed):
                    self._work.end()
                yield event
                if is_last:
                    return
        finally:
            patience.cancel()

    async def _next(self, inner: AsyncIterator[AsrEvent], patience: asyncio.Task[None]) -> AsrEvent | None:
        step = asyncio.ensure_future(_step(inner))
        try:
            await asyncio.wait({step, patience}, return_when=asyncio.FIRST_COMPLETED)
            if step.done():
                return step.result()
        finally:
            step.cancel()
        await asyncio.wait({step})
        return None if self._over else self._given_up()

    async def _patience_ends(self) -> None:
        await self._finished.wait()
        if not self._over:
            await asyncio.sleep(self._final_ms / 1000)

    def _given_up(self) -> AsrFailed:
        self._inner.close()
        self._counters.add(f"asr_hung_{self._name}")
        log.warning("a recogniser gave no text in time", extra={"engine": self._name, "limit_ms": self._final_ms})
        return AsrFailed(f"no final text within {self._final_ms} ms", retryable=True)


async def _step(events: AsyncIterator[AsrEvent]) -> AsrEvent | None:
    return await anext(events, None)
