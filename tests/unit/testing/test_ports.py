from __future__ import annotations

import os
import socket
import subprocess
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from voicegw.testing import ports
from voicegw.testing.ports import free_ports, give_back, is_bound


@pytest.fixture(autouse=True)
def _turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_TURN", tmp_path / "turn")
    monkeypatch.setattr(ports, "_KEPT", tmp_path / "kept")


def test_no_port_is_handed_out_twice_also_by_two_at_once() -> None:
    with ThreadPool(4) as pool:
        handed_out = pool.map(lambda _: free_ports(3), range(100))
    taken = [port for first in handed_out for port in range(first, first + 3)]
    assert len(set(taken)) == 300
    assert all(first % 2 == 0 for first in handed_out)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_is_bound_is_passed_over(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        taken = free_ports(4) + 2
        holder.bind(("127.0.0.1", taken))
        assert free_ports(4) > taken
        assert is_bound(taken) is (kind is socket.SOCK_DGRAM)
    assert not is_bound(taken)


def test_the_turn_begins_again_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "turn").write_text("32766")
    assert free_ports(4) < 32_700


def test_what_is_kept_is_nobody_elses_until_it_is_given_back_or_its_process_is_gone(tmp_path: Path) -> None:
    (tmp_path / "turn").write_text("20000")
    assert free_ports(40, kept=True) == 20_000

    def next_after(port: int) -> int:
        (tmp_path / "turn").write_text(f"{port}")
        return free_ports(4)

    assert next_after(20_000) == next_after(19_998) == 20_040
    assert next_after(19_996) == 19_996
    give_back(20_000)
    assert next_after(20_000) == 20_000
    (tmp_path / "kept").write_text(f"20000 40 {_of_nobody()}\n20000 40 {os.getpid()}\n")
    give_back(20_000)
    assert next_after(20_000) == 20_000


def _of_nobody() -> int:
    with subprocess.Popen(["true"]) as over:
        return over.pid


def test_more_than_there_are_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no 30000 free ports"):
        free_ports(30_000)
