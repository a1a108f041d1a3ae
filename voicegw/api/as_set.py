"""Layers around the application that a setting makes, as it is when a request comes."""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from voicegw.api.config import ApiConfig

_Names = tuple[str, ...]


class AsSet:
    """Pure ASGI: a layer, made of what ``named`` finds in the settings; none while that is nothing."""

    def __init__(
        self, app: ASGIApp, named: Callable[[ApiConfig], _Names], make: Callable[[ASGIApp, _Names], ASGIApp]
    ) -> None:
        self._app = self._layer = app
        self._named = named
        self._make = make
        self._names: _Names = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        names = self._named(scope["app"].state.parts.config)
        if names != self._names:
            self._names, self._layer = names, self._make(self._app, names) if names else self._app
        await self._layer(scope, receive, send)


def foreign_pages(app: ASGIApp, origins: _Names) -> ASGIApp:
    """Pages of these origins may use the API with a bearer token."""
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["*"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"],
        expose_headers=["ETag", "Location", "Retry-After"],
    )


def behind_proxies(app: ASGIApp, proxies: _Names) -> ASGIApp:
    """These are believed whose request they pass on, and whether it came to them by TLS."""
    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))  # type: ignore[arg-type,return-value]
