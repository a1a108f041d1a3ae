"""Web requests for webhooks and tools, by httpx: pooled connections, hard limits on time and size."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from voicegw.base.errors import ProviderError
from voicegw.base.texts import whole
from voicegw.ports.http import HttpResponse
from voicegw.ports.tracing import Value, WorkKind, working


class HttpxClient:
    """The :class:`~voicegw.ports.http.HttpClient` of a node; one for all calls."""

    def __init__(self, max_body_bytes: int = 256 * 1024) -> None:
        # httpcore imports it at the first request, half a second in which the event loop would answer nobody.
        importlib.import_module("anyio._backends._asyncio")
        self.max_body_bytes = max_body_bytes
        self._client = httpx.AsyncClient(follow_redirects=False, limits=httpx.Limits(max_connections=100))

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        json_body: object | None,
        timeout_s: float,
    ) -> HttpResponse:
        """Send and wait for the whole answer. ``timeout_s`` bounds all of it, not each read as httpx's own does."""
        with working(method, WorkKind.ELSEWHERE, _told(method, url)) as work:
            answer = await self._bounded(method, url, {**headers, **work.headers}, json_body, timeout_s)
            work.tell("http.response.status_code", answer.status)
            if answer.status >= 400:
                work.failed(str(answer.status))
            return answer

    async def _bounded(
        self, method: str, url: str, headers: Mapping[str, str], json_body: object | None, timeout_s: float
    ) -> HttpResponse:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method, url, headers, json_body)
        except TimeoutError:
            raise ProviderError("webhook", f"no answer from {url} within {timeout_s} s", retryable=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise ProviderError("webhook", f"{url}: {reason}", retryable=True) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], json_body: object | None
    ) -> HttpResponse:
        sent = dict(headers)
        body: bytes | None = None
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("Content-Type", "application/json")
        async with self._client.stream(method, url, headers=sent, timeout=None, content=body) as response:
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > self.max_body_bytes:
                    message = f"{url}: the answer is longer than {self.max_body_bytes} bytes"
                    raise ProviderError("webhook", message, retryable=False)
            text = _readable(content, response.encoding or "utf-8")
            return HttpResponse(response.status_code, dict(response.headers), text)


def _readable(content: bytearray, encoding: str) -> str:
    """Python knows encodings that are none of texts, and some whose texts have halves of characters."""
    try:
        return whole(content.decode(encoding, "replace"))
    except (LookupError, UnicodeError):
        return content.decode("utf-8", "replace")


def _told(method: str, url: str) -> dict[str, Value]:
    """What a trace may know of a request: path and query have what the caller said."""
    told: dict[str, Value] = {"http.request.method": method}
    try:
        place = urlsplit(url)
        return told | {"url.scheme": place.scheme, "server.address": place.hostname or ""}
    except ValueError:  # no address at all: the request says so
        return told
