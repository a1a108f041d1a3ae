"""A caller's media in another namespace: an :class:`~tests.interop.rtp.RtpPeer` behind standard input and output.

As a program (argument: the address) it prints its port and then answers lines: ``start HOST PORT`` by playing a
tone, ``packets`` and ``heard`` by what came so far: packets, and seconds of speech.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.sound import speech_seconds, tone

CALLER_HZ = 1000
_ROOT = Path(__file__).parents[2]
_LONG_S = 120


class FarPhone:
    """Runs while the ``with`` block does."""

    def __init__(self, namespace: Namespace) -> None:
        args = [sys.executable, "-m", "tests.interop.far_phone", namespace.address]
        self._process = subprocess.Popen(
            namespace.command(args), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )
        self.port = int(self._read())

    def start(self, host: str, port: int) -> None:
        """Talk to that address."""
        self._ask(f"start {host} {port}")

    def packets(self) -> int:
        """How many packets came so far."""
        return int(self._ask("packets"))

    def speech_s(self) -> float:
        """How much speech came so far."""
        return float(self._ask("heard"))

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def main(address: str) -> None:
    """Until standard input ends."""
    with RtpPeer(address) as media:
        print(media.port, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["start", host, port]:
                    media.start((host, int(port)), tone(CALLER_HZ, _LONG_S))
                    print("talks", flush=True)
                case ["packets"]:
                    print(len(media.packets), flush=True)
                case _:
                    print(speech_seconds(media.heard()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
