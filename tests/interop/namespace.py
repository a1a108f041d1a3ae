"""A network of one machine: a namespace with the address 192.0.2.77 (RFC 5737) on its loopback device.

baresip refuses 127.0.0.1 as a media address, and a test must not depend on the addresses of the machine it
runs on.
"""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ADDRESS = "192.0.2.77"

_SETUP = (
    "ip link set lo up",
    f"ip address add {ADDRESS}/32 dev lo",
    "ip route add default dev lo",
)


@dataclass(frozen=True, slots=True)
class Inside:
    """The namespaces of a process: what another one needs to know to be where that one is."""

    pid: int
    kinds: tuple[str, ...]

    def join(self) -> None:
        """Take the calling process there, which has one thread. Raises OSError."""
        libc = ctypes.CDLL(None, use_errno=True)  # os.setns() is of Python 3.12
        for kind in self.kinds:
            with Path(f"/proc/{self.pid}/ns/{kind}").open("rb") as there:
                if libc.setns(there.fileno(), 0) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter the {kind} namespace of {self.pid}")


class Namespace:
    """Lives while the ``with`` block does; ``command`` turns a command line into one that runs inside."""

    address = ADDRESS
    setup: tuple[str, ...] = _SETUP

    def __enter__(self) -> Self:
        # Containers often take CAP_SYS_ADMIN even from root and leave user namespaces.
        if not (self._open([]) or self._open(["--user", "--map-root-user"])):
            raise RuntimeError("no network namespace: this needs root, or user namespaces that are not restricted")
        return self

    def _open(self, as_user: list[str]) -> bool:
        # cat holds the namespace open until its standard input ends: with the test, however the test ends.
        script = " && ".join((*self.setup, "echo ready", "exec cat"))
        self._holder = subprocess.Popen(
            ["unshare", "--net", *as_user, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.as_user = ["--user", "--preserve-credentials"] if as_user else []
        self.inside = Inside(self._holder.pid, ("user", "net") if as_user else ("net",))
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() == b"ready\n":
            return True
        self._close()
        return False

    def command(self, args: list[str]) -> list[str]:
        """``args`` so that they run inside; the process keeps the pid of the command line."""
        return ["nsenter", "--net", *self.as_user, f"--target={self._holder.pid}", "--", *args]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        assert self._holder.stdin is not None and self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()
