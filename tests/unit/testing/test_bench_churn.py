"""What the benches of churn and overload make of what they saw."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from voicegw.testing.bench import _object_counts
from voicegw.testing.bench._object_counts import Held, ask
from voicegw.testing.bench._overload_step import Step
from voicegw.testing.bench._processes import ProcessUse
from voicegw.testing.bench._sipp_load import Outcome
from voicegw.testing.bench.churn import Churn, Minute, figures, slopes, verdicts

OUTCOME = Outcome(300, 300, 0, 0, {"up": 0, "refused": 0}, {}, "")
COUNTED = {
    "voicegw_sip_calls_in_total": 300.0,
    "voicegw_calls_offered_total": 300.0,
    "voicegw_calls_ended_total": 300.0,
}


def minute(number: int, kb_a_call: float, blocks_a_call: float, fds: int = 20, calls: float = 5.0) -> Minute:
    done = number * 100
    use = ProcessUse(7, "gateway", round(200_000 + kb_a_call * done), fds, 5, round(100_000 + kb_a_call * done))
    held = {7: Held(round(1_000_000 + blocks_a_call * done), 0)}
    levels = dict.fromkeys(("calls", "sip_calls", "transactions", "half_open", "legs", "queued_facts"), 0.0)
    return Minute(number * 60.0, done, (use,), held, levels | {"calls": calls}, 10 * done)


def churn(kb_a_call: float = 0.0, blocks_a_call: float = 0.0, fds: int = 0) -> Churn:
    """The first minute, the warm-up, has twenty times the growth."""
    steady = [minute(n, kb_a_call, blocks_a_call, 20 + fds * n) for n in range(2, 9)]
    minutes = [minute(1, 20 * kb_a_call, 20 * blocks_a_call), *steady, minute(9, kb_a_call, 0.0, calls=0.0)]
    return Churn(minutes, {"talks": OUTCOME}, {}, COUNTED, exit_status=0)


def test_growth_is_a_line_through_the_minutes_after_the_warm_up() -> None:
    (row,) = slopes(churn(kb_a_call=0.3, blocks_a_call=2.0).minutes, 60.0)
    assert (row.process, row.kb, row.blocks, row.descriptors) == ("gateway", 300.0, 2.0, (20, 20))
    assert row.anonymous_kb == 300.0


def test_what_waits_for_the_collector_is_no_growth() -> None:
    minutes = [minute(n, 0.0, 1.0) for n in range(1, 21)]
    waiting = [
        replace(one, held={7: Held(one.held[7].blocks + 3000 * (n % 4), 0)}) for n, one in enumerate(minutes)
    ]
    (row,) = slopes(waiting, 0.0)
    assert row.blocks == pytest.approx(1.0, abs=0.3)


def test_decoders_come_and_go_and_what_calls_leave_behind_is_seen_beside_them() -> None:
    """17 MB each, from one to three at a time, and more of them later on; 0.1 kB a call stay."""
    decoders = [(1 + n * 3 % 2 + (n > 6)) for n in range(1, 13)]
    minutes = []
    for n, count in enumerate(decoders, 1):
        one = minute(n, 0.1, 0.0)
        use = replace(one.uses[0], rss_kb=one.uses[0].rss_kb + 17_000 * count)
        minutes.append(replace(one, uses=(use,), held={7: replace(one.held[7], decoders=count)}))
    (row,) = slopes(minutes, 0.0)
    assert row.kb == pytest.approx(100)
    assert row.decoders == (2, 2)


def test_a_decoder_that_knows_all_words_is_five_of_the_others() -> None:
    decoders = [(1 + n * 3 % 2, (n > 6) * (n % 3 > 0)) for n in range(1, 25)]
    minutes = []
    for n, (small, general) in enumerate(decoders, 1):
        one = minute(n, 0.1, 0.0)
        use = replace(one.uses[0], rss_kb=one.uses[0].rss_kb + 17_000 * small + 95_000 * general)
        held = replace(one.held[7], decoders=small + general, general=general)
        minutes.append(replace(one, uses=(use,), held={7: held}))
    (row,) = slopes(minutes, 0.0)
    assert row.kb == pytest.approx(100)


def test_what_the_c_library_has_given_out_is_told_by_its_least() -> None:
    """Between two collections there is more of it, and once a process did not answer."""
    minutes = []
    for n in range(1, 21):
        one = minute(n, 0.0, 0.0)
        held = {7: replace(one.held[7], malloc_kb=58 * 1024 + 3000 * (n % 3))} if n != 4 else {}
        minutes.append(replace(one, held=held))
    (row,) = slopes(minutes, 0.0)
    assert row.malloc_mb == (58.0, 58.0)


@pytest.mark.parametrize(("lost", "flat"), [(0, True), (1, False)])
def test_the_calls_of_the_moment_are_no_growth_of_descriptors_but_lost_ones_are(lost: int, flat: bool) -> None:
    """Between 92 and 95 come and go with the calls; ``lost`` stay."""
    steady = [minute(n, 0.0, 0.0, 92 + (n * 7 % 4 if n % 5 else 0) + lost * (n > 20)) for n in range(1, 41)]
    hour = replace(churn(), minutes=[*steady, minute(41, 0.0, 0.0, calls=0.0)])
    assert verdicts(hour, 0.0)["descriptors are flat"] is flat


def test_a_flat_hour_meets_all_aims() -> None:
    assert all(verdicts(churn(), 60.0).values())
    assert figures(churn(), 60.0)["store_bytes_a_call"] == 10 * 1024


@pytest.mark.parametrize(
    ("bad", "missed"),
    [
        (churn(kb_a_call=0.3), "memory"),
        (churn(blocks_a_call=1.0), "at most"),
        (churn(fds=1), "descriptors"),
        (replace(churn(), after=COUNTED | {"voicegw_calls_ended_total": 299.0}), "every call of sipp's"),
        (replace(churn(), outcomes={"talks": replace(OUTCOME, failed=1, passed=299)}), "every call went"),
        (replace(churn(), exit_status=1), "no process"),
    ],
)
def test_each_fault_is_an_aim_missed(bad: Churn, missed: str) -> None:
    assert [aim.startswith(missed) for aim, met in verdicts(bad, 60.0).items() if not met] == [True]


STEP = Step(
    "10 a second",
    10.0,
    Outcome(50, 50, 0, 0, {"up": 30, "refused": 20}, {}, ""),
    5.0,
    {"gateway": 300.0},
    {"offered": 45.0, "at_door": 5.0, "answered": 30.0, "ended": 48.0, "unrecorded": 2.0},
    30,
    {},
    8.0,
    (),
)


def test_a_step_is_balanced_when_both_sides_tell_the_same() -> None:
    assert STEP.is_balanced


@pytest.mark.parametrize(
    "bad",
    [
        replace(STEP, left={"legs": 1.0}),
        replace(STEP, counted={**STEP.counted, "answered": 31.0}),
        replace(STEP, counted={**STEP.counted, "at_door": 4.0}),
        replace(STEP, counted={**STEP.counted, "ended": 47.0}),
        replace(STEP, outcome=replace(STEP.outcome, failed=1, passed=49)),
        replace(STEP, outcome=replace(STEP.outcome, counted={"up": 29, "refused": 20})),
    ],
)
def test_an_answered_call_too_many_or_a_leg_that_is_left_is_seen(bad: Step) -> None:
    assert not bad.is_balanced


def test_a_process_without_an_answer_is_not_asked(tmp_path: Path) -> None:
    """It would die of the signal."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "input()"], {}, file_actions=_stdin(tmp_path))
    try:
        assert ask(tmp_path, [pid]) == {}
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_blocks_and_decoders_of_a_process_are_told(tmp_path: Path) -> None:
    class Recognizer:
        """Of that name in the recogniser, too; the second is a general one."""

        def __init__(self, witness: object) -> None:
            self._witness = witness

    ours = [Recognizer(object()), Recognizer(None)]
    database = sqlite3.connect(":memory:")
    database.execute("create table t as select zeroblob(1000000)")
    before = signal.signal(signal.SIGUSR1, _object_counts._tell)
    os.environ[_object_counts._FOLDER] = str(tmp_path)
    try:
        found = ask(tmp_path, [os.getpid()])[os.getpid()]
    finally:
        signal.signal(signal.SIGUSR1, before)
        del os.environ[_object_counts._FOLDER]
    assert (found.decoders, found.general) == (len(ours), 1)
    assert found.blocks > found.objects > 0
    assert found.sqlite_kb >= 976
    assert not found.malloc_kb or found.heaps_kb > found.malloc_kb > found.sqlite_kb, (
        "another C library than glibc tells nothing"
    )
    database.close()


def _stdin(folder: Path) -> list[tuple[int, int, str, int, int]]:
    pipe = folder / "stdin"
    os.mkfifo(pipe)
    return [(os.POSIX_SPAWN_OPEN, 0, str(pipe), os.O_RDWR, 0)]
