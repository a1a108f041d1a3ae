"""The loop of the media process around the engine: ticks on time, commands in, events out.

No asyncio: between two deadlines the process waits for commands only, so that nothing but the kernel's scheduler
can make a tick late. When the gateway's end of the socket closes, the process ends; it never outlives its owner.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from typing import Final

import msgspec

from voicegw.base.errors import LocalError
from voicegw.base.messages import FrameDecoder
from voicegw.media.clock import TickClock, TickLog
from voicegw.media.config import MediaConfig
from voicegw.media.departure import DepartureTime
from voicegw.media.engine import MediaEngine
from voicegw.media.messages import Command, WorkerReport, decode_command
from voicegw.media.outbox import Outbox
from voicegw.media.sweeping import Sweeper
from voicegw.media.tick_meter import TickMeter

_log = logging.getLogger(__name__)

_READ_BYTES: Final = 256 * 1024
_NICE: Final = -15
_FIFO_PRIORITY: Final = 10


class MediaWorker:
    """Runs an engine against the real clock."""

    def __init__(self, sock: socket.socket, engine: MediaEngine) -> None:
        """``sock`` is our end of the stream socket to the gateway; it is made non-blocking."""
        sock.setblocking(False)
        self._sock = sock
        self._engine = engine
        self._config = engine.config
        self._decoder = FrameDecoder()
        self._outbox = Outbox(sock, self._config.outbox_bytes, engine.counters)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._open = True
        self._sweeper = Sweeper()
        self._meter = TickMeter(engine.counters)
        self._departure = DepartureTime()
        self._due = self._waited_s = 0.0
        engine.before_departure = self._await_departure
        self._begin()

    def _begin(self) -> None:
        now = self._report_at = time.monotonic()
        self._clock = TickClock(now, self._config.catch_up_frames)
        self._ticks = TickLog(now)

    def run(self) -> None:
        """Until Shutdown or the end of the gateway."""
        Sweeper.begin()
        self._begin()
        try:
            while self._open and not self._engine.stopped:
                self._wait()
                self._tick()
        finally:
            self._engine.close()
            self._outbox.put(self._engine.take_events())
            self._outbox.flush()

    def _wait(self) -> None:
        """Handle commands until the deadline."""
        while self._open and not self._engine.stopped:
            left = self._clock.deadline - time.monotonic()
            if left <= 0:
                return
            # poll() counts in whole milliseconds: the rest is slept, so that it neither spins nor wakes up late.
            whole_ms = int(left * 1000)
            if whole_ms == 0:
                time.sleep(left)
                return
            if self._poll.poll(whole_ms):
                self._read()

    def _tick(self) -> None:
        began = time.monotonic()
        self._due, self._waited_s = self._clock.deadline, 0.0
        lateness = began - self._due
        lost = self._clock.advance(began)
        if lost:
            self._engine.skip_frames(lost)
            _log.warning("media ticks lost", extra={"frames": lost})
        if lateness > 0.02:
            self._read_now()
        self._engine.tick(began)
        self._outbox.put(self._engine.take_events())
        self._report(time.monotonic())
        self._open &= self._outbox.flush()
        busy = time.monotonic() - began - self._waited_s
        self._ticks.add(lateness, busy)
        self._meter.note(lateness, busy, self._engine.departed_at)
        self._sweeper.note(busy)

    def _await_departure(self) -> None:
        """The packets of the tick are ready. They leave when those of most ticks do."""
        ready = time.monotonic()
        self._departure.note(ready - self._due)
        left = self._due + self._departure.offset_s - ready
        if left > 0:
            time.sleep(left)
            self._waited_s = time.monotonic() - ready

    def _read_now(self) -> None:
        """A loop that is behind never waits: let commands in all the same."""
        if self._poll.poll(0):
            self._read()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._open = False
            return
        now = time.monotonic()
        for command in self._decode(data):
            self._engine.handle(command, now)
        if self._engine.config is not self._config:
            self._use(self._engine.config)
        # Whoever opens a leg waits for the answer: not until the next tick.
        self._outbox.put(self._engine.take_events())
        self._open &= self._outbox.flush()

    def _use(self, config: MediaConfig) -> None:
        self._config = config
        self._clock.catch_up_frames = config.catch_up_frames
        self._outbox.limit_bytes = config.outbox_bytes

    def _decode(self, data: bytes) -> list[Command]:
        """Commands in ``data``. One that cannot be read is counted; a torn stream cannot be mended: stop."""
        commands: list[Command] = []
        try:
            payloads = self._decoder.feed(data)
        except LocalError:
            _log.error("the command stream is broken")
            self._open = False
            return commands
        for payload in payloads:
            try:
                commands.append(decode_command(payload))
            except msgspec.MsgspecError:
                self._engine.counters.add("commands_malformed")
        return commands

    def _report(self, now: float) -> None:
        if now < self._report_at:
            return
        self._report_at = now + self._config.report_interval_ms / 1000
        summary, counters = self._ticks.take(now), self._engine.counters
        counters.add("ticks", summary.ticks)
        counters.add("late_ticks", summary.late)
        report = WorkerReport(
            at=now,
            ticks=summary.ticks,
            late_ticks=summary.late,
            worst_lateness_ms=summary.worst_lateness_ms,
            busy_ratio=summary.busy_ratio,
            legs=self._engine.legs,
            counters=counters.snapshot(),
            histograms=counters.histograms(),
            ports_free=self._engine.ports_free,
        )
        self._outbox.put([report])


def raise_priority() -> str:
    """Ask the kernel to run this process before others; best effort. Returns what was granted, for the log."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_FIFO_PRIORITY))
    except OSError:
        try:
            os.nice(_NICE)
        except OSError:
            return "none"
        return f"nice {_NICE}"
    return f"SCHED_FIFO {_FIFO_PRIORITY}"


def run_worker(sock: socket.socket, engine: MediaEngine) -> None:
    """The life of the media process, after its parts have been made."""
    _log.info("media worker runs", extra={"pid": os.getpid(), "priority": raise_priority()})
    MediaWorker(sock, engine).run()
    _log.info("media worker ends", extra={"pid": os.getpid()})
