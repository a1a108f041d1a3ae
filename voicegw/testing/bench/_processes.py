"""What a process and its children hold, from /proc: memory, descriptors, UDP ports."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """One process. ``role`` says what it does; ``rss_kb`` is its resident memory, ``anonymous_kb`` what of it no
    file backs: without libraries and models that are mapped, which come and go as they are read."""

    pid: int
    role: str
    rss_kb: int
    fds: int
    sockets: int
    anonymous_kb: int = 0


def family(pid: int) -> list[int]:
    """``pid`` and all its descendants that are there now."""
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (stat := _read(entry / "stat")):
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found


def use_of(pid: int) -> ProcessUse | None:
    """What a process holds; None if it has ended."""
    home = _PROC / str(pid)
    targets = _descriptors(home / "fd")
    rss, anonymous = _kb(home / "status", "VmRSS:"), _kb(home / "smaps_rollup", "Anonymous:")
    if rss is None:
        return None
    sockets = sum(target.startswith("socket:") for target in targets)
    arguments = _read(home / "cmdline").split("\0")
    return ProcessUse(pid, role_of(arguments), rss, len(targets), sockets, anonymous or 0)


def descriptors_of(pid: int) -> int:
    """How many a process has open; 0 if it has ended."""
    return len(_descriptors(_PROC / str(pid) / "fd"))


def role_of(arguments: list[str]) -> str:
    """The last part of the module that the process runs (``python -m a.b.c``), or ``gateway``."""
    if "-m" in arguments[:-1]:
        return arguments[arguments.index("-m") + 1].rpartition(".")[2]
    return "gateway"


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    stat = _read(_PROC / str(pid) / "stat")
    return bool(stat) and stat.rpartition(")")[2].split()[0] != "Z"


def bound_udp_ports(low: int, high: int) -> set[int]:
    """The UDP ports from ``low`` to ``high`` that something on this machine is bound to (IPv4)."""
    rows = _read(_PROC / "net" / "udp").splitlines()[1:]
    ports = {int(row.split()[1].rpartition(":")[2], 16) for row in rows}
    return {port for port in ports if low <= port <= high}


def _kb(path: Path, name: str) -> int | None:
    """The value of a line of a file of /proc; None if there is no such line."""
    found = [int(line.split()[1]) for line in _read(path).splitlines() if line.startswith(name)]
    return found[0] if found else None


def _descriptors(folder: Path) -> list[str]:
    """What each descriptor is; without those that are closed while we look."""
    targets: list[str] = []
    try:
        for fd in folder.iterdir():
            with suppress(FileNotFoundError):
                targets.append(str(fd.readlink()))
    except OSError:  # the process ended while we looked
        return []
    return targets


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it ended while we looked
        return ""
