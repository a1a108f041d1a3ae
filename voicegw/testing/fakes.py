"""Speech engines made of a script, whose delays pass only when a test moves its clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from voicegw.base.errors import ProviderError
from voicegw.ports.asr import AsrCapabilities, AsrEvent, AsrFailed, AsrFinal, AsrOptions, AsrPartial
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest, WordMark
from voicegw.testing.manual_clock import ManualClock


class Delays:
    """Waits that end when the clock has been moved far enough and :meth:`run_due` is called."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def wait(self, seconds: float) -> None:
        """Until the clock shows ``seconds`` more; at once for none."""
        if seconds <= 0.0:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((self._clock.monotonic() + seconds, future))
        await future

    def run_due(self) -> int:
        """Wake everybody whose moment has come; returns how many."""
        now = self._clock.monotonic()
        due = [future for moment, future in self._waiting if moment <= now and not future.done()]
        self._waiting = [(moment, future) for moment, future in self._waiting if moment > now]
        for future in due:
            future.set_result(None)
        return len(due)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the fake recogniser makes of one utterance, whatever its audio."""

    text: str
    confidence: float = 0.9
    partials: tuple[str, ...] = ()
    """One with each piece of audio, in order."""
    final_after_s: float = 0.0
    """From ``finish`` to the final text."""
    fails: AsrFailed | None = None
    """Instead of a final text."""


class FakeAsr:
    """Implements AsrProvider. Utterance n is understood as ``script[n]``, later ones as nothing."""

    def __init__(self, script: Sequence[Heard] = (), delays: Delays | None = None) -> None:
        self.name = "fake"
        self.capabilities = AsrCapabilities(8000, partials=True, phrases=True)
        self.opened: list[AsrOptions] = []
        self.streams: list[FakeAsrStream] = []
        self._script = list(script)
        self._delays = delays or Delays(ManualClock())

    async def start(self) -> None:
        """Nothing to load."""

    async def prepare(self, options: AsrOptions) -> None:
        """Nothing to compile."""

    def open(self, options: AsrOptions) -> FakeAsrStream:
        """The next utterance of the script."""
        heard = self._script.pop(0) if self._script else Heard("")
        self.opened.append(options)
        self.streams.append(FakeAsrStream(heard, self._delays))
        return self.streams[-1]

    async def close(self) -> None:
        """Open streams fail, as those of a real engine do."""
        for stream in self.streams:
            stream.break_down("closed")


class FakeAsrStream:
    """Implements AsrStream; ``audio`` keeps what was pushed."""

    def __init__(self, heard: Heard, delays: Delays) -> None:
        self.audio = bytearray()
        self._heard = heard
        self._delays = delays
        self._partials = list(heard.partials)
        self._events: asyncio.Queue[AsrEvent | None] = asyncio.Queue()
        self._finished = False
        self._over = False
        self._closed = False

    def push(self, pcm: bytes) -> None:
        """Keep the audio and report the next partial text."""
        if self._finished or self._over:
            return
        self.audio += pcm
        if self._partials:
            self._events.put_nowait(AsrPartial(self._partials.pop(0)))

    def finish(self) -> None:
        """The scripted result follows."""
        if not self._finished and not self._over:
            self._finished = True
            self._events.put_nowait(self._heard.fails or self._final())

    def close(self) -> None:
        """Yields nothing more."""
        self._closed = self._over = True
        self._events.put_nowait(None)

    def break_down(self, reason: str = "the engine died") -> None:
        """The engine dies in the middle of it."""
        if not self._over:
            self._over = True
            self._events.put_nowait(AsrFailed(reason, retryable=True))

    async def events(self) -> AsyncIterator[AsrEvent]:
        """What the script says."""
        while (event := await self._next()) is not None:
            yield event
            if not isinstance(event, AsrPartial):
                self._over = True
                return

    async def _next(self) -> AsrEvent | None:
        event = await self._events.get()
        if isinstance(event, AsrFinal):
            await self._delays.wait(self._heard.final_after_s)
        return None if self._closed else event

    def _final(self) -> AsrFinal:
        return AsrFinal(self._heard.text, self._heard.confidence, len(self.audio) / 16.0, 0.0)


class FakeTts:
    """Implements TtsProvider: a square wave in pieces of 20 ms, with word marks."""

    def __init__(
        self,
        delays: Delays | None = None,
        *,
        first_after_s: float = 0.0,
        fails_after: int | None = None,
        ms_per_character: int = 50,
    ) -> None:
        self.name = "fake"
        self.capabilities = TtsCapabilities(streaming=True, word_marks=True)
        self.requests: list[TtsRequest] = []
        self.cancelled: list[str] = []
        self.fails_after = fails_after
        """Pieces after which the engine fails; None for never."""
        self._broken = False
        self._delays = delays or Delays(ManualClock())
        self._first_after_s = first_after_s
        self._ms_per_character = ms_per_character

    async def start(self) -> None:
        """Nothing to load."""

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        """Marks and audio of one text; raises ProviderError where the test said so."""
        self.requests.append(request)
        await self._delays.wait(self._first_after_s)
        done = False
        try:
            for index, chunk in enumerate(self._chunks(request)):
                if self._broken or (self.fails_after is not None and index >= self.fails_after):
                    done, self._broken = True, False
                    raise ProviderError(self.name, "scripted failure", retryable=True)
                yield chunk
                await asyncio.sleep(0)
            done = True
        finally:
            if not done:
                self.cancelled.append(request.text)

    def break_down(self) -> None:
        """The engine dies in the sentence it is saying; the next one works."""
        self._broken = True

    async def close(self) -> None:
        """Nothing to stop."""

    def _chunks(self, request: TtsRequest) -> list[TtsChunk]:
        per_character = request.sample_rate_hz * self._ms_per_character // 1000
        step = request.sample_rate_hz // 50
        chunks: list[TtsChunk] = []
        position = 0
        for word in request.text.split():
            start = request.text.index(word, position)
            position = start + len(word)
            chunks.append(WordMark(start * per_character, start, position))
        pcm = b"\x00\x10" * 8 + b"\x00\xf0" * 8
        audio = pcm * (len(request.text) * per_character // 16 + 1)
        end = len(request.text) * per_character
        pieces = range(0, end, step)
        return chunks + [TtsAudio(audio[2 * at : 2 * min(at + step, end)]) for at in pieces]
