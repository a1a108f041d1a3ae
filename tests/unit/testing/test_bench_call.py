"""The bench of long calls, in short: every number of RTP wraps within the seconds that are tested here."""

from __future__ import annotations

import gc
import tracemalloc
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voicegw.testing.bench._long_call import Hold, LongCall, LongResult, Stretch
from voicegw.testing.bench._processes import ProcessUse
from voicegw.testing.bench._real_call import RealCall, Sample, shifts
from voicegw.testing.bench.call import long_figures, long_verdicts, real_figures, real_verdicts
from voicegw.testing.probe_sounds import voice

PAST_THE_WRAPS = 1000
"""Ticks: sequence numbers wrap after 10 s (the encrypted one of ours does not), timestamps after 12 s at most."""

OF_HOURS = ("memory", "what is heard")
"""In the first seconds the jitter buffer gives back a frame of what it begins with, and objects are still made."""


def test_calls_go_on_past_the_end_of_every_counter(tmp_path: Path) -> None:
    calls = LongCall(tmp_path, ["PCMA", "opus"], None)
    for _ in range(2):
        calls.run(PAST_THE_WRAPS // 2)
    result = calls.close()
    missed = [aim for aim, met in long_verdicts(result).items() if not met and not aim.startswith(OF_HOURS)]
    assert missed == [], long_figures(result)
    assert [bool(stats.srtp) for stats in result.stats.values()] == [False, True]
    for row in result.stretches:
        assert all(len(each.heard_ms) + each.lost_bursts == 1 and len(each.said_ms) == 1 for each in row)
        assert all(20 <= late <= 90 for each in row for late in each.heard_ms)
    for stats in result.stats.values():
        assert stats.packets_sent == PAST_THE_WRAPS
        assert stats.packets_received + stats.packets_lost == pytest.approx(PAST_THE_WRAPS, abs=5)
        assert 0 <= stats.round_trip_ms <= 45, "two frames, and nothing that waits to be read"


def least_held_kb(calls: LongCall, stretches: int) -> float:
    """The least that is held at the end of any of `stretches` of 100 ticks.

    What waits to be written and what garbage waits to be collected swing by 200 kB; the least of ten does not.
    """
    held = []
    for _ in range(stretches):
        calls.run(100)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0] / 1024)
    return min(held)


def test_nothing_is_kept_of_what_was_said(tmp_path: Path) -> None:
    calls = LongCall(tmp_path, ["PCMU"], None)
    calls.run(300)
    gc.freeze()  # what tests before this one left is neither looked through ten times nor collected in between
    tracemalloc.start()
    try:
        before, after = least_held_kb(calls, 10), least_held_kb(calls, 10)
    finally:
        tracemalloc.stop()
        calls.close()
    assert after - before < 100, "the packets of these ticks alone would be 200 kB"


def held(hours: float, rss_kb: int, blocks: int = 1000) -> Hold:
    return Hold(hours, rss_kb, 0.0, blocks)


def stretch(late_ms: float) -> list[Stretch]:
    return [Stretch("PCMU", array("d", [late_ms] * 3), array("d", [0.0] * 3), 0)]


@pytest.mark.parametrize(
    ("result", "missed"),
    [
        (LongResult([stretch(60), stretch(75)], [held(1, 60_000), held(2, 60_400)]), []),
        (LongResult([stretch(60), stretch(81)], [held(1, 60_000), held(2, 60_000)]), ["what is heard"]),
        (LongResult([stretch(60), stretch(60)], [held(1, 60_000), held(3, 62_000)]), ["memory is flat"]),
        (LongResult([stretch(60), stretch(60)], [held(1, 60_000), held(2, 60_000, 9000)]), ["memory is flat"]),
        (LongResult([stretch(60)], [held(1, 60_000)], gaps={"PCMU": 1}), ["no packet"]),
        (LongResult([stretch(60)], [held(1, 60_000)], recorded={"PCMU": (159, 160, 0)}), ["recordings"]),
        (LongResult([stretch(60)], [held(1, 60_000)], reported_short={"PCMU": 65_600}), ["reports"]),
    ],
)
def test_whatever_grows_or_is_missing_is_an_aim_missed(result: LongResult, missed: list[str]) -> None:
    found = [aim for aim, met in long_verdicts(result).items() if not met]
    assert len(found) == len(missed)
    assert all(aim.startswith(start) for aim, start in zip(found, missed, strict=True))


def test_the_way_there_and_back_is_read_from_a_recording() -> None:
    sent = np.concatenate([voice(8000, 6.0), np.zeros(80_000, np.int16), voice(8000, 8.0)])
    heard = np.roll(sent, 480)
    heard[-32_000:] = np.roll(sent, 800)[-32_000:]
    found = dict(shifts(sent, heard, 8000))
    assert found[0.0] == 60.0
    assert 5.0 in found and 10.0 not in found, "there is no sound in the pause to compare"


def sample(at_s: float, *held: tuple[str, int, int], fds: int = 10) -> Sample:
    return Sample(at_s, tuple(ProcessUse(pid, role, kb * 2, fds, 4, kb) for role, pid, kb in held))


def test_memory_of_a_real_call_is_told_of_each_process() -> None:
    early = sample(30, ("gateway", 1, 100_000), ("recogniser", 2, 10_000), ("recogniser", 3, 10_000))
    loaded = sample(90, ("gateway", 1, 100_500), ("recogniser", 2, 28_432), ("recogniser", 3, 10_000))
    result = RealCall(samples=[early, replace(early, at_s=60.0), loaded])
    found = real_figures(result)
    assert found["anonymous_mb"] == [117.2, 135.7]
    assert found["anonymous_mb_by_process"] == {
        "gateway 1": [97.7, 98.1],
        "recogniser 2": [9.8, 27.8],
        "recogniser 3": [9.8, 9.8],
    }
    assert found["steps"] == ["90 s: recogniser 2 +18.0 MB"]
    assert memory_is_flat(result) is False
    assert memory_is_flat(RealCall(samples=[early, loaded, replace(loaded, at_s=120.0)])) is True, "it was warm"


def memory_is_flat(result: RealCall) -> bool:
    return next(met for aim, met in real_verdicts(result).items() if aim.startswith("memory is flat"))
