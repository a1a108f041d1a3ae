from __future__ import annotations

import json

import pytest

from voicegw.testing.bench._report import conclude, percentile


def test_a_verdict_for_people_and_one_object_as_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    conclude({"calls": 3}, {"flat": True, "fast": False}, as_json=True)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == ["met      flat", "NOT MET  fast"]
    assert json.loads(last) == {"calls": 3, "verdict": {"flat": True, "fast": False}}


def test_people_need_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    conclude({"calls": 3}, {"flat": True}, as_json=False)
    assert capsys.readouterr().out == "met      flat\n"


def test_percentiles_of_nothing_are_zero() -> None:
    assert percentile([], 95) == 0.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
