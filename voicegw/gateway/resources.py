"""What the process has left: files that may still be opened, and memory. Asked about once a second."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

log = logging.getLogger(__name__)

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MB: Final = 1_000_000
ENOUGH_FILES: Final = 1024
"""Fewer than this at the start is a mistake of whoever set the limit: connections alone may be as many."""


class Use(NamedTuple):
    """Of this process now; ``most_files`` is what the kernel allows."""

    files: int
    most_files: int
    memory_bytes: int


def use_now() -> Use:
    """What the kernel tells. Raises OSError where it tells nothing."""
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Use(files, resource.getrlimit(resource.RLIMIT_NOFILE)[0], resident * _PAGE)


class Resources:
    """``memory_mb`` 0: no limit. ``spare_files``: so many are left for what runs already."""

    def __init__(self, memory_mb: int, spare_files: int, use: Callable[[], Use] = use_now) -> None:
        self._use = use
        self.change(memory_mb, spare_files)

    def change(self, memory_mb: int, spare_files: int) -> None:
        """Other limits, from the next look on."""
        self._memory_mb, self._spare_files = memory_mb, spare_files

    def short_of(self) -> str:
        """What there is too little of for one more call, in words; empty while there is enough."""
        try:
            use = self._use()
        except OSError as error:
            return f"files to be opened: {error.strerror}"
        if use.most_files - use.files < self._spare_files:
            return f"files to be opened: {use.files} of {use.most_files} are open"
        if self._memory_mb and use.memory_bytes > self._memory_mb * _MB:
            return f"memory: {use.memory_bytes // _MB} of {self._memory_mb} MB are in use"
        return ""


def raise_file_limit() -> None:
    """Take as many open files as the kernel lets us have, and say so where that is little."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if 0 <= hard < ENOUGH_FILES:
        fix = "set LimitNOFILE=65536 in the unit, or ulimits in the container"
        log.warning("only %s files may be open at once; new calls are refused near that\n    fix: %s", hard, fix)
