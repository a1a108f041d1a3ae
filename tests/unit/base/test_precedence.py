"""Who goes first, as the kernel of this machine has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicegw.base import precedence
from voicegw.base.precedence import give_way, session_nice

_TAKE = """
import os
from voicegw.base.precedence import session_nice, take_precedence
print(take_precedence())
print(os.getpriority(os.PRIO_PROCESS, 0))
print(session_nice())
"""
_SYS_NICE = 1 << 23
"""The capability that raises precedence (capabilities(7)); containers of root's need not have it."""


def may() -> bool:
    """Whether we are surely granted what we ask for."""
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) & _SYS_NICE)


def take(*, own_session: bool) -> list[str]:
    """What a process is granted, its nice value, and that of its session."""
    command = [sys.executable, "-c", _TAKE]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=own_session)
    return ended.stdout.splitlines()


def test_a_process_asks_for_itself_and_says_what_it_got() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    granted, nice, _ = take(own_session=False)
    assert granted in ({f"nice {before - 10}"} if may() and before >= -10 else {"none", f"nice {nice}"})
    assert int(nice) == (before if granted == "none" else max(-20, before - 10))


def test_a_session_of_its_own_comes_along_and_no_other() -> None:
    ours = session_nice()
    granted, _, nice = take(own_session=True)
    assert granted.endswith("the session too") is (nice == "-10")
    assert not (may() and ours is not None) or nice == "-10"
    take(own_session=False)
    assert session_nice() == ours


def test_a_session_without_a_nice_value_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "_GROUP", tmp_path / "autogroup")
    assert session_nice() is None
    (tmp_path / "autogroup").write_text("")
    assert session_nice() is None
    (tmp_path / "autogroup").write_text("/autogroup-41910 nice -10\n")
    assert session_nice() == -10


def test_a_child_gives_way() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        give_way(child.pid)
        nice = os.getpriority(os.PRIO_PROCESS, child.pid)
        child.communicate(b"\n")
    assert nice == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)


def test_a_child_that_is_gone_need_not_give_way() -> None:
    give_way(int(Path("/proc/sys/kernel/pid_max").read_text()) + 1)
