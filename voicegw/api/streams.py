"""Carrying live events to one watcher, whatever the transport: heartbeats, rights, farewells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from voicegw.api.access import Visitor, principal_of
from voicegw.api.event_ring import LiveEvent
from voicegw.api.events_stream import Watcher
from voicegw.api.parts import Parts
from voicegw.api.permissions import Permission
from voicegw.base.ids import CallId

HEARTBEAT_S = 15.0
"""Silence on a stream is broken this often."""
RIGHTS_S = 10.0
"""Rights of a watcher are looked at again this often, at the next event or heartbeat."""
SEND_S = 20.0
"""A watcher that takes nothing for so long is gone."""
_GAP = "events between the one you named and now are gone: read the snapshot"


async def pump(
    parts: Parts,
    visitor: Visitor,
    call_id: str | None,
    after: str | None,
    send: Callable[[list[LiveEvent]], Awaitable[None]],
    tell: Callable[[str, str], Awaitable[None]],
    gone: asyncio.Task[None],
) -> None:
    """Events to one watcher until they leave, fall behind, lose the right to watch, or the server stops."""
    watcher, lost = parts.hub.watch(visitor.who.scope, CallId(call_id) if call_id else None, after)
    gone.add_done_callback(lambda _task: watcher.end("left"))
    try:
        if lost:
            await tell("gap", _GAP)
        looked_at = parts.clock.monotonic()
        while not watcher.reason:
            events = await watcher.next(HEARTBEAT_S)
            async with asyncio.timeout(SEND_S):
                await send(events)
            if parts.clock.monotonic() - looked_at >= RIGHTS_S:
                looked_at = parts.clock.monotonic()
                await _look_at_rights(parts, visitor, watcher)
        if not gone.done():
            async with asyncio.timeout(SEND_S):
                await tell("end", watcher.reason)
    except TimeoutError:
        parts.counters.add("api_watchers_dropped")
    finally:
        parts.hub.leave(watcher)


class SseStream(Response):
    """A stream of server-sent events, which notices both a watcher who left and one who takes nothing."""

    media_type = "text/event-stream"

    def __init__(self, parts: Parts, visitor: Visitor, call_id: str | None, after: str | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._parts = parts
        self._visitor = visitor
        self._call_id = call_id
        self._after = after

    async def __call__(self, _scope: AsgiScope, receive: Receive, send: Send) -> None:
        """The ASGI application of this one answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def write(body: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        async def send_events(events: list[LiveEvent]) -> None:
            await write(b"".join(event.frame for event in events) or b": still here\n\n")

        async def tell(name: str, reason: str) -> None:
            await write(f"event: {name}\ndata: {msgspec.json.encode(reason).decode()}\n\n".encode())

        gone = asyncio.create_task(_until_left(receive))
        try:
            await write(b"retry: 2000\n\n")
            await pump(self._parts, self._visitor, self._call_id, self._after, send_events, tell, gone)
            if not gone.done():
                await write(b"", more=False)
        finally:
            gone.cancel()


async def _look_at_rights(parts: Parts, visitor: Visitor, watcher: Watcher) -> None:
    """What a watcher may see follows their rights; whose session is over, or whose key is revoked, sees no more."""
    principal = await principal_of(visitor.secret, parts)
    if principal is None or not principal.may(Permission.LIVE):
        watcher.end("you may not watch any more")
    else:
        watcher.scope = principal.scope


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
