"""Speech engines that take exactly as long as they are told and understand what they are told.

For benches: what is left of a measured time without them is the platform's own. Against the fakes of
:mod:`voicegw.testing.fakes` they run on real time and can be used by many calls at once.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from voicegw.ports.asr import AsrCapabilities, AsrEvent, AsrFinal, AsrOptions, AsrPartial
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest, WordMark
from voicegw.testing.stub_work import StubTime, StubWork

RATE_HZ = 8000
BYTES_PER_MS = RATE_HZ * 2 // 1000
PIECE_MS = 100
MS_PER_CHARACTER = 60
_LEVEL = 6000.0
_PITCH_HZ = 125
_SYLLABLE_MS = 240


@dataclass(frozen=True, slots=True)
class StubLine:
    """What one utterance is understood as. ``partials`` are (seconds after the first audio, text), in order."""

    text: str
    partials: tuple[tuple[float, str], ...] = ()
    confidence: float = 0.95


class StubAsr:
    """Implements AsrProvider. The streams of each caller (``AsrOptions.caller``) take the lines in order, again
    and again; the final text comes ``final_after_s`` after ``finish``."""

    def __init__(
        self,
        lines: Sequence[StubLine],
        *,
        final_after_s: float = 0.0,
        slow_final: bool = False,
        time: StubTime | None = None,
    ) -> None:
        """``slow_final`` is what it says of itself: see AsrCapabilities."""
        self.name = "stub"
        self.capabilities = AsrCapabilities(RATE_HZ, partials=True, phrases=True, slow_final=slow_final)
        self.work = StubWork()
        """In milliseconds of the caller's audio."""
        self._lines = tuple(lines) or (StubLine(""),)
        self._final_after_s = final_after_s
        self._time = time or StubTime()
        self._opened: Counter[str] = Counter()

    async def start(self) -> None:
        """Nothing to load."""

    async def prepare(self, options: AsrOptions) -> None:
        """Nothing to compile."""

    def open(self, options: AsrOptions) -> StubAsrStream:
        """Listen to the caller's next line."""
        self.work.jobs += 1
        return StubAsrStream(self.line_of(options), self._final_after_s, self._time, self.work)

    def line_of(self, options: AsrOptions) -> StubLine:
        """What the stream that is opened now will understand."""
        line = self._lines[self._opened[options.caller] % len(self._lines)]
        self._opened[options.caller] += 1
        return line

    async def close(self) -> None:
        """Nothing to stop."""


class StubAsrStream:
    """Implements AsrStream."""

    def __init__(self, line: StubLine, final_after_s: float, time: StubTime, work: StubWork) -> None:
        self._line = line
        self._final_after_s = final_after_s
        self._time = time
        self._work = work
        self._audio_ms = 0.0
        self._events: asyncio.Queue[AsrEvent | None] = asyncio.Queue()
        self._speaking: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._over = False

    def push(self, pcm: bytes) -> None:
        """Count the audio; with the first of it the partial texts begin."""
        if self._over or self._finishing is not None:
            return
        self._audio_ms += len(pcm) / BYTES_PER_MS
        self._work.made += len(pcm) / BYTES_PER_MS
        if self._speaking is None:
            self._speaking = asyncio.ensure_future(self._report(self._time.now()))

    def finish(self) -> None:
        """The final text follows after the delay."""
        if not self._over and self._finishing is None:
            self._stop(self._speaking)
            self._finishing = asyncio.ensure_future(self._conclude(self._time.now() + self._final_after_s))

    def close(self) -> None:
        """Yields nothing more; what was heard is thrown away if it had no final text yet."""
        if not self._over:
            self._over = True
            self._work.cancel(self._audio_ms)
        self._stop(self._speaking)
        self._stop(self._finishing)
        while not self._events.empty():
            self._events.get_nowait()
        self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[AsrEvent]:
        """The line's partial texts and its final one."""
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, AsrFinal):
                return

    async def _report(self, began: float) -> None:
        for after_s, text in self._line.partials:
            await self._time.until(began + after_s)
            self._events.put_nowait(AsrPartial(text))

    async def _conclude(self, due: float) -> None:
        await self._time.until(due)
        self._over = True
        text = self._line.text if self._audio_ms else ""
        self._events.put_nowait(AsrFinal(text, self._line.confidence, self._audio_ms, 0.0))

    @staticmethod
    def _stop(task: asyncio.Task[None] | None) -> None:
        if task is not None:
            task.cancel()


@dataclass(slots=True)
class StubTts:
    """Implements TtsProvider: a buzz with the rhythm of speech and without a silent sample, from the first on.

    The first audio comes ``first_after_s`` after the request. A second of what follows takes ``real_time_factor``
    seconds to make; 0 for all at once.
    """

    first_after_s: float = 0.0
    real_time_factor: float = 0.0
    time: StubTime = field(default_factory=StubTime)
    name: str = "stub"
    capabilities: TtsCapabilities = field(default_factory=lambda: TtsCapabilities(streaming=True, word_marks=True))
    work: StubWork = field(default_factory=StubWork)
    """In milliseconds of audio."""

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to stop."""

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        """Marks and pieces of 100 ms; closing the iterator counts what was made as thrown away."""
        self.work.jobs += 1
        first_at = self.time.now() + self.first_after_s
        made_ms = 0
        whole = False
        try:
            await self.time.until(first_at)
            for mark in word_marks(request):
                yield mark
            for piece in _pieces(request):
                await self.time.until(first_at + made_ms / 1000 * self.real_time_factor)
                self.work.made += PIECE_MS
                made_ms += PIECE_MS
                yield TtsAudio(piece)
            whole = True
        finally:
            if not whole:
                self.work.cancel(made_ms)


def duration_ms(text: str) -> int:
    """How long the stub speaks: whole pieces, nothing for a text without a letter or digit."""
    if not any(char.isalnum() for char in text):
        return 0
    return -(-len(text) * MS_PER_CHARACTER // PIECE_MS) * PIECE_MS


def word_marks(request: TtsRequest) -> list[WordMark]:
    """Where each word begins."""
    marks: list[WordMark] = []
    end = 0
    for word in request.text.split() if duration_ms(request.text) else []:
        start = request.text.index(word, end)
        end = start + len(word)
        marks.append(WordMark(start * MS_PER_CHARACTER * request.sample_rate_hz // 1000, start, end))
    return marks


def voice_like(length_ms: int, rate_hz: int = RATE_HZ) -> bytes:
    """A buzz of 125 Hz that swells with every syllable and never falls silent, 16-bit PCM."""
    at = np.arange(length_ms * rate_hz // 1000) / rate_hz
    buzz = sum(np.cos(2 * np.pi * _PITCH_HZ * n * at) / n for n in range(1, 9))
    swell = 0.65 - 0.35 * np.cos(2 * np.pi * at * 1000 / _SYLLABLE_MS)
    pcm: bytes = np.rint(_LEVEL * swell * buzz / 2.0).astype("<i2").tobytes()
    return pcm


_voices: dict[int, bytes] = {}


def _pieces(request: TtsRequest) -> list[bytes]:
    """The first pieces of one endless buzz a rate: a period of syllables and pieces, made once."""
    rate = request.sample_rate_hz
    if rate not in _voices:
        _voices[rate] = voice_like(math.lcm(_SYLLABLE_MS, PIECE_MS), rate)
    size = PIECE_MS * rate // 1000 * 2
    voice = _voices[rate]
    steps = len(voice) // size
    return [
        voice[number % steps * size : (number % steps + 1) * size]
        for number in range(duration_ms(request.text) // PIECE_MS)
    ]
