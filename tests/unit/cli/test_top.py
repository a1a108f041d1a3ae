"""What ``voicegw top`` makes of a page of metrics."""

from __future__ import annotations

from typing import Any

import pytest

from voicegw.api.metrics_text import exposition
from voicegw.base.metrics import Counters
from voicegw.cli.scrape import quantile, rate, read_page
from voicegw.cli.top_view import lines_of, summarise

CALL: dict[str, Any] = {
    "id": "c1",
    "state": "active",
    "started_at": "",
    "called": "100",
    "calling": "\x1b[31mred",
    "agent": "demo",
    "caller_turns": 3,
    "risk": 0,
}
LEVELS = {
    "build_info_1.0": 1.0,
    "calls_active": 2.0,
    "media_has_room": 1.0,
    "media_worker_up_0": 1.0,
    "media_worker_busy_ratio_0": 0.25,
    'trunk_up_car"rier': 0.0,
}


def test_a_page_is_read_back() -> None:
    counters = Counters()
    counters.add("calls_offered", 5)
    for value in (0.1, 0.3, 0.35, 0.9):
        counters.observe("turn_latency_seconds", value)
    before = read_page(exposition({}, {}), 10.0)
    now = read_page(exposition(counters.snapshot(), LEVELS, counters.histograms()), 20.0)
    assert now.by("voicegw_trunk_up", "trunk") == {'car"rier': 0.0}
    assert rate(now, before, "voicegw_calls_offered_total") == pytest.approx(0.5)
    assert rate(now, now, "voicegw_calls_offered_total") == 0.0
    assert quantile(now, None, "voicegw_turn_latency_seconds", 0.5) == pytest.approx(0.3)
    assert quantile(now, before, "voicegw_turn_latency_seconds", 1.0) == pytest.approx(1.0)
    assert quantile(now, now, "voicegw_turn_latency_seconds", 0.5) is None
    counters.observe("turn_latency_seconds", 99.0)
    later = read_page(exposition({}, {}, counters.histograms()), 30.0)
    assert quantile(later, now, "voicegw_turn_latency_seconds", 0.5) == 10.0, "the highest bound"


def test_a_summary_and_its_lines() -> None:
    now = read_page(exposition({"calls_ended_caller_hangup": 1}, LEVELS), 20.0)
    summary = summarise(now, None, [CALL])
    assert summary["version"] == "1.0" and summary["calls"]["ended"] == {"caller_hangup": 1}
    assert summary["workers"][0]["busy"] == 0.25 and summary["latency_ms"]["turn"] == {"p50": None, "p95": None}
    lines = lines_of(summary, "http://x", 80, 100)
    assert max(map(len, lines)) <= 80 and "ok" in lines[0]
    assert any(line.startswith("c1 ") for line in lines) and not any("\x1b" in line for line in lines)
    assert len(lines_of(summary, "http://x", 80, 5)) == 5
    assert "lacks the permission" in lines_of(summarise(now, None, None), "http://x", 120, 100)[-1]
