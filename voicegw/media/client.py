"""The gateway's side of the media worker: start it, talk to it, notice its death, start another.

A worker is lost when its socket ends or when it has not reported for a second (a stalled one is killed). Its calls
are gone then: ``on_lost`` says so once for each worker, and legs that are being opened fail.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.base.messages import FrameDecoder, frame
from voicegw.base.starvation import starved_s
from voicegw.base.tasks import kept_task
from voicegw.media.config import ONE_THREAD
from voicegw.media.messages import (
    Command,
    Event,
    LegFailed,
    LegOpened,
    OpenLeg,
    Shutdown,
    WorkerReport,
    decode_event,
    encode,
)
from voicegw.media.pipe import Pipe

_log = logging.getLogger(__name__)

_STALL_S: Final = 1.0
_LOOK_S: Final = 0.25
"""Between two looks whether it has reported."""
_START_S: Final = 60.0
"""A new worker imports numpy, loads the VAD model and may compile a codec before its first report."""
_RESTART_PAUSE_S: Final = 0.2
"""Between a death and the next start: a worker that dies at once must not spin."""
_STOP_S: Final = 3.0
_OPEN_S: Final = 2.0


class Silence:
    """How long a worker has been silent, in looks that found no news.

    A look that comes late counts for no more than one in time: where our own loop stood still, most likely the
    whole machine did, and the worker could not report either. What the worker waited for a processor does not count
    at all. By the clock it would be killed for either, and its calls moved to one that has no processor either.
    """

    def __init__(self, heard_at: float, starved_s: float = 0.0) -> None:
        self._heard_at = heard_at
        self._starved_s = starved_s
        self._silent_s = 0.0

    def look(self, heard_at: float, starved_s: float = 0.0) -> float:
        """Seconds of silence; ``heard_at`` is when the worker last reported, by any clock that goes on.

        ``starved_s`` is how long it has waited for a processor since its beginning.
        """
        excused, self._starved_s = starved_s - self._starved_s, starved_s
        self._silent_s = self._silent_s + max(_LOOK_S - excused, 0.0) if heard_at == self._heard_at else 0.0
        self._heard_at = heard_at
        return self._silent_s


class MediaClient:
    """One media worker at a time. Not thread-safe: use it from one event loop."""

    def __init__(
        self,
        command_line: Sequence[str],
        on_event: Callable[[Event], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """``command_line`` starts a worker; ``--fd N`` is appended, its end of the socket.

        ``on_event`` gets every event but the answers to :meth:`open_leg`; ``on_lost`` gets a reason for people.
        """
        self.command_line = tuple(command_line)
        """May be changed, for a worker that starts later."""
        self._on_event = on_event
        self._on_lost = on_lost
        self._worker: _Worker | None = None
        self._opening: dict[LegId, asyncio.Future[int]] = {}
        self._supervisor: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.heard_at = 0.0
        """When the present worker, or the last one, last reported; monotonic seconds."""
        self.report: WorkerReport | None = None
        """The newest report of the present worker."""
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """Whether it can open legs."""
        return self._worker is not None and self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """Process id of the present worker; None while there is none."""
        return self._worker.process.pid if self._worker else None

    async def start(self) -> None:
        """Start the worker and wait for its first report; raises LocalError when it does not come up."""
        self._supervisor = kept_task(self._supervise, "media supervisor")
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._supervisor}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            await self.close()
            raise LocalError("the media worker did not start; its reason is in the log")

    def send(self, command: Command) -> None:
        """Send one command, with all others of this turn of the loop; dropped when there is no worker, whose calls
        are lost anyway."""
        if self._worker is not None:
            self._worker.write(frame(encode(command)))

    async def open_leg(self, leg_id: LegId, call_id: CallId, local_ip: str) -> int:
        """Open a leg and return its RTP port; raises LocalError with the reason if the worker cannot."""
        if not self.ready:
            raise LocalError("the media worker is being restarted")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._opening[leg_id] = future
        self.send(OpenLeg(leg_id, call_id, local_ip))
        try:
            async with asyncio.timeout(_OPEN_S):
                return await future
        except TimeoutError:
            if not future.cancelled():  # it answered in that very moment
                return future.result()
            raise LocalError("the media worker does not answer") from None
        finally:
            self._opening.pop(leg_id, None)

    async def close(self) -> None:
        """Shut the worker down and wait for its end; kills it if it takes too long."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.write(frame(encode(Shutdown())))
            await worker.end(_STOP_S)
        self._fail_opening("the media worker was shut down")

    async def _supervise(self) -> None:
        """Keep one worker alive; gives up only if the very first one does not come up."""
        while True:
            reason = await self._live()
            was_ready = self._ready.is_set()
            self._ready.clear()
            _log.error("media worker lost", extra={"reason": reason})
            self._fail_opening(reason)
            if not was_ready and not self.restarts:
                return
            self.restarts += 1
            if was_ready:
                self._on_lost(reason)
            await asyncio.sleep(_RESTART_PAUSE_S)

    async def _live(self) -> str:
        """The life of one worker; why it ended."""
        try:
            worker = self._worker = _Worker.spawn(self.command_line)
        except OSError as error:
            return f"it cannot be started: {error}"
        reason = await self._watch(worker)
        self._worker = self.report = None
        await worker.end(0.0)
        return reason

    async def _watch(self, worker: _Worker) -> str:
        """Hand out events until the worker is lost; why it was."""
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.heard_at = time.monotonic()
        worker.pipe.listen(lambda data: self._digest(worker, data, lost), lambda reason: _settle(lost, reason))
        silence = Silence(self.heard_at)
        while True:
            await asyncio.wait({lost}, timeout=_LOOK_S)
            if lost.done():
                return lost.result()
            silent_s = silence.look(self.heard_at, starved_s(worker.process.pid))
            patience = _STALL_S if self._ready.is_set() else _START_S
            if silent_s >= patience:
                return f"no report for {patience:.0f} s"

    def _digest(self, worker: _Worker, data: bytes, lost: asyncio.Future[str]) -> None:
        """Hand out the events in ``data``; a worker that talks nonsense is lost."""
        try:
            for payload in worker.decoder.feed(data):
                self._take(decode_event(payload))
        except (msgspec.MsgspecError, LocalError) as error:
            _settle(lost, f"unreadable event: {error}")

    def _take(self, event: Event) -> None:
        match event:
            case LegOpened(leg_id, port) if self._is_awaited(leg_id):
                self._resolve(leg_id, port)
            case LegFailed(leg_id, reason) if self._is_awaited(leg_id):
                self._reject(leg_id, reason)
            case WorkerReport():
                self.heard_at = time.monotonic()
                self.report = event
                self._ready.set()
                self._on_event(event)
            case _:
                self._on_event(event)

    def _is_awaited(self, leg_id: LegId) -> bool:
        """Not by those whose patience has just ended: they do not know yet, and nobody would close their leg."""
        future = self._opening.get(leg_id)
        return future is not None and not future.done()

    def _resolve(self, leg_id: LegId, port: int) -> None:
        future = self._opening.pop(leg_id)
        if not future.done():
            future.set_result(port)

    def _reject(self, leg_id: LegId, reason: str) -> None:
        future = self._opening.pop(leg_id)
        if not future.done():
            future.set_exception(LocalError(reason))

    def _fail_opening(self, reason: str) -> None:
        for leg_id in list(self._opening):
            self._reject(leg_id, reason)


class _Worker:
    """One process and our end of its socket."""

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket) -> None:
        self.process = process
        self.decoder = FrameDecoder()
        self.pipe = Pipe(sock)

    @classmethod
    def spawn(cls, command_line: Sequence[str]) -> _Worker:
        """Start the process; it inherits its end of a socket pair and nothing else."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [*command_line, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD},
                start_new_session=True,  # Ctrl-C is the gateway's to handle: it drains, then says Shutdown
            )
        return cls(process, ours)

    def write(self, data: bytes) -> None:
        """Send frames."""
        self.pipe.write(data)

    async def end(self, grace_s: float) -> None:
        """Close the socket, which ends the process; kill it after ``grace_s`` and reap it."""
        self.pipe.close()
        await asyncio.get_running_loop().run_in_executor(None, _reap, self.process, grace_s)


def _reap(process: subprocess.Popen[bytes], grace_s: float) -> None:
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _settle(lost: asyncio.Future[str], reason: str) -> None:
    """The first reason counts."""
    if not lost.done():
        lost.set_result(reason)
