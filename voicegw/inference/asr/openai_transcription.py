"""A recogniser behind any server with ``/audio/transcriptions`` as OpenAI's: the whole utterance in one request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from statistics import fmean
from typing import Any

import httpx
import msgspec
import numpy as np

from voicegw.audio.wav import make
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError, ProviderError
from voicegw.base.metrics import Counters
from voicegw.inference.asr.openai_transcription_config import TranscriptionConfig
from voicegw.inference.settings import EngineSettings
from voicegw.inference.speech_server import asking, broken, make_client, refusal
from voicegw.ports.asr import AsrCapabilities, AsrEvent, AsrFailed, AsrFinal, AsrOptions

NAME = "transcription"
RATE_HZ = 8000
MAX_UTTERANCE_S = 60
"""A minute: what is pushed beyond that is dropped and counted; endpointing has failed long before."""
_MAX_ANSWER_BYTES = 256 * 1024


class _Segment(msgspec.Struct):
    """The part of a ``verbose_json`` segment that matters."""

    avg_logprob: float = 0.0


class _Transcript(msgspec.Struct):
    """The answer. Some servers name the language in full (``english``)."""

    text: str
    language: str | None = None
    segments: list[_Segment] | None = None


class OpenAiTranscription:
    """Implements :class:`voicegw.ports.asr.AsrProvider`; runs in the gateway, for the work is elsewhere."""

    def __init__(self, settings: EngineSettings) -> None:
        self.name = NAME
        self.capabilities = AsrCapabilities(RATE_HZ, partials=False, phrases=False, slow_final=True)
        self._config = settings.transcription
        self._clock = settings.clock
        self._counters = settings.counters
        self._http: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Read the key; raises ConfigError. The server is asked when somebody has spoken."""
        self._http = make_client(NAME, self._config)

    async def prepare(self, _options: AsrOptions) -> None:
        """Nothing to compile here."""

    def open(self, options: AsrOptions) -> TranscriptionStream:
        """Begin one utterance. Raises LocalError before :meth:`start`."""
        if self._http is None:
            raise LocalError("the transcription provider was not started")
        return TranscriptionStream(self._http, self._config, options, self._clock, self._counters)

    async def close(self) -> None:
        """Give up the connections; requests under way fail."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None


class TranscriptionStream:
    """One utterance; see :class:`voicegw.ports.asr.AsrStream`. The request goes out at ``finish``."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        config: TranscriptionConfig,
        options: AsrOptions,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._http = http
        self._config = config
        self._language = options.language
        self._rate_hz = options.sample_rate_hz
        self._clock = clock
        self._counters = counters
        self._pcm = bytearray()
        self._over = False
        self._event: asyncio.Queue[AsrEvent | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def push(self, pcm: bytes) -> None:
        """Keep it."""
        if self._over:
            return
        if len(self._pcm) + len(pcm) > MAX_UTTERANCE_S * self._rate_hz * 2:
            self._counters.add("asr_audio_dropped")
            return
        self._pcm += pcm

    def finish(self) -> None:
        """The utterance is over: it is sent."""
        if self._over:
            return
        self._over = True
        if self._pcm:
            self._task = asyncio.get_running_loop().create_task(self._transcribe())
        else:
            self._event.put_nowait(AsrFinal("", 0.0, 0.0, 0.0))

    def close(self) -> None:
        """Throw the stream away; a request under way is cancelled."""
        self._over = True
        if self._task is not None:
            self._task.cancel()
        while not self._event.empty():
            self._event.get_nowait()
        self._event.put_nowait(None)

    async def events(self) -> AsyncIterator[AsrEvent]:
        """One final or failed event."""
        event = await self._event.get()
        if event is not None:
            yield event

    async def _transcribe(self) -> None:
        begin = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._config.timeout_s):
                answer = await self._ask()
        except TimeoutError:
            self._counters.add("transcription_timeout")
            self._event.put_nowait(AsrFailed(f"no text within {self._config.timeout_s} s", True))
        except ProviderError as error:
            self._counters.add("transcription_failed")
            self._event.put_nowait(AsrFailed(str(error), error.retryable))
        else:
            self._event.put_nowait(self._final(answer, (self._clock.monotonic() - begin) * 1000.0))

    async def _ask(self) -> _Transcript:
        """One request; raises ProviderError."""
        form: dict[str, Any] = {
            "model": self._config.model,
            "response_format": "verbose_json" if self._config.detailed else "json",
            "temperature": "0",
        }
        if self._language not in ("", "auto"):
            form["language"] = self._language.split("-")[0].lower()
        wav = make(self._rate_hz, np.frombuffer(bytes(self._pcm), "<i2").astype(np.int16))
        with asking(self._config) as work:
            response, body = await self._exchange(form, wav, work.headers)
            if response.status_code != 200:
                raise refusal(NAME, response, body)
        try:
            return msgspec.json.decode(body, type=_Transcript)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProviderError(NAME, f"the answer is no transcript: {error}", retryable=True) from error

    async def _exchange(
        self, form: dict[str, Any], wav: bytes, headers: Mapping[str, str]
    ) -> tuple[httpx.Response, bytes]:
        place, files = "audio/transcriptions", {"file": ("utterance.wav", wav, "audio/wav")}
        try:
            async with self._http.stream("POST", place, data=form, files=files, headers=headers) as response:
                return response, await _limited(response)
        except (httpx.HTTPError, UnicodeError) as error:
            raise broken(NAME, error) from error

    def _final(self, answer: _Transcript, spent_ms: float) -> AsrFinal:
        text = " ".join(answer.text.split())
        language = (answer.language or "").lower()
        audio_ms = len(self._pcm) / 2 / self._rate_hz * 1000.0
        return AsrFinal(text, self._confidence(answer) if text else 0.0, audio_ms, spent_ms, language)

    def _confidence(self, answer: _Transcript) -> float:
        if not answer.segments:
            return self._config.confidence
        return min(math.exp(min(fmean(segment.avg_logprob for segment in answer.segments), 0.0)), 1.0)


async def _limited(response: httpx.Response) -> bytes:
    """The body; raises ProviderError if it is longer than any transcript."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            raise ProviderError(NAME, f"the answer is longer than {_MAX_ANSWER_BYTES} bytes", retryable=False)
    return bytes(body)
