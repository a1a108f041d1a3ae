"""Ports for processes that tests and benchmarks start, so that many of them can run beside one another.

A port that the kernel names (bind to port 0) is free only at that moment: until the process that shall have it
binds it, any outgoing connection on the machine may be given the same one. So ports come from below the kernel's
range of such ports, each is handed out to one caller only until all others have had their turn, and the turn is
kept in a file that all processes of this machine share.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

_FIRST: Final = 10_240
_END: Final = 32_768
"""Where Linux begins with ports of its own choice (``net.ipv4.ip_local_port_range``)."""
_TURN: Final = Path(tempfile.gettempdir()) / f"voicegw-test-ports-{os.getuid()}"


def free_port(host: str = "127.0.0.1") -> int:
    """A port to which nothing is bound, over UDP and TCP (SIP takes both, RFC 3261 §18.2.1).

    Raises:
        RuntimeError: All ports are taken.
    """
    return free_ports(1, host)


def free_ports(size: int, host: str = "127.0.0.1") -> int:
    """The even first one of ``size`` such ports in a row (RTP takes even ports, RFC 3550 §11).

    Raises:
        RuntimeError: There are not so many in a row.
    """
    with _TURN.open("a+b") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        turn.seek(0)
        first = _even(int(turn.read() or _FIRST))
        for _ in range(_FIRST, _END, 2):
            if first + size > _END:
                first = _FIRST
            if first + size <= _END and all(_is_free(host, port) for port in range(first, first + size)):
                turn.truncate(0)
                turn.write(b"%d" % (first + size))
                return first
            first += 2
    raise RuntimeError(f"no {size} free ports in a row on {host}")


def _even(port: int) -> int:
    return port + port % 2


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def is_bound(port: int, pid: int | str = "self") -> bool:
    """Whether a process in the network namespace of ``pid`` has the UDP port; asks without taking it for a moment
    itself."""
    for table in (f"/proc/{pid}/net/udp", f"/proc/{pid}/net/udp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            if int(line.split()[1].rpartition(":")[2], 16) == port:
                return True
    return False
