from __future__ import annotations

import os
from collections import Counter

import pytest

from voicegw.testing.bench._processes import ProcessUse, family, is_alive, role_of, use_of
from voicegw.testing.bench.soak import Result, Snapshot, figures, growth_kb, verdicts


def use(pid: int, role: str, rss_kb: int, fds: int = 10, sockets: int = 4) -> ProcessUse:
    return ProcessUse(pid, role, rss_kb, fds, sockets)


def result(first: Snapshot, last: Snapshot) -> Result:
    busy = Snapshot(500, quiet=False, uses=(use(1, "gateway", 900_000, 400, 300),))
    return Result(snapshots=[first, busy, last], exit_status=0)


FIRST = Snapshot(100, quiet=True, uses=(use(1, "gateway", 50_000), use(2, "asr", 20_000), use(3, "asr", 20_000)))


def test_growth_is_per_thousand_calls_and_by_role() -> None:
    last = Snapshot(600, quiet=True, uses=(use(1, "gateway", 50_500), use(2, "asr", 20_000), use(4, "asr", 20_100)))
    assert growth_kb(FIRST, last) == (1200.0, {"asr": 200.0, "gateway": 1000.0})


def test_only_quiet_moments_are_compared() -> None:
    found = figures(result(FIRST, Snapshot(600, quiet=True, uses=FIRST.uses)))
    assert found["rss_growth_kb_per_1000_calls"] == 0.0
    assert found["leaked_fds"] == found["leaked_sockets"] == found["leaked_processes"] == 0
    assert found["calls"] == 600


def test_a_clean_run_meets_all_aims() -> None:
    assert all(verdicts(result(FIRST, Snapshot(600, quiet=True, uses=FIRST.uses))).values())


@pytest.mark.parametrize(
    ("last", "missed"),
    [
        ((use(1, "gateway", 60_000), *FIRST.uses[1:]), "memory"),
        ((use(1, "gateway", 50_000, fds=11), *FIRST.uses[1:]), "no process"),
        ((*FIRST.uses, use(9, "asr", 0, 0, 0)), "no process"),
    ],
)
def test_each_leak_is_an_aim_missed(last: tuple[ProcessUse, ...], missed: str) -> None:
    found = verdicts(result(FIRST, Snapshot(600, quiet=True, uses=last)))
    assert [aim.startswith(missed) for aim, met in found.items() if not met] == [True]


def test_what_outlives_the_node_is_a_leak_and_a_failed_call_is_told() -> None:
    run = result(FIRST, Snapshot(600, quiet=True, uses=FIRST.uses))
    run.surviving_processes = run.surviving_ports = 1
    run.failures = Counter({"no answer": 2})
    found = figures(run)
    assert (found["leaked_processes"], found["leaked_ports"], found["failed_calls"]) == (1, 1, 2)
    assert sum(not met for met in verdicts(run).values()) == 2


def test_a_process_is_named_by_its_module() -> None:
    assert role_of(["python", "-m", "voicegw.inference.tts.flite_worker", "5"]) == "flite_worker"
    assert role_of(["python", "-c", "...", "serve"]) == "gateway"


def test_this_very_process_can_be_looked_at() -> None:
    own = use_of(os.getpid())
    assert own is not None and own.rss_kb > 1000 and own.fds > 2
    assert os.getpid() in family(os.getppid()) and is_alive(os.getpid())
