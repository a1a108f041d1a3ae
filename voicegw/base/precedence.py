"""Who goes first where processors are short: calls before engines.

A caller waits half a second for an answer to an INVITE before asking again, and several for a reply in a talk. The
gateway needs little of a processor, but needs it at once; a recogniser takes all there is. With equal rights the
gateway waits behind each of them, and can neither answer nor refuse in time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_GATEWAY: Final = -10
_BEHIND: Final = 10
"""A step of nice is a factor of 1.25: of a processor that both want, nine tenths go to who is ten steps ahead."""
_LAST: Final = 19
_GROUP: Final = Path("/proc/self/autogroup")


def take_precedence() -> str:
    """Ask the kernel to run this process before others; best effort. Returns what was granted, for the log.

    Linux shares processors among sessions first and only then among the processes of one (sched(7), autogroup), so
    the session is asked for as well where it is our own: not where it is that of somebody's terminal.
    """
    try:
        os.nice(_GATEWAY)
    except OSError:
        return "none"
    granted = f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"
    if os.getsid(0) != os.getpid():
        return granted
    try:
        _GROUP.write_text(str(_GATEWAY), encoding="ascii")
    except OSError:
        return granted
    return f"{granted}, the session too" if session_nice() == _GATEWAY else granted


def session_nice() -> int | None:
    """The nice value of our session; None where the kernel keeps none, as for one begun before its autogroups."""
    try:
        words = _GROUP.read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(words[-1]) if words else None


def give_way(pid: int) -> None:
    """Let a new child of ours run behind us; nobody needs a right for that. A child that is gone is no error."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, min(_LAST, os.getpriority(os.PRIO_PROCESS, 0) + _BEHIND))
