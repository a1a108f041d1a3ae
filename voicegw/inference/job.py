"""One job of a worker pool, as its owner in the gateway sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from voicegw.base.ids import StreamId
from voicegw.inference.messages import CloseStream, Command, StreamEnded, StreamEvent, StreamFailed, TextFinal

_LAST = (TextFinal, StreamEnded, StreamFailed)


class Job:
    """Commands in, events out. Never blocks and never raises for a dead worker: that is a StreamFailed event.

    Commands sent while no worker is alive are kept and go to the next one that starts.
    """

    def __init__(self, stream_id: StreamId, opened_at: float, released: Callable[[Job], None]) -> None:
        self.stream_id = stream_id
        self.opened_at = opened_at
        self.waiting_since: float | None = None
        """When the owner began to wait for a result; None while there is nothing to wait for."""
        self._released = released
        self._write: Callable[[Command], None] | None = None
        self._backlog: list[Command] = []
        self._events: asyncio.Queue[StreamEvent | None] = asyncio.Queue()
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the job has ended, failed or been closed."""
        return self._over

    def attach(self, write: Callable[[Command], None]) -> None:
        """Give the job its worker; what was kept goes out first."""
        self._write = write
        for command in self._backlog:
            write(command)
        self._backlog.clear()

    def send(self, command: Command) -> None:
        """Pass a command to the worker; nothing happens once the job is over."""
        if self._over:
            return
        if self._write is None:
            self._backlog.append(command)
        else:
            self._write(command)

    def deliver(self, event: StreamEvent) -> None:
        """An event of the worker, or a failure that the pool noticed."""
        if self._over:
            return
        self._events.put_nowait(event)
        if isinstance(event, _LAST):
            self._end()

    def close(self) -> None:
        """Nobody wants the rest: nothing more is yielded, and the worker is told."""
        if not self._over:
            self.send(CloseStream(self.stream_id))
            self._end()
        while not self._events.empty():
            self._events.get_nowait()
        self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Events up to the last one of the job."""
        while (event := await self._events.get()) is not None:
            yield event
            if isinstance(event, _LAST):
                return

    def _end(self) -> None:
        self._over = True
        self._write = None
        self._backlog.clear()
        self._released(self)
