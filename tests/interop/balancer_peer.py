"""Kamailio as it ships (docker/kamailio): a balancer before the nodes that a test has."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.interop import options_ping
from tests.interop.namespace import Namespace
from tests.interop.process import Peer, Process, program_of
from voicegw.testing.ports import free_port

CONFIGURATION = Path(__file__).parents[2] / "docker" / "kamailio" / "kamailio.cfg"
_START_S = 30.0
_SOCKET = "unix:./kamailio_ctl"
"""Of kamcmd. The path of a socket may have 107 characters, and those of tests are long."""


class Balancer(Peer):
    """``nodes``: HOST:PORT of each by its name. Known are its own address and those of the nodes, nobody else."""

    def __init__(
        self, work: Path, nodes: Mapping[str, str], *, port: int = 0, namespace: Namespace | None = None
    ) -> None:
        self.host = namespace.address if namespace else "127.0.0.1"
        self.port = port or free_port()
        self._namespace = namespace
        self._home = work / f"balancer-{self.port}"
        self._home.mkdir()
        lines = [f"1 sip:{place} 0 0 duid={name}\n" for name, place in nodes.items()]
        (self._home / "list").write_text("".join(lines))

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def takes_calls(self, place: str) -> bool:
        """Whether the node at HOST:PORT gets new calls."""
        states: dict[str, str] = dict(re.findall(r"URI: sip:(\S+)\s+FLAGS: (\w)", self.command("dispatcher.list")))
        return states[place] == "A"

    def ignored(self) -> dict[str, str]:
        """Who gets silence, and why."""
        return dict(re.findall(r"name: (\S+)\s+value: (.+)", self.command("htable.dump", "banned")))

    def command(self, *words: str) -> str:
        """What kamcmd says."""
        ask = [program_of("kamcmd", "kamailio"), "-s", _SOCKET, *words]
        told = subprocess.run(ask, cwd=self._home, capture_output=True, text=True, check=False, timeout=_START_S)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    def __enter__(self) -> Self:
        defined = [f"VOICEGW_{kind}={how}:{self.address}" for kind, how in (("LISTEN", "udp"), ("TCP", "tcp"))]
        defined.append(f'VOICEGW_LIST="{self._home / "list"}"')
        args = [program_of("kamailio", "kamailio"), "-f", str(CONFIGURATION), "-DD", "-E", "-m", "32", "-M", "4"]
        args += ["-w", str(self._home), "-Y", ".", *(word for one in defined for word in ("-A", one))]
        self.process = Process(args, self._home / "log", namespace=self._namespace, cwd=self._home)
        ping = [sys.executable, options_ping.__file__, self.host, str(self.port), str(_START_S)]
        with Process(ping, self._home / "ping.log", namespace=self._namespace) as ready:
            if ready.wait(2 * _START_S) != 0:
                self.process.kill()
                raise AssertionError(f"kamailio does not answer:\n{self.process.output}")
        return self
