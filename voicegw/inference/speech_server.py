"""Speech servers behind an OpenAI-compatible API: the address, the key, the patience, and what refusals mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from voicegw.base.errors import ConfigError, ProviderError
from voicegw.inference.server_address import ServerAddress, api_key
from voicegw.ports.tracing import Work, WorkKind, begin_work

_EXCERPT = 200
_KEEPALIVE_S = 60.0
"""Longer than a pause between two turns, so that the next turn need not connect again."""
_MAX_CONNECTIONS = 200
"""Requests under way at once; one a call."""
_TRY_AGAIN = frozenset({408, 409, 425, 429})


def make_client(
    provider: str, address: ServerAddress, environ: Mapping[str, str] = os.environ
) -> httpx.AsyncClient:
    """A client for all calls of a node, without a time limit of its own but that for connecting.

    Raises ConfigError without an address, or without the key that the configuration promises.
    """
    if not address.base_url:
        raise ConfigError(f"{provider}: no base_url", fix="give it the address of the server, with /v1")
    headers = {"Accept-Encoding": "identity"}
    if address.api_key_env:
        headers["Authorization"] = f"Bearer {api_key(provider, address.api_key_env, environ)}"
    return httpx.AsyncClient(
        base_url=address.base_url.rstrip("/") + "/",
        headers=headers,
        limits=httpx.Limits(
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_S,
        ),
        timeout=httpx.Timeout(None, connect=address.connect_timeout_s, pool=address.connect_timeout_s),
        follow_redirects=False,
    )


@contextmanager
def asking(address: ServerAddress) -> Iterator[Work]:
    """A request to such a server as work for the call that it is made for; it has to carry the work's headers."""
    host = urlsplit(address.base_url).hostname or ""
    work = begin_work("POST", WorkKind.ELSEWHERE, {"http.request.method": "POST", "server.address": host})
    try:
        yield work
    except (ProviderError, httpx.HTTPError, TimeoutError) as error:
        work.failed(type(error).__name__)
        raise
    finally:
        work.end()


def refusal(provider: str, response: httpx.Response, body: bytes) -> ProviderError:
    """The error for an answer that is not 200: worth another try if the server is ill, not if it objects."""
    text = " ".join(body.decode("utf-8", "replace").split())[:_EXCERPT]
    retryable = response.status_code >= 500 or response.status_code in _TRY_AGAIN
    return ProviderError(provider, f"HTTP {response.status_code}: {text}".rstrip(": "), retryable=retryable)


def broken(provider: str, error: httpx.HTTPError | UnicodeError) -> ProviderError:
    """The error for an answer that did not come, or broke off."""
    return ProviderError(provider, str(error) or type(error).__name__, retryable=True)
