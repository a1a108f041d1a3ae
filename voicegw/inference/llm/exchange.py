"""One HTTP request with a streamed answer, under time limits, every failure told as a ProviderError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx

from voicegw.base.errors import LocalError, ProviderError
from voicegw.inference.llm.patience import Patience

_TAIL_S = 0.25
"""How long, all in all, the rest of an answer is waited for whose words are all there; it comes soon or never."""
_MAX_REFUSAL_BYTES = 64 * 1024


class Exchange:
    """``provider`` is the name in errors, ``headers`` go with the request.

    Close it in any case; before the end that cancels the work.
    """

    def __init__(
        self, provider: str, client: httpx.AsyncClient, patience: Patience, headers: Mapping[str, str]
    ) -> None:
        self._provider = provider
        self._client = client
        self._patience = patience
        self._headers = headers
        self._response: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self._tail_s = _TAIL_S

    async def send(self, url: str, body: bytes) -> httpx.Response:
        """Post and wait for the head of the answer; raises :class:`~voicegw.base.errors.ProviderError`."""
        await self.close()
        try:
            try:
                response = await self._post(url, body)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A kept connection that the server closed at this very moment; the second try has a fresh one.
                response = await self._post(url, body)
        except TimeoutError:
            raise ProviderError(self._provider, self._patience.reason(), retryable=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            fixed = isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError))
            raise ProviderError(self._provider, f"{url}: {_text(error)}", retryable=not fixed) from error
        self._response = response
        self._pieces = response.aiter_bytes()
        self._tail_s = _TAIL_S
        return response

    async def piece(self) -> bytes:
        """More of the body as soon as there is more, empty at its end; raises ProviderError."""
        try:
            return await self._next(self._patience.left_s())
        except TimeoutError:
            raise ProviderError(self._provider, self._patience.reason(), retryable=True) from None
        except httpx.HTTPError as error:
            message = f"the connection broke in mid-answer: {_text(error)}"
            raise ProviderError(self._provider, message, retryable=True) from error

    async def tail(self) -> bytes:
        """Like :meth:`piece` when nothing is missing any more: a failure or a pause is an end, too."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            return await self._next(self._tail_s)
        except (TimeoutError, httpx.HTTPError):
            return b""
        finally:
            self._tail_s = max(0.0, self._tail_s - (loop.time() - begin))

    async def refusal_body(self) -> str:
        """The text of an answer that is an error."""
        body = bytearray()
        while len(body) < _MAX_REFUSAL_BYTES and (piece := await self.tail()):
            body += piece
        return body.decode("utf-8", "replace")

    async def close(self) -> None:
        """Give the connection back if the answer was read to its end, else close it."""
        if self._response is not None:
            await self._response.aclose()
            self._response = None

    async def _post(self, url: str, body: bytes) -> httpx.Response:
        request = self._client.build_request("POST", url, content=body, headers=self._headers)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            async with asyncio.timeout(self._patience.left_s()):
                return await self._client.send(request, stream=True)
        finally:
            self._patience.waited(loop.time() - begin)

    async def _next(self, limit_s: float) -> bytes:
        if self._pieces is None:
            raise LocalError("nothing was sent yet")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            async with asyncio.timeout(limit_s):
                return await anext(self._pieces, b"")
        finally:
            self._patience.waited(loop.time() - begin)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
