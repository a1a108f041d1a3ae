"""Around every answer: headers that keep browsers careful, and a limit to what a request may carry."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voicegw.api.problems import ApiProblem, response

MAX_BODY_BYTES = 5_000_000
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Added where an answer does not say otherwise itself."""


class Guard:
    """Pure ASGI: streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > MAX_BODY_BYTES:
            too_long = ApiProblem(413, f"a request may carry {MAX_BODY_BYTES} bytes")
            await response(too_long)(scope, receive, _with_headers(send))
            return
        await self._app(scope, _Counted(receive), _with_headers(send))


class _Counted:
    """Cuts a body of undeclared length off at the limit."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY_BYTES

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise ApiProblem(413, f"a request may carry {MAX_BODY_BYTES} bytes")
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            given = {name.lower() for name, _ in headers}
            headers.extend(header for header in _HEADERS if header[0] not in given)
        await send(message)

    return sending


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
