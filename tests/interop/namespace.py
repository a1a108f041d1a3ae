"""A network of one machine: a namespace with the address 192.0.2.77 (RFC 5737) on its loopback device.

baresip refuses 127.0.0.1 as a media address, and a test must not depend on the addresses of the machine it
runs on. Root enters the namespace directly; anyone else through a user namespace of their own.
"""

from __future__ import annotations

import os
import subprocess
from types import TracebackType
from typing import Self

ADDRESS = "192.0.2.77"

_SETUP = (
    "ip link set lo up",
    f"ip address add {ADDRESS}/32 dev lo",
    "ip route add default dev lo",
)


class Namespace:
    """Lives while the ``with`` block does; ``command`` turns a command line into one that runs inside."""

    address = ADDRESS

    def __enter__(self) -> Self:
        as_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        # cat holds the namespace open until its standard input ends: with the test, however the test ends.
        script = " && ".join((*_SETUP, "echo ready", "exec cat"))
        self._holder = subprocess.Popen(
            ["unshare", "--net", *as_user, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self._close()
            raise RuntimeError("no network namespace: this needs root, or user namespaces that are not restricted")
        return self

    def command(self, args: list[str]) -> list[str]:
        """``args`` so that they run inside; the process keeps the pid of the command line."""
        as_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--net", *as_user, f"--target={self._holder.pid}", "--", *args]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        assert self._holder.stdin is not None and self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()
