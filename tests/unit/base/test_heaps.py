from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import ctypes, sys, threading
from voicegw.base.heaps import share_heaps

share_heaps()
together = threading.Barrier(6)

def work():
    together.wait()
    kept.append([bytearray(50_000) for _ in range(20)])
    together.wait()

kept = []
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
if hasattr(libc, "malloc_info"):
    libc.fopen.restype = ctypes.c_void_p
    file = libc.fopen(sys.argv[1].encode(), b"w")
    libc.malloc_info(0, ctypes.c_void_p(file))
    libc.fclose(ctypes.c_void_p(file))
"""


def test_six_threads_share_two_heaps(tmp_path: Path) -> None:
    """In a process of its own: it holds for the rest of its life. A C library that does not tell has nothing to."""
    told = tmp_path / "heaps.xml"
    subprocess.run([sys.executable, "-c", PROGRAM, str(told)], check=True)
    assert not told.exists() or told.read_text().count("<heap nr=") <= 2


GIVEN_BACK = """
from pathlib import Path
from voicegw.base.heaps import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

kept, gone = [], []
for _ in range(2000):
    gone.append(bytearray(20_000))
    kept.append(bytearray(2_000))
full = resident()
gone.clear()
between = resident()
give_back()
print(full - between, full - resident())
"""


def test_room_between_what_is_kept_is_given_back() -> None:
    ended = subprocess.run([sys.executable, "-c", GIVEN_BACK], check=True, capture_output=True, text=True)
    by_itself, pages = map(int, ended.stdout.split())
    assert pages == 0 or pages - by_itself > 5000, "of 40 MB; a C library that cannot do it gives nothing"


LARGE = """
import ctypes
from pathlib import Path
from voicegw.base.heaps import keep_large_apart

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

keep_large_apart()
for _ in range(2):
    before = resident()
    held = [bytearray(b"x" * 4_000_000) for _ in range(5)]
    pins = [bytearray(3_000) for _ in range(50)]
    full = resident()
    del held
    print(full - before, resident() - before)
"""


def test_large_blocks_go_back_to_the_kernel_however_often_they_come() -> None:
    ended = subprocess.run([sys.executable, "-c", LARGE], check=True, capture_output=True, text=True)
    for line in ended.stdout.splitlines():
        held, left = map(int, line.split())
        assert held > 4500, "20 MB"
        assert left < 500
