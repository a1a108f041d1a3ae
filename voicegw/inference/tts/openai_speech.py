"""A synthesiser behind any server with ``/audio/speech`` as OpenAI's: raw PCM, passed on as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import numpy as np

from voicegw.base.errors import LocalError, ProviderError
from voicegw.inference.settings import EngineSettings
from voicegw.inference.speech_server import asking, broken, make_client, refusal
from voicegw.inference.tts.pooled import MAX_TEXT
from voicegw.inference.tts.shaping import SpeechShaper
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest

NAME = "speech-server"
_MIN_SPEED, _MAX_SPEED = 0.25, 4.0
"""What the protocol allows."""
_MAX_REFUSAL_BYTES = 64 * 1024
_WAV = b"RIFF"


class OpenAiSpeech:
    """Implements :class:`voicegw.ports.tts.TtsProvider`; runs in the gateway, for the work is elsewhere."""

    def __init__(self, settings: EngineSettings) -> None:
        self.name = NAME
        config = self._config = settings.speech_server
        version = f"{config.base_url} {config.model} {config.voice} {config.speed}"
        self.capabilities = TtsCapabilities(streaming=True, word_marks=False, version=version)
        self._counters = settings.counters
        self._http: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Read the key; raises ConfigError. The server is asked when there is something to say."""
        self._http = make_client(NAME, self._config)

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        """Audio as it arrives. Closing the iterator hangs up on the server. Raises ProviderError."""
        if len(request.text) > MAX_TEXT:
            raise ProviderError(NAME, f"more than {MAX_TEXT} characters in one request", retryable=False)
        if not any(c.isalnum() for c in request.text):
            return
        shaper = SpeechShaper(self._config.pcm_hz, request.sample_rate_hz)
        odd = b""
        async with self._answer(request) as response, aclosing(self._pieces(response)) as pieces:
            async for piece in pieces:
                pcm = odd + piece
                whole = len(pcm) & ~1
                odd = pcm[whole:]
                if made := shaper.process(np.frombuffer(pcm[:whole], "<i2")):
                    yield TtsAudio(made)
        if rest := shaper.flush():
            yield TtsAudio(rest)

    async def close(self) -> None:
        """Give up the connections; sentences under way fail."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    @asynccontextmanager
    async def _answer(self, request: TtsRequest) -> AsyncIterator[httpx.Response]:
        """The response of the server, whose status is 200; raises ProviderError."""
        if self._http is None:
            raise LocalError("the speech server provider was not started")
        with asking(self._config) as work:
            response = await self._asked(self._http, request, work.headers)
            try:
                if response.status_code != 200:
                    raise refusal(NAME, response, await self._refusal_body(response))
                yield response
            finally:
                await response.aclose()

    async def _asked(
        self, http: httpx.AsyncClient, request: TtsRequest, headers: Mapping[str, str]
    ) -> httpx.Response:
        sent = http.build_request("POST", "audio/speech", json=self._body(request), headers=headers)
        try:
            async with asyncio.timeout(self._config.first_audio_timeout_s):
                return await http.send(sent, stream=True)
        except TimeoutError:
            raise self._late("answer", self._config.first_audio_timeout_s) from None
        except (httpx.HTTPError, UnicodeError) as error:
            raise broken(NAME, error) from error

    def _body(self, request: TtsRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._config.model,
            "input": request.text,
            "voice": request.voice or self._config.voice,
            "response_format": "pcm",
        }
        if self._config.speed and request.rate != 1.0:
            body["speed"] = min(max(request.rate, _MIN_SPEED), _MAX_SPEED)
        return body

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body, each piece in time; raises ProviderError."""
        body = response.aiter_raw()
        patience, first = self._config.first_audio_timeout_s, True
        while True:
            try:
                async with asyncio.timeout(patience):
                    piece = await anext(body, b"")
            except TimeoutError:
                raise self._late("audio", patience) from None
            except httpx.HTTPError as error:
                raise broken(NAME, error) from error
            if not piece:
                break
            if first and piece.startswith(_WAV):
                raise ProviderError(NAME, "sends WAV where raw PCM was asked for", retryable=False)
            patience, first = self._config.idle_timeout_s, False
            yield piece
        if first:
            raise ProviderError(NAME, "no audio in the answer", retryable=True)

    async def _refusal_body(self, response: httpx.Response) -> bytes:
        body = b""
        async with aclosing(self._pieces(response)) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > _MAX_REFUSAL_BYTES:
                    break
        return body

    def _late(self, what: str, patience_s: float) -> ProviderError:
        self._counters.add("speech_server_timeout")
        return ProviderError(NAME, f"no {what} within {patience_s} s", retryable=True)
