"""How much Python holds in each process of a server: blocks of memory and objects, told at SIGUSR1.

Resident memory moves by what the allocator keeps; blocks in use do not lie. ``environment`` has every Python
process of the server install the answer as it starts, by way of ``sitecustomize``.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import ClassVar, Final

_FOLDER: Final = "VOICEGW_BENCH_COUNTS"
_CUSTOM: Final = "from voicegw.testing.bench import _object_counts\n\n_object_counts.install()\n"
_DECODER: Final = "Recognizer"
"""Of PocketSphinx; this module is loaded in every process and imports nothing of the server's."""
_WITNESS: Final = "_witness"
"""Its second decoder, which a general one lacks."""
_WAIT_S: Final = 5.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Held:
    """What one process holds: blocks of memory in use, objects that the collector knows, and decoders of speech.

    A decoder is a few objects of Python's and many megabytes of a C library's; a recogniser makes and lets go some
    as its callers speak at once or not.
    """

    blocks: int
    objects: int
    decoders: int = 0
    general: int = 0
    """Of these, such as know all words: they are five times as large."""
    malloc_kb: int = 0
    """What the C library has given out and not got back, in its heaps and mapped apart: with blocks of more
    than 512 bytes, without the arenas that smaller ones are in. Fragments are not in it."""
    sqlite_kb: int = 0
    """Of that, SQLite's."""
    heaps_kb: int = 0
    """What the C library holds of the kernel for it, with its fragments."""


def environment(home: Path) -> dict[str, str]:
    """For the server that is to be counted; ``home`` is a folder of its own."""
    home.mkdir(parents=True)
    (home / "sitecustomize.py").write_text(_CUSTOM)
    path = os.pathsep.join([str(home), *sys.path])
    return {**os.environ, "PYTHONPATH": path, _FOLDER: str(home)}


def install() -> None:
    """Answer SIGUSR1, with a file in the folder of the environment."""
    if _FOLDER in os.environ:
        signal.signal(signal.SIGUSR1, _tell)


def ask(home: Path, pids: Sequence[int]) -> dict[int, Held]:
    """Of each process that answers within five seconds."""
    asked = [pid for pid in pids if _listens(pid)]
    for pid in asked:
        (home / f"{pid}.json").unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR1)
    deadline, found = time.monotonic() + _WAIT_S, dict[int, Held]()
    while len(found) < len(asked) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        for pid in asked:
            if pid not in found and (file := home / f"{pid}.json").exists():
                found[pid] = Held(**json.loads(file.read_text()))
    return found


def _tell(_number: int, _frame: FrameType | None) -> None:
    """Without a collection: what only such a one lets go is held."""
    blocks, known = sys.getallocatedblocks(), gc.get_objects()
    decoders = [one for one in known if type(one).__name__ == _DECODER]
    general = sum(getattr(one, _WITNESS, True) is None for one in decoders)
    counts = {"blocks": blocks, "objects": len(known), "decoders": len(decoders), "general": general}
    used_kb, heaps_kb = _malloc_kb()
    told = json.dumps(counts | {"malloc_kb": used_kb, "heaps_kb": heaps_kb, "sqlite_kb": _sqlite_kb()})
    file = Path(os.environ[_FOLDER]) / f"{os.getpid()}.json"
    part = file.with_suffix(".part")
    part.write_text(told)
    part.rename(file)


class _MallocInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``: of ``arena`` bytes in heaps ``uordblks`` are in use, ``hblkhd`` are mapped
    apart."""

    _fields_: ClassVar = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def _malloc_kb() -> tuple[int, int]:
    """In use, and held for it; 0 with another C library."""
    ask_for = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask_for is None:
        return 0, 0
    ask_for.restype = _MallocInfo
    found = ask_for()
    return int(found.uordblks + found.hblkhd) // 1024, int(found.arena + found.hblkhd) // 1024


def _sqlite_kb() -> int:
    """0 in a process without SQLite; the library is the one that is loaded already."""
    module = sys.modules.get("_sqlite3")
    used = getattr(ctypes.CDLL(module.__file__), "sqlite3_memory_used", None) if module is not None else None
    if used is None:
        return 0
    used.restype = ctypes.c_int64
    return int(used()) // 1024


def _listens(pid: int) -> bool:
    """Whether the process has a handler for the signal: who has none would die of it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) & 1 << signal.SIGUSR1 - 1)
