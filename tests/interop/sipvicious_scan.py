"""SIPVicious at work, as a process of the test."""

from __future__ import annotations

import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import Self

from tests.interop import sipvicious_tool
from voicegw.testing.ports import free_port

PHONE = "Yealink SIP-T46U 108.86.0.20"
"""What it calls itself where it does not want to be known by its own name."""
_PATIENCE_S = 120
_SILENCE = ("no server response", "socket error: timed out")


class Scan:
    """One tool at work from an address, under a name or its own. It ends by itself; leaving the ``with`` block ends
    it sooner. ``heard``: it begins again if nothing came in the 3 s that it waits for a first answer.
    """

    def __init__(
        self,
        target: tuple[str, int],
        work: Path,
        tool: str,
        address: str,
        options: tuple[str, ...],
        *,
        agent: str = "",
        heard: bool = False,
    ) -> None:
        host, port = target
        place = ["-P", str(free_port()), "-p", str(port), *options, host]
        self._line = ["/usr/bin/python3", sipvicious_tool.__file__, tool, address, agent, *place]
        self._work = work
        self._is_heard = heard
        self._process = self._begin()

    def _begin(self) -> subprocess.Popen[str]:
        environ = {"HOME": str(self._work), "PATH": "/usr/bin"}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._line, cwd=self._work, env=environ, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    @cached_property
    def said(self) -> str:
        """All it had to say, once it has ended."""
        deadline = time.monotonic() + _PATIENCE_S
        said = self._process.communicate(timeout=_PATIENCE_S)[0]
        while self._is_heard and any(one in said for one in _SILENCE) and time.monotonic() < deadline:
            self._process = self._begin()
            said = self._process.communicate(timeout=_PATIENCE_S)[0]
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
