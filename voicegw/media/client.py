"""The gateway's side of the media worker: start it, talk to it, notice its death, start another.

A worker is lost when its socket ends or when it has not reported for a second (a stalled one is killed). Its calls
are gone then: ``on_lost`` says so once for each worker, and legs that are being opened fail.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.base.messages import FrameDecoder, frame
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

_log = logging.getLogger(__name__)

_STALL_S: Final = 1.0
_START_S: Final = 20.0
"""A new worker imports numpy and loads the VAD model before its first report; slow disks exist."""
_CHECK_S: Final = 0.1
_RESTART_PAUSE_S: Final = 0.2
"""Between a death and the next start: a worker that dies at once must not spin."""
_STOP_S: Final = 3.0
_OPEN_S: Final = 2.0
_READ_BYTES: Final = 256 * 1024


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
        self._command_line = tuple(command_line)
        self._on_event = on_event
        self._on_lost = on_lost
        self._worker: _Worker | None = None
        self._opening: dict[LegId, asyncio.Future[int]] = {}
        self._supervisor: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.report: WorkerReport | None = None
        """The newest report of the present worker."""
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the present worker; None while there is none."""
        return self._worker.process.pid if self._worker else None

    async def start(self) -> None:
        """Start the worker and wait for its first report; raises LocalError when it does not come up."""
        self._supervisor = asyncio.create_task(self._supervise(), name="media supervisor")
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._supervisor}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            await self.close()
            raise LocalError("the media worker did not start; its reason is in the log")

    def send(self, command: Command) -> None:
        """Send one command; dropped when there is no worker, whose calls are lost anyway."""
        if self._worker is not None:
            self._worker.write(frame(encode(command)))

    async def open_leg(self, leg_id: LegId, call_id: CallId, local_ip: str) -> int:
        """Open a leg and return its RTP port; raises LocalError with the reason if the worker cannot."""
        if self._worker is None or not self._ready.is_set():
            raise LocalError("the media worker is being restarted")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._opening[leg_id] = future
        self.send(OpenLeg(leg_id, call_id, local_ip))
        try:
            return await asyncio.wait_for(future, _OPEN_S)
        except TimeoutError:
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
            if was_ready:
                self._on_lost(reason)
            elif not self.restarts:
                return
            self.restarts += 1
            await asyncio.sleep(_RESTART_PAUSE_S)

    async def _live(self) -> str:
        """The life of one worker; why it ended."""
        try:
            worker = self._worker = _Worker.spawn(self._command_line)
        except OSError as error:
            return f"it cannot be started: {error}"
        reason = await self._watch(worker)
        self._worker = self.report = None
        await worker.end(0.0)
        return reason

    async def _watch(self, worker: _Worker) -> str:
        """Read events until the worker is lost; why it was.

        The read is a task of its own and looked at from outside: a time limit around it (asyncio.wait_for) may
        swallow our own cancellation or the bytes that came in the same instant, depending on the Python version.
        """
        heard_at, patience = time.monotonic(), _START_S
        reading = asyncio.create_task(worker.reader.read(_READ_BYTES))
        try:
            while True:
                await asyncio.wait({reading}, timeout=_CHECK_S)
                if reading.done():
                    lost, reported = self._digest(worker, reading)
                    if lost:
                        return lost
                    if reported:
                        heard_at, patience = time.monotonic(), _STALL_S
                    reading = asyncio.create_task(worker.reader.read(_READ_BYTES))
                if time.monotonic() - heard_at > patience:
                    return f"no report for {patience:.0f} s"
        finally:
            reading.cancel()

    def _digest(self, worker: _Worker, reading: asyncio.Task[bytes]) -> tuple[str, bool]:
        """Take what was read: why the worker is lost (empty if it is not), and whether it has reported."""
        try:
            data = reading.result()
            if not data:
                return "the process ended", False
            return "", self._take(worker, data)
        except OSError as error:
            return f"its socket failed: {error}", False
        except (msgspec.MsgspecError, LocalError) as error:
            return f"unreadable event: {error}", False

    def _take(self, worker: _Worker, data: bytes) -> bool:
        """Hand out the events in ``data``; whether a report was among them."""
        reported = False
        for payload in worker.decoder.feed(data):
            event = decode_event(payload)
            match event:
                case LegOpened(leg_id, port) if leg_id in self._opening:
                    self._resolve(leg_id, port)
                case LegFailed(leg_id, reason) if leg_id in self._opening:
                    self._reject(leg_id, reason)
                case WorkerReport():
                    reported = True
                    self.report = event
                    self._ready.set()
                    self._on_event(event)
                case _:
                    self._on_event(event)
        return reported

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
        self.reader = _SocketReader(sock)

    @classmethod
    def spawn(cls, command_line: Sequence[str]) -> _Worker:
        """Start the process; it inherits its end of a socket pair and nothing else."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = subprocess.Popen(
                [*command_line, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the gateway's to handle: it drains, then says Shutdown
            )
        return cls(process, ours)

    def write(self, data: bytes) -> None:
        self.reader.write(data)

    async def end(self, grace_s: float) -> None:
        """Close the socket, which ends the process; kill it after ``grace_s`` and reap it."""
        self.reader.close()
        await asyncio.get_running_loop().run_in_executor(None, _reap, self.process, grace_s)


def _reap(process: subprocess.Popen[bytes], grace_s: float) -> None:
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _SocketReader:
    """Bytes in and out of a non-blocking socket on the running loop.

    Writing is synchronous with a buffer for what the socket does not take, so that commands keep their order and
    :meth:`MediaClient.send` needs no await.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()

    async def read(self, count: int) -> bytes:
        return await self._loop.sock_recv(self._sock, count)

    def write(self, data: bytes) -> None:
        waiting = bool(self._unsent)
        self._unsent += data
        if not waiting:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self._sock.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            self._loop.add_writer(self._sock, self._flush)
            return
        except OSError:
            self._unsent.clear()  # the reading side notices the end and says why
        self._loop.remove_writer(self._sock)

    def close(self) -> None:
        self._loop.remove_writer(self._sock)
        self._loop.remove_reader(self._sock)
        self._sock.close()
