"""The arithmetic of the media bench; what it measures needs a machine to itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voicegw.testing.bench._media_aims import (
    drift_verdicts,
    growth_verdicts,
    pair_verdicts,
    row_verdicts,
)
from voicegw.testing.bench._media_drift import deadline_drift_us, measure_drift
from voicegw.testing.bench._media_growth import Growth
from voicegw.testing.bench._media_line import cost_lines, fit
from voicegw.testing.bench._media_pair import Pair
from voicegw.testing.bench._media_rig import Load, rig
from voicegw.testing.bench._media_row import HEAD, Row
from voicegw.testing.bench._speech_packets import CODECS, BenchSpeech, write_packets

ROW = Row(100, True, False, "PCMU", 40.0, 0.1, 1.0, 3.0, 0, 30.0, 0, 0.5)


def rows(*costs: tuple[int, float]) -> list[Row]:
    """Rows of so many legs, in which a tick costs so many microseconds."""
    return [replace(ROW, n=legs, cpu_us_per_leg_tick=tick_us / legs) for legs, tick_us in costs]


def test_the_line_of_cost_has_a_fixed_part_and_a_slope() -> None:
    (line,) = cost_lines(rows((100, 4000.0), (200, 7000.0), (300, 10_000.0)))
    assert (line.fixed_us, line.us_per_leg, line.r_squared) == (1000.0, 30.0, 1.0)
    assert line.carried == 633
    assert "1000 us + 30.0 us a leg" in line.text()


def test_a_worker_that_is_overloaded_is_not_on_the_line() -> None:
    overloaded = [replace(row, lost_frames=3) for row in rows((900, 19_000.0))]
    (line,) = cost_lines([*rows((100, 4000.0), (200, 7000.0), (300, 10_000.0)), *overloaded])
    assert line.fixed_us == 1000.0
    assert not cost_lines([*rows((100, 4000.0), (200, 7000.0)), *overloaded])


def test_what_is_not_on_a_line_shows_in_r_squared() -> None:
    assert fit([100, 200, 300], [1.0, 5.0, 2.0])[2] < 0.3


def test_lines_are_of_rows_of_one_kind() -> None:
    assert not cost_lines([*rows((100, 1.0), (200, 2.0)), replace(ROW, n=300, srtp=True)])


def test_each_aim_has_a_verdict() -> None:
    ample = [
        replace(ROW, n=300),
        replace(ROW, n=200, srtp=True),
        replace(ROW, n=200, codec="G722c"),
        replace(ROW, n=60, codec="opus"),
        ROW,
    ]
    verdicts = row_verdicts(ample, cost_lines(rows((100, 4000.0), (200, 7000.0), (300, 10_000.0))))
    assert len(verdicts) == 6
    assert all(verdicts.values())
    assert not any(row_verdicts([replace(row, lost_frames=1) for row in ample[:4]], []).values())
    assert not any(row_verdicts([replace(ROW, departure_jitter_p99_ms=2.1)], []).values())
    assert not any(row_verdicts([replace(ROW, n=60, codec="opus", cpu_us_per_leg_tick=340.0)], []).values())


def test_verdicts_on_scaling_and_memory() -> None:
    pair, growth = Pair("PCMU", 100, 7, 30.0, 1.9, 1.2), Growth(30, 10_000, 40.0, 300.0)
    assert all((pair_verdicts(pair) | growth_verdicts(growth)).values())
    assert not any(pair_verdicts(replace(pair, speed_up=1.7)).values())
    assert not any(growth_verdicts(replace(growth, rss_kb=2000.0)).values())


def test_the_table_has_a_column_for_each_figure() -> None:
    assert len(HEAD.split("  ")) == len([part for part in ROW.line().split("  ") if part.strip()])


def test_clocks_that_differ_are_watched_on_a_manual_clock() -> None:
    drifts = measure_drift(4, (-100, 0, 100))
    assert [drift.concealed_frames for drift in drifts] == [0] * 6
    assert all(drift_verdicts(drifts, deadline_drift_us(4)).values())


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
def test_the_rig_gets_a_packet_of_each_leg_for_every_tick(codec: str, tmp_path: Path) -> None:
    kind = CODECS[codec]
    voice = (np.sin(np.arange(kind.rate_hz) / 5) * 5000).astype(np.int16)
    write_packets(tmp_path / "speech", kind, voice, kind.rate_hz)
    with rig(Load(kind, 3, vad=False, srtp=codec == "PCMU"), BenchSpeech(tmp_path / "speech", voice)) as engine:
        spent = engine.run(40)
    assert engine.received == 3 * 40
    assert spent.ticks == 40
    assert spent.wall_s > 0
