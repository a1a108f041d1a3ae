"""Start and stop the programs that a test needs, always by their pid, and keep what they wrote."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.interop.namespace import Namespace
from voicegw.base.starvation import starved_s

STOP_S = 30.0
"""How long a program may take to end after SIGTERM before it is killed."""


class Child(Protocol):
    """What is asked of a running program: :class:`subprocess.Popen`, or what stands for it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: signal.Signals) -> None: ...

    def kill(self) -> None: ...


class Process:
    """One running program. Leaving the ``with`` block stops it; ``output`` is all it wrote so far."""

    def __init__(
        self,
        args: list[str],
        log: Path,
        *,
        namespace: Namespace | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.args = namespace.command(args) if namespace else args
        self.log = log
        with log.open("wb") as output:
            self._popen: Child = subprocess.Popen(
                self.args,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | (env or {}),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, timeout_s: float) -> int:
        """The exit status; a program that is still running after ``timeout_s`` is killed and fails the test."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.args[0]} still ran after {timeout_s} s:\n{self.output}") from None

    def wait_listening(self, port: int, within_s: float = 60.0) -> None:
        """Until it, or anybody in its network, takes connections by TCP over IPv4 at ``port``."""
        deadline = time.monotonic() + within_s
        looked_for = re.compile(rf":{port:04X} [0-9A-F]+:0000 0A ")
        while not looked_for.search(Path(f"/proc/{self.pid}/net/tcp").read_text()):
            assert self.running and time.monotonic() < deadline, f"nobody listens at {port}:\n{self.output}"
            time.sleep(0.05)

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout_s: float = STOP_S) -> int:
        """Ask the program to end and return its exit status (negative: the signal that ended it)."""
        if self.running:
            self._popen.send_signal(sig)
        return self.wait(timeout_s)

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.stop()


class Peer:
    """A program that a test talks with. Leaving the block stops it, and shows what it wrote after a failure."""

    process: Process
    """Set on entering."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.process.output)  # pytest shows it with the failure
        self.process.stop()


def program_of(name: str, package: str) -> str:
    """The path of a program of a package of Debian, which scripts/test installs."""
    program = shutil.which(name, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/usr/local/sbin")))
    assert program, f"{name} is missing: scripts/test installs it (Debian package {package})"
    return program


def descendants(pid: int) -> list[int]:
    """The pids of all children of a process, theirs included, read from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it ended while we looked
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for candidate in found:
        found.extend(child for child, parent in parents.items() if parent == candidate)
    return found[1:]


def alive(pids: list[int]) -> list[int]:
    """Those of ``pids`` that still exist and are not zombies."""

    def exists(pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    return [pid for pid in pids if exists(pid)]


def time_with_a_processor() -> float:
    """A clock in seconds that stands still while this process, its main thread, waits for a processor."""
    return time.monotonic() - starved_s(os.getpid())


def starved_threads_s(pid: int) -> float:
    """For how long all threads of a process have waited for a processor, those that are there now."""
    return sum(starved_s(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir())


class BusyMachine:
    """What a busy machine takes, from here on, from some processes and from all that they have started.

    The waiting of their threads for a processor, the time in which the machine itself had none because another one
    ran in its place (``steal`` of proc_stat(5)), and the time in which anybody waited for a disk (/proc/pressure):
    a store answers when what it wrote is there.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._before = self._waited_s()
        self._stolen_before_s = _stolen_s()

    @property
    def took_s(self) -> float:
        """Seconds so far, of all threads together."""
        waited_s = sum(max(now_s - self._before.get(task, 0.0), 0.0) for task, now_s in self._waited_s().items())
        return waited_s + _stolen_s() - self._stolen_before_s

    def _waited_s(self) -> dict[str, float]:
        """By thread."""
        found: dict[str, float] = {}
        for pid in {*self._pids, *(child for one in self._pids for child in descendants(one))}:
            with suppress(OSError):  # it ended while we looked
                found |= {task.name: starved_s(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()}
        return found


def _stolen_s() -> float:
    stolen_s = int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")
    with suppress(OSError):  # a kernel that does not count it
        stolen_s += int(Path("/proc/pressure/io").read_text().partition("total=")[2].split()[0]) / 1e6
    return stolen_s
