"""How the C library keeps its memory: fewer heaps where threads take turns anyway, and large blocks apart.

glibc gives each thread a heap, up to eight for each core, and what is free in one is of no use to the others. Of
Python's threads one at a time allocates. To them more heaps are only more room to be fragmented: 14 MB of 72 lay
idle in a gateway of sixteen threads after 1,200 calls, and 7 of 69 with two heaps.

A large block is mapped by itself and goes back to the kernel when it is freed; but each time glibc sees that, it
takes blocks of that size for some that belong into the heap from then on, up to 32 MB. There they leave holes that
smaller blocks settle in, and the next large one extends the heap.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""As in glibc's ``malloc.h``."""
_LARGE_BYTES: Final = 128 * 1024
"""glibc's own, until it has seen a larger block."""
_HEAPS: Final = 2
"""The second is for what works without the interpreter, such as a database."""


def share_heaps() -> None:
    """All threads that begin from now on share two heaps. Other C libraries have one, and are let be."""
    _set(_M_ARENA_MAX, _HEAPS)


def keep_large_apart(least_bytes: int = _LARGE_BYTES) -> None:
    """Blocks of ``least_bytes`` and more stay out of the heaps for the life of the process."""
    _set(_M_MMAP_THRESHOLD, least_bytes)


def _set(parameter: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(parameter, value)


def give_back() -> None:
    """Return to the kernel whole pages that nobody uses, wherever in a heap they lie. Takes a few milliseconds.

    glibc by itself gives back only the end of a heap, and there is always something that lives there.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
