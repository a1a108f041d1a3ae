"""What a system costs: processor time and memory of all its processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from voicegw.testing.bench._processes import family

_PROC: Final = Path("/proc")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor seconds, user and system, that ``pid`` and its descendants have used so far."""
    return sum(ticks_of(_read(number, "stat")) for number in family(pid)) / _TICKS_PER_S


def machine_s() -> float:
    """Processor seconds that everything on this machine has used since it started, guests and idling left out."""
    return busy_ticks((_PROC / "stat").read_text().splitlines()[0]) / _TICKS_PER_S


def busy_ticks(line: str) -> int:
    """All but idle and waiting for disks in the ``cpu`` line of ``/proc/stat``."""
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, line.split()[1:9])
    return user + nice + system + irq + softirq + steal


def pss_kb(pid: int) -> int:
    """Proportional memory of ``pid`` and its descendants: a page that n processes share counts as 1/n for each."""
    return sum(pss_of(_read(number, "smaps_rollup").splitlines()) for number in family(pid))


def ticks_of(stat: str) -> int:
    """utime and stime of a ``/proc/PID/stat``; 0 for a process that has ended."""
    # The second field is the program's name in brackets, which may hold anything.
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0


def pss_of(lines: Iterable[str]) -> int:
    """The kilobytes in the ``Pss:`` line of a ``smaps_rollup``; 0 if there is none."""
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text(errors="replace")
    except OSError:  # it ended while we looked
        return ""
