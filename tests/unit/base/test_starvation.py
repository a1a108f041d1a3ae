"""Waiting for a processor, as the kernel of this machine counts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from voicegw.base.starvation import starved_s

_BURN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.process_time() + 0.1
while time.process_time() < end:
    pass
print(flush=True)
sys.stdin.read()
"""


def test_two_that_share_a_core_wait_for_each_other() -> None:
    core = min(os.sched_getaffinity(0))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _BURN, str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for each in both:
            assert each.stdout is not None and each.stdout.readline()
        assert sum(starved_s(each.pid) for each in both) > 0.02
    finally:
        for each in both:
            each.communicate()


def test_a_process_that_is_gone_has_waited_for_nothing() -> None:
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    assert starved_s(highest + 1) == 0.0
