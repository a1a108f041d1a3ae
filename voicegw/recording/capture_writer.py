"""Writes the packet captures of a media worker, without ever making its tick wait for a disk.

The tick appends to a queue that is bounded in bytes; one thread empties it a few times a second, as
:mod:`voicegw.recording.writer` does for recordings. SIP comes by way of the gateway and is a little older than the
audio beside it, so the newest packets are held back for a moment and written in the order of their times.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.base.pcap import HEADER, record
from voicegw.ports.capture import CaptureBegun, CapturedPacket, CaptureOver, CaptureReport
from voicegw.recording.part_file import PartFile, PlainPart
from voicegw.recording.quota import DiskQuota, QuotaExceeded

SUFFIX: Final = ".pcap"
_HELD_US: Final = 250_000
_OVERHEAD: Final = 200
"""Bytes in memory of a packet besides its data, roughly."""


class _Start(NamedTuple):
    call_id: CallId
    path: str
    max_bytes: int
    max_s: float


class _Packet(NamedTuple):
    call_id: CallId
    packet: CapturedPacket


class _Stop(NamedTuple):
    call_id: CallId
    discard: bool
    reason: str
    dropped: int


@dataclass(slots=True)
class _Capture:
    wish: str
    part: PartFile
    max_bytes: int
    due: float
    """When it has lasted long enough, monotonic seconds."""
    pending: list[CapturedPacket] = field(default_factory=list)
    packets: int = 0
    size: int = len(HEADER)


class CaptureWriter:
    """Captures of several calls. All methods but :meth:`close` return at once and raise no OSError.

    ``queue_bytes`` bounds the memory. ``open_part`` makes the file of a path, sealed or not; ``quota`` says when
    there is no room for captures. The thread begins with the first capture.
    """

    def __init__(
        self,
        queue_bytes: int = 4_000_000,
        *,
        drain_interval_s: float = 0.25,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        open_part: Callable[[str], PartFile] = PlainPart,
        quota: DiskQuota | None = None,
    ) -> None:
        self._limit = queue_bytes
        self._interval_s = drain_interval_s
        self._monotonic = monotonic
        self._wall = wall
        self._open_part = open_part
        self._quota = quota or DiskQuota()
        self._queue: deque[_Start | _Packet | _Stop] = deque()
        self._outbox: deque[CaptureReport] = deque()
        self._running: dict[CallId, str] = {}  # of the tick: the captures that run, as far as it knows
        self._dropped: dict[CallId, int] = {}
        self._put = 0  # bytes, written by the tick alone
        self._taken = 0  # bytes, written by the thread alone
        self._captures: dict[CallId, _Capture] = {}  # of the thread
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------ the tick's side

    def start(self, call_id: CallId, path: str, max_bytes: int, max_s: float) -> bool:
        """See :meth:`voicegw.ports.capture.PacketSink.start`."""
        if call_id in self._running:
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="capture-writer", daemon=True)
            self._thread.start()
        self._running[call_id], self._dropped[call_id] = path, 0
        self._queue.append(_Start(call_id, path, max_bytes, max_s))
        return True

    def add(self, call_id: CallId, packet: CapturedPacket) -> bool:
        """See :meth:`voicegw.ports.capture.PacketSink.add`; for a call that is not captured nothing happens."""
        dropped = self._dropped.get(call_id)
        if dropped is None:
            return True
        if self._put - self._taken >= self._limit:
            self._dropped[call_id] = dropped + 1
            return False
        self._queue.append(_Packet(call_id, packet))
        self._put += len(packet.data) + _OVERHEAD
        return True

    def stop(self, call_id: CallId, *, discard: bool = False, reason: str = "it was stopped") -> None:
        """See :meth:`voicegw.ports.capture.PacketSink.stop`."""
        if self._running.pop(call_id, None) is not None:
            dropped = self._dropped.pop(call_id)
            self._queue.append(_Stop(call_id, discard, reason, dropped))

    def poll(self) -> list[CaptureReport]:
        """See :meth:`voicegw.ports.capture.PacketSink.poll`; it also learns which captures ended by themselves."""
        reports = []
        while self._outbox:
            report = self._outbox.popleft()
            if isinstance(report, CaptureOver) and self._running.get(report.call_id) == report.wish:
                del self._running[report.call_id], self._dropped[report.call_id]
            reports.append(report)
        return reports

    def close(self) -> None:
        """Finish all files and wait until that is done; :meth:`poll` still tells how they ended."""
        for call_id in list(self._running):
            self.stop(call_id, reason="the media worker ended")
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    # ------------------------------------------------------------ the thread's side

    def _run(self) -> None:
        while not self._closing.wait(self._interval_s):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        for _ in range(len(self._queue)):
            item = self._queue.popleft()
            match item:
                case _Start():
                    self._open(item)
                case _Packet(call_id, packet):
                    self._taken += len(packet.data) + _OVERHEAD
                    if call_id in self._captures:
                        self._captures[call_id].pending.append(packet)
                case _Stop():
                    self._stopped(item)
        until = round(self._wall() * 1_000_000) - _HELD_US
        for call_id, capture in list(self._captures.items()):
            reason = self._write(capture, until)
            if reason:
                self._end(call_id, capture, reason)

    def _open(self, start: _Start) -> None:
        try:
            Path(start.path).parent.mkdir(parents=True, exist_ok=True)
            self._check_quota(start.path)
            part = self._open_part(start.path)
        except (OSError, ValueError, LocalError) as error:  # ValueError: a NUL in the path
            self._outbox.append(CaptureOver(start.call_id, start.path, "", 0, 0, 0, str(error)))
            return
        capture = _Capture(start.path, part, start.max_bytes, self._monotonic() + start.max_s)
        try:
            part.write(HEADER)
        except OSError as error:
            self._end(start.call_id, capture, str(error))
            return
        self._captures[start.call_id] = capture
        self._outbox.append(CaptureBegun(start.call_id, part.path))

    def _stopped(self, stop: _Stop) -> None:
        capture = self._captures.get(stop.call_id)
        if capture is None:
            return
        if stop.discard:
            self._discard(stop.call_id, capture, stop.reason)
            return
        reason = self._write(capture, None)
        self._end(stop.call_id, capture, reason or stop.reason, stop.dropped)

    def _write(self, capture: _Capture, until_us: int | None) -> str:
        """What is older than that, or all; why the capture is over, or nothing."""
        pending = capture.pending
        pending.sort(key=lambda packet: packet.wall_us)
        ready = [packet for packet in pending if until_us is None or packet.wall_us <= until_us]
        capture.pending = pending[len(ready) :]
        made: list[bytes] = []
        reason = "it had lasted as long as it may" if self._monotonic() >= capture.due else ""
        for wall_us, source, target, data, size in ready:
            one = record(wall_us, source, target, data, size)
            if capture.size + len(one) > capture.max_bytes:
                reason = "it had become as large as it may"
                break
            capture.size += len(one)
            capture.packets += bool(one)
            made.append(one)
        try:
            if made:
                self._check_quota(capture.part.path)
                capture.part.write(b"".join(made))
        except OSError as error:
            return str(error)
        return reason

    def _check_quota(self, path: str) -> None:
        if why := self._quota.refusal(path):
            raise QuotaExceeded(why)

    def _end(self, call_id: CallId, capture: _Capture, reason: str, dropped: int = -1) -> None:
        self._captures.pop(call_id, None)
        dropped = self._dropped.get(call_id, 0) if dropped < 0 else dropped
        path = capture.part.path
        try:
            capture.part.finish(sync=True)
        except OSError as error:  # the .part file stays, and the next start finishes it
            reason = f"{reason}; {error}"
        over = CaptureOver(call_id, capture.wish, path, capture.packets, capture.size, dropped, reason)
        self._outbox.append(over)

    def _discard(self, call_id: CallId, capture: _Capture, reason: str) -> None:
        self._captures.pop(call_id, None)
        try:
            capture.part.discard()
        except OSError as error:
            reason = f"it cannot be removed: {error}"
            self._outbox.append(CaptureOver(call_id, capture.wish, capture.part.path, 0, 0, 0, reason))
            return
        self._outbox.append(CaptureOver(call_id, capture.wish, "", 0, 0, 0, reason))
