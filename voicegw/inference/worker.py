"""The worker's side: a process that runs one kind of engine and talks over an inherited socket.

No asyncio here: engines compute, and a process that only computes needs nothing but a blocking receive. The
channel answers pings and notes closed streams whenever it looks at the socket, so an engine that looks between
two pieces of work is seen to be alive and stops in the middle of a job that nobody wants.
"""

from __future__ import annotations

import resource
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from voicegw.base.errors import ProviderError
from voicegw.base.heaps import give_back, keep_large_apart
from voicegw.base.ids import StreamId
from voicegw.base.messages import FrameDecoder, frame
from voicegw.inference.messages import (
    CloseStream,
    Command,
    Event,
    Message,
    OpenRecognition,
    Ping,
    Pong,
    PrepareModel,
    Synthesize,
    WorkerReady,
    WorkerRefused,
    decode_command,
    encode,
)

_RECEIVE_BYTES = 256 * 1024
_PAGE_KB = resource.getpagesize() // 1024
SWEEP_EVERY_S = 30.0
"""Engines make and drop models of many MB; what lies free between those that stay is given back so often."""
_OPENERS = (OpenRecognition, PrepareModel, Synthesize)


class ParentGone(Exception):
    """The gateway closed its end or died: the worker has nothing left to live for."""


class Engine(Protocol):
    """What a worker module provides."""

    def handle(self, command: Command) -> None:
        """Do one command; reports through the channel. Failures of a stream are StreamFailed, not exceptions."""
        ...

    def forget(self, stream_id: StreamId) -> None:
        """Drop what is kept for a closed stream, if anything."""
        ...


class WorkerChannel:
    """The worker's end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._decoder = FrameDecoder()
        self._commands: deque[Command] = deque()
        self._open: set[StreamId] = set()
        self._closed: set[StreamId] = set()
        self._sending = threading.Lock()

    def send(self, event: Event) -> None:
        """Report; blocks while the gateway is behind. Raises ParentGone. The only method for any thread."""
        self._send(event)

    def next(self) -> Command:
        """The next command, waiting for it. Raises ParentGone at the end of the stream."""
        self.look()
        while not self._commands:
            self._receive()
        return self._commands.popleft()

    def look(self) -> None:
        """Take in what has arrived, without waiting."""
        while select.select([self._socket], [], [], 0)[0]:
            self._receive()

    def is_closed(self, stream_id: StreamId) -> bool:
        """Whether the gateway has closed the stream. Looks at the socket first."""
        self.look()
        return stream_id in self._closed

    def ended(self, stream_id: StreamId) -> None:
        """The stream is done: forget its id, so that the tables stay as small as the load."""
        self._open.discard(stream_id)
        self._closed.discard(stream_id)

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def _send(self, message: Message) -> None:
        try:
            with self._sending:
                self._socket.sendall(frame(encode(message)))
        except OSError as error:
            raise ParentGone from error

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise ParentGone from error
        if not data:
            raise ParentGone
        for payload in self._decoder.feed(data):
            self._arrived(decode_command(payload))

    def _arrived(self, command: Command) -> None:
        if isinstance(command, Ping):
            self._send(Pong(command.number, _resident_kb()))
            return
        if isinstance(command, _OPENERS):
            self._open.add(command.stream_id)
        elif isinstance(command, CloseStream) and command.stream_id in self._open:
            self._closed.add(command.stream_id)
        self._commands.append(command)


def _resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_KB


def serve(channel: WorkerChannel, engine: Engine) -> None:
    """Run commands until the gateway is gone."""
    swept = time.monotonic()
    try:
        while True:
            _serve_one(channel, engine, channel.next())
            if time.monotonic() - swept >= SWEEP_EVERY_S:
                give_back()
                swept = time.monotonic()
    except ParentGone:
        return


def _serve_one(channel: WorkerChannel, engine: Engine, command: Command) -> None:
    if isinstance(command, CloseStream):
        engine.forget(command.stream_id)
        channel.ended(command.stream_id)
        return
    stream_id = getattr(command, "stream_id", None)
    if stream_id is None or not channel.is_closed(stream_id):
        engine.handle(command)


def main(load: Callable[[WorkerChannel, list[str]], tuple[Engine, WorkerReady]]) -> None:
    """Entry point of a worker module: ``python -m module FD [ARGUMENT...]``.

    Interrupts are the gateway's business: Ctrl-C in a terminal and a stop by systemd reach every process, and the
    gateway drains its calls, which need their workers. A worker ends with its socket.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    keep_large_apart()
    channel = WorkerChannel(socket.socket(fileno=int(sys.argv[1])))
    try:
        engine, ready = load(channel, sys.argv[2:])
    except ProviderError as error:
        channel.send(WorkerRefused(str(error)))
        return
    try:
        channel.send(ready)
    except ParentGone:
        return
    serve(channel, engine)
