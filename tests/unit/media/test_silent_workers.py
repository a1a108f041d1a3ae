"""How long a worker may be silent before it is taken for dead."""

from __future__ import annotations

from voicegw.media.client import Silence


def test_a_silent_worker_is_told_by_looks_in_a_row() -> None:
    silence = Silence(5.0)
    assert [silence.look(5.0) for _ in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_a_report_begins_anew() -> None:
    silence = Silence(5.0)
    assert [silence.look(heard_at) for heard_at in (5.0, 5.0, 5.9, 5.9, 6.8)] == [0.25, 0.5, 0.0, 0.25, 0.0]


def test_a_machine_that_stands_still_costs_one_look_however_long_it_does() -> None:
    """Our loop and the worker are frozen together for ten seconds: the look that was due comes when both wake."""
    silence = Silence(5.0)
    silence.look(5.0)
    after_the_standstill = silence.look(5.0)
    assert after_the_standstill < 1.0
    assert silence.look(15.1) == 0.0


def test_a_worker_without_a_processor_has_not_been_silent() -> None:
    silence = Silence(5.0, starved_s=3.0)
    assert [silence.look(5.0, starved_s) for starved_s in (3.0, 3.125, 4.0, 4.0)] == [0.25, 0.375, 0.375, 0.625]
