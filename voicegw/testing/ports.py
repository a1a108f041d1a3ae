"""Ports for processes that tests and benchmarks start, so that many of them can run beside one another.

A port that the kernel names (bind to port 0) is free only at that moment: until the process that shall have it
binds it, any outgoing connection on the machine may be given the same one. So ports come from below the kernel's
range of such ports, each is handed out to one caller only until all others have had their turn, and the turn is
written in a file that all processes of this machine share.

A run of many tests takes more ports than there are. Whoever has a range for long, and binds a part of it now and
then, keeps it: in another file, and for as long as its process lives.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_FIRST: Final = 10_240
_END: Final = 32_768
"""Where Linux begins with ports of its own choice (``net.ipv4.ip_local_port_range``)."""
_TURN: Final = Path(tempfile.gettempdir()) / f"voicegw-test-ports-{os.getuid()}"
_KEPT: Final = _TURN.with_name(f"{_TURN.name}-kept")
"""A line for each range: first port, size, process."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port to which nothing is bound, over UDP and TCP (SIP takes both, RFC 3261 §18.2.1).

    Raises:
        RuntimeError: All ports are taken.
    """
    return free_ports(1, host)


def free_ports(size: int, host: str = "127.0.0.1", *, kept: bool = False) -> int:
    """The even first one of ``size`` such ports in a row (RTP takes even ports, RFC 3550 §11).

    ``kept``: nobody else gets them before :func:`give_back`.

    Raises:
        RuntimeError: There are not so many in a row.
    """
    with _TURN.open("a+b") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        turn.seek(0)
        first = _even(int(turn.read() or _FIRST))
        taken = _ranges()
        for _ in range(_FIRST, _END, 2):
            if first + size > _END:
                first = _FIRST
            if first + size <= _END and _is_at_hand(host, range(first, first + size), taken):
                turn.truncate(0)
                turn.write(b"%d" % (first + size))
                if kept:
                    _write([*taken, (first, size, os.getpid())])
                return first
            first += 2
    raise RuntimeError(f"no {size} free ports in a row on {host}")


def give_back(first: int) -> None:
    """The range that begins so, and that this process has kept, is for everybody again."""
    with _TURN.open("a+b") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _write([one for one in _ranges() if (one[0], one[2]) != (first, os.getpid())])


def _ranges() -> list[tuple[int, int, int]]:
    """First port, size and process of what is kept by the living."""
    lines = _KEPT.read_text().splitlines() if _KEPT.exists() else []
    found = [(int(first), int(size), int(pid)) for first, size, pid in map(str.split, lines)]
    return [one for one in found if Path(f"/proc/{one[2]}").exists()]


def _write(ranges: Iterable[tuple[int, int, int]]) -> None:
    _KEPT.write_text("".join(f"{first} {size} {pid}\n" for first, size, pid in ranges))


def _is_at_hand(host: str, ports: range, taken: Iterable[tuple[int, int, int]]) -> bool:
    if any(first < ports.stop and ports.start < first + size for first, size, _ in taken):
        return False
    return all(_is_free(host, port) for port in ports)


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
