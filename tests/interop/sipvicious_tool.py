"""A tool of SIPVicious from an address, under a name: ``TOOL ADDRESS AGENT OPTION...``, AGENT may be "".

svwar and svcrack take the option -b and forget it, and their User-Agent is no option at all: whoever means harm
changes it in the source. For the system's Python, which has the package; a program, as several scan at once.
"""

from __future__ import annotations

import importlib
import shutil
import socket
import sys
from pathlib import Path

_OWN_NAME = "friendly-scanner"
_address = ""


class _Bound(socket.socket):
    def bind(self, place: tuple[str, int]) -> None:  # type: ignore[override]
        super().bind((_address, place[1]))


def main(tool: str, address: str, agent: str, *options: str) -> None:
    """Run it; what it finds is on its standard output and error."""
    global _address
    _address = address
    socket.socket = _Bound  # type: ignore[misc]
    sys.path.insert(0, str(Path(shutil.which(tool) or tool).resolve().parent))
    make = importlib.import_module("sipvicious.libs.svhelper").makeRequest
    assert _OWN_NAME in make.__defaults__, "it calls itself something else by now"
    if agent:
        make.__defaults__ = tuple(agent if value == _OWN_NAME else value for value in make.__defaults__)
    sys.argv = [tool, "-x", address, *options]
    importlib.import_module(f"sipvicious.{tool}").main()


if __name__ == "__main__":
    main(*sys.argv[1:])
