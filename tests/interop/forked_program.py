"""A program of the tests' own that reads lines and answers each with one, as a fork of who has its imports already.

A fresh interpreter spends a second of CPU or two on numpy or httpx before it says its first word.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.forked_server import FORKS
from tests.interop.forked_workers import fork_workers
from tests.interop.namespace import Inside, Namespace

_STOP_S = 30.0


class ForkedProgram:
    """``MODULE.main(*args)``. Leaving the ``with`` block ends its standard input, and waits for its end."""

    def __init__(
        self, module: str, *args: str, namespace: Namespace | None = None, log: Path | None = None
    ) -> None:
        """``log``: where its standard error goes; None: where that of the test goes."""
        mine, its = socket.socketpair()
        inside = namespace.inside if namespace is not None else None
        self._process = FORKS.Process(target=_run, args=(module, args, inside, its, log))
        self._process.start()
        its.close()
        self._socket = mine
        self._answers = mine.makefile("r", encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def ask(self, line: str) -> str:
        """Its answer, without the end of the line; an empty one when it has ended."""
        self._socket.sendall(f"{line}\n".encode())
        return self.read()

    def read(self) -> str:
        """What it says by itself, such as that it is ready."""
        return self._answers.readline().rstrip("\n")

    def close(self) -> None:
        """A program that does not end by itself is killed, and fails the test."""
        self._socket.shutdown(socket.SHUT_WR)
        self._process.join(_STOP_S)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            self._process.join()
        self._answers.close()
        self._socket.close()
        assert status == 0, f"it ended with {status}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _run(module: str, args: tuple[str, ...], inside: Inside | None, line: socket.socket, log: Path | None) -> None:
    """In the fork: become what an interpreter of its own would be."""
    os.setsid()
    for number in (0, 1):
        os.dup2(line.fileno(), number)
    line.close()
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - until the end
    if log is not None:
        with log.open("ab") as complaints:
            os.dup2(complaints.fileno(), 2)
    if inside is not None:
        inside.join()
    fork_workers()
    importlib.import_module(module).main(*args)
    sys.stdout.flush()
