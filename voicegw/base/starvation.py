"""How long a process has waited for a processor, as Linux counts: it tells a busy machine from a stuck process."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_NS: Final = 1e9


def starved_s(pid: int) -> float:
    """Seconds since its beginning in which the main thread of a process could have run but had no processor.

    The second field of /proc/PID/schedstat. 0.0 where there is no such process or the kernel does not count.
    """
    try:
        fields = Path(f"/proc/{pid}/schedstat").read_text().split()
        return int(fields[1]) / _NS
    except (OSError, ValueError, IndexError):
        return 0.0
