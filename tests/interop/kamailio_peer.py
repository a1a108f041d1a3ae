"""Kamailio as a peer: one process with a configuration of ours, ready when it answers OPTIONS."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Self

from tests.interop import options_ping
from tests.interop.process import Peer, Process, descendants, program_of
from voicegw.testing.ports import free_port

CONFIGURATIONS = Path(__file__).parent / "kamailio"
_START_S = 30.0


class Kamailio(Peer):
    """``configuration`` is a file in ``kamailio/`` without its suffix; ``values`` replace ``$name`` in it."""

    def __init__(self, work: Path, configuration: str, **values: str) -> None:
        self.port = free_port()
        home = work / f"kamailio-{self.port}"
        home.mkdir()
        text = (CONFIGURATIONS / f"{configuration}.cfg").read_text()
        (home / "kamailio.cfg").write_text(Template(text).substitute(values | {"port": str(self.port)}))
        program = program_of("kamailio", "kamailio")
        self._args = [program, "-f", str(home / "kamailio.cfg"), "-DD", "-E", "-m", "32", "-M", "4"]
        self._args += ["-w", str(home), "-Y", str(home)]
        self._home = home

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def contacts(self) -> list[str]:
        """HOST:PORT of every binding in the location table of "core"."""
        ask = [program_of("kamcmd", "kamailio"), "-s", "unix:./ctl", "ul.dump"]
        told = subprocess.run(ask, cwd=self._home, capture_output=True, text=True, check=True, timeout=_START_S)
        return re.findall(r"Address: sips?:(?:[^@\s]*@)?([^;\s]+)", told.stdout)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still inside this block."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.process = Process(self._args, self._home / "kamailio.log", cwd=self._home)
        if not self._is_up():
            self.process.kill()
            raise AssertionError(f"kamailio does not answer:\n{self.process.output}")
        return self

    def _is_up(self) -> bool:
        return options_ping.ping("127.0.0.1", self.port, _START_S)
