"""A Redis server of our own, for tests: on loopback, in memory only, gone with the test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from types import TracebackType
from typing import Self

from voicegw.testing.ports import free_port

_START_S = 60.0
_POLL_S = 0.01


class RedisServer:
    """Entering starts it; leaving stops it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of its only database."""
        return f"redis://{self._host}:{self.port}/0"

    def start(self) -> None:
        """Start it with nothing in it; returns when it takes connections."""
        program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
        assert program, "redis-server is missing: scripts/test installs it"
        options = ["--bind", self._host, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([program, *options], stdin=quiet, stdout=quiet, stderr=quiet, cwd="/")
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert self._process.poll() is None, f"redis-server ended with {self._process.poll()}"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Kill it: nothing is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self._host, self.port), 1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
