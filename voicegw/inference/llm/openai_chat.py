"""A model behind any OpenAI-compatible chat server, streamed. Why httpx: docs/decisions/0005-openai-client.md."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace

import httpx

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.errors import LocalError, ProviderError, RemoteProtocolError
from voicegw.inference.llm.answer import ChatAnswer
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.inference.llm.exchange import Exchange
from voicegw.inference.llm.patience import Patience
from voicegw.inference.llm.refusals import refusal, refuses_usage
from voicegw.inference.llm.request import encode_request
from voicegw.inference.llm.sse import SseDecoder
from voicegw.inference.llm.traced_answer import TracedAnswer
from voicegw.inference.server_address import api_key
from voicegw.ports.llm import LlmCapabilities, LlmEvent, LlmRequest, TextDelta, ToolCallRequested

log = logging.getLogger(__name__)

_KEEPALIVE_S = 60.0
"""Longer than a pause between two turns, so that the next turn need not connect again."""


class OpenAiChat:
    """An :class:`~voicegw.ports.llm.LlmProvider`; one for all calls of a node, on one event loop."""

    def __init__(
        self,
        config: ChatServerConfig,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] = os.environ,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = config.name
        self.capabilities = LlmCapabilities(config.tools, config.ask_usage, config.price)
        self._config = config
        self._clock = clock or SystemClock()
        self._environ = environ
        self._transport = transport
        self._ask_usage = config.ask_usage
        self._http: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Read the key; raises :class:`~voicegw.base.errors.ConfigError` where there is none."""
        config = self._config
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if config.api_key_env:
            key = api_key(f"language model {self.name!r}", config.api_key_env, self._environ)
            headers["Authorization"] = f"Bearer {key}"
        limits = httpx.Limits(
            max_connections=config.max_connections,
            max_keepalive_connections=config.max_connections,
            keepalive_expiry=_KEEPALIVE_S,
        )
        timeout = httpx.Timeout(None, connect=config.connect_timeout_s, pool=config.connect_timeout_s)
        self._http = httpx.AsyncClient(
            headers=headers,
            limits=limits,
            timeout=timeout,
            transport=self._transport,
            follow_redirects=False,
            # Without TLS there is no certificate to check, and reading the authorities costs a tenth of a second.
            verify=config.base_url.lower().startswith("https"),
        )

    async def close(self) -> None:
        """Give up the connections; answers under way fail."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def warm_up(self, request: LlmRequest) -> float:
        """See :meth:`voicegw.ports.llm.LlmProvider.warm_up`."""
        begin = self._clock.monotonic()
        first: float | None = None
        async with aclosing(self.stream(replace(request, max_tokens=1))) as events:
            # To the end, so that the connection is kept for the first call.
            async for _ in events:
                first = first or self._clock.monotonic()
        return (first or self._clock.monotonic()) - begin

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        """See :meth:`voicegw.ports.llm.Llm.stream`."""
        patience, traced = Patience(self._config), TracedAnswer(self._config, request)
        exchange = Exchange(self.name, self._client(), patience, traced.headers)
        answer, decoder = ChatAnswer(self.name), SseDecoder()
        try:
            await self._ask(exchange, request)
            while not answer.done:
                piece = await (exchange.tail() if answer.finished else exchange.piece())
                for event in self._events(piece, decoder, answer, patience):
                    traced.take(event)
                    yield event
            # Reading the last empty piece is what lets the connection live on for the next turn.
            while await exchange.tail():
                pass
        except ProviderError as error:
            traced.failed(error)
            raise
        finally:
            traced.end()
            await exchange.close()

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            raise LocalError(f"language model {self.name!r} was not started")
        return self._http

    async def _ask(self, exchange: Exchange, request: LlmRequest) -> None:
        """Send the request until an event stream is the answer: twice where token counts are not known."""
        url = f"{self._config.base_url.rstrip('/')}/chat/completions"
        while True:
            asked_usage = self._ask_usage
            response = await exchange.send(url, encode_request(self._config, request, ask_usage=asked_usage))
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status_code == 200 and kind == "text/event-stream":
                return
            if response.status_code == 200:
                message = f"answered with {kind or 'no content type'} instead of an event stream"
                raise ProviderError(self.name, message, retryable=False)
            body = await exchange.refusal_body()
            if not (asked_usage and refuses_usage(response.status_code, body)):
                retry_after = response.headers.get("retry-after", "")
                raise refusal(self.name, response.status_code, retry_after, body, wall_s=self._clock.wall())
            log.info("language model %s reports no token counts", self.name)
            self._ask_usage = False

    def _events(
        self, piece: bytes, decoder: SseDecoder, answer: ChatAnswer, patience: Patience
    ) -> Iterator[LlmEvent]:
        if not piece:
            yield from answer.end()
            return
        try:
            chunks = decoder.feed(piece)
        except RemoteProtocolError as error:
            raise ProviderError(self.name, str(error), retryable=True) from error
        for data in chunks:
            events = answer.take(data)
            patience.progressed(spoke=any(isinstance(event, TextDelta | ToolCallRequested) for event in events))
            yield from events
