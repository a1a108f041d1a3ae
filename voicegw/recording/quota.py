"""How much of a disk recordings may take: they are the first to go without, before calls and their facts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_MB: Final = 1_000_000
_LOOK_S: Final = 5.0
"""How old an answer may be: 300 calls write 10 MB/s at most."""


class DiskQuota:
    """``keep_free_mb`` and ``max_total_mb``: see :class:`voicegw.recording.config.RecordingConfig`; 0: no limit."""

    def __init__(
        self, keep_free_mb: int = 0, max_total_mb: int = 0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, str]] = {}
        self.change(keep_free_mb, max_total_mb)

    def change(self, keep_free_mb: int, max_total_mb: int) -> None:
        """Other limits, from the next look on. Any thread may change them."""
        self._keep_free_mb, self._max_total_mb = keep_free_mb, max_total_mb

    def refusal(self, path: str) -> str:
        """Why nothing more may be written to a recording, for people; empty where it may. Raises OSError."""
        if not self._keep_free_mb and not self._max_total_mb:
            return ""
        folder, now = str(Path(path).parent), self._monotonic()
        looked_at, why = self._known.get(folder, (float("-inf"), ""))
        if now - looked_at >= _LOOK_S:
            why = self._look(folder)
            self._known[folder] = now, why
        return why

    def _look(self, folder: str) -> str:
        disk = os.statvfs(folder)
        free_mb = disk.f_bavail * disk.f_frsize // _MB
        if free_mb < self._keep_free_mb:
            return f"the disk has {free_mb} MB left, of which {self._keep_free_mb} are not for recordings"
        total_mb = _size_of(folder) // _MB if self._max_total_mb else 0
        if self._max_total_mb and total_mb >= self._max_total_mb:
            return f"the recordings take {total_mb} MB of the {self._max_total_mb} that they may"
        return ""


def _size_of(folder: str) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                total += entry.stat(follow_symlinks=False).st_size if entry.is_file() else 0
            except FileNotFoundError:
                continue  # renamed or erased meanwhile
    return total


class QuotaExceeded(OSError):
    """A recording may take no more of the disk; what was written stays."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
