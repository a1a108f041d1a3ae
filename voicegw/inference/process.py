"""One worker process, seen from the gateway's event loop: start, talk, kill."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from voicegw.base.errors import LocalError
from voicegw.base.ids import StreamId
from voicegw.base.messages import FrameDecoder, frame
from voicegw.base.precedence import give_way
from voicegw.inference.backlog import Backlog
from voicegw.inference.job import Job
from voicegw.inference.messages import Command, Event, decode_event, encode

_RECEIVE_BYTES = 256 * 1024
MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Four minutes of telephone audio: a worker so far behind will not catch up."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What to run: ``python -m module FD *arguments``."""

    module: str
    arguments: tuple[str, ...] = ()


class WorkerProcess:
    """A running worker and the jobs on it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        started_at: float,
    ) -> None:
        self.started_at = started_at
        self.jobs: dict[StreamId, Job] = {}
        self.ready = False
        self.retiring = False
        self.progress_at = started_at
        """When the last event that was not a Pong arrived."""
        self.ping_sent_at: float | None = None
        """When the ping went out that is not answered yet."""
        self.starved_s = 0.0
        """How long it had waited for a processor when we last looked."""
        self.backlog = Backlog()
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, spec: WorkerSpec, now: float) -> WorkerProcess:
        """Start a worker, which runs behind us. Raises OSError if the machine has no process or descriptor left."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                spec.module,
                str(theirs.fileno()),
                *spec.arguments,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        give_way(process.pid)
        return cls(process, reader, writer, now)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def behind(self) -> bool:
        """Whether the worker has stopped reading."""
        return self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES

    @property
    def waits(self) -> list[float]:
        """Since when somebody waits, for each result that somebody waits for."""
        return [job.waiting_since for job in self.jobs.values() if job.waiting_since is not None]

    def excuse(self, seconds: float) -> None:
        """In this time nothing could be expected of it: all that is waited for began so much later."""
        self.started_at += seconds
        self.progress_at += seconds
        if self.ping_sent_at is not None:
            self.ping_sent_at += seconds
        for job in self.jobs.values():
            if job.waiting_since is not None:
                job.waiting_since += seconds

    def write(self, command: Command) -> None:
        """Send without waiting; a worker that is gone is noticed by the reader."""
        if not self._writer.is_closing():
            self._writer.write(frame(encode(command)))

    async def events(self) -> AsyncIterator[Event]:
        """Everything it says until it closes its end."""
        decoder = FrameDecoder()
        with contextlib.suppress(ConnectionError, LocalError, msgspec.DecodeError):  # a torn frame is a dead worker
            while data := await self._reader.read(_RECEIVE_BYTES):
                for payload in decoder.feed(data):
                    yield decode_event(payload)

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self, within_s: float = 1.0) -> None:
        """Close the socket, which ends a healthy worker, and kill one that stays. Reaps the process."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


def least_loaded(processes: Sequence[WorkerProcess]) -> WorkerProcess | None:
    """The process with the fewest jobs that takes new ones; a loaded engine before one that is still loading."""
    open_ones = [p for p in processes if not p.retiring]
    return min(open_ones, key=lambda p: (not p.ready, len(p.jobs)), default=None)
