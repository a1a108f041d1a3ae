"""Facts as metrics."""

from __future__ import annotations

from voicegw.base.ids import CallId, UtteranceId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.runtime.fact_meter import FactMeter
from voicegw.testing.manual_clock import ManualClock

CALL = CallId("c")


class Book:
    """What is passed on, and what was counted."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.counters = Counters()
        self.passed: list[f.AnyFact] = []
        self.meter = FactMeter(self.counters, self.clock, lambda _call_id, entry: self.passed.append(entry.data))

    def note(self, *facts: f.AnyFact) -> None:
        for fact in facts:
            self.meter(CALL, f.Entry(len(self.passed), 0.0, fact))

    def total(self, name: str) -> tuple[int, float]:
        state = self.counters.histograms()[name]
        return sum(state.counts), round(state.total, 6)


def offered(direction: str = "in") -> f.CallWasOffered:
    return f.CallWasOffered(CALL, "x@y", "100", "200", "", "2026-01-01T00:00:00", direction)


def ended(cause: str, side: str, *, failure: bool) -> f.CallHasEnded:
    return f.CallHasEnded(cause, side, failure, 16, "", 61_000.0)


def test_an_answered_call() -> None:
    book = Book()
    book.note(offered(), f.CallWasAnswered("PCMU", "192.0.2.1:4000"), f.CallWasAnswered("PCMA", "192.0.2.1:4000"))
    began = book.clock.monotonic()
    book.meter.media_heard(CALL, began + 0.25)
    book.meter.media_heard(CALL, began + 5.0)
    for started_ms in (800.0, 4000.0):
        book.note(f.AgentSpoke(UtteranceId("u"), "hello", "hello", True, False, started_ms, started_ms + 500))
    book.note(f.TurnWasTimed(200.0, 100.0, -50.0, 150.0, 20.0, 420.0))
    book.note(
        f.CallerBargedIn(UtteranceId("u"), 180.0, "speech"), f.CallerBargedIn(UtteranceId("u"), 0.0, "keypad")
    )
    book.note(ended("caller_hangup", "caller", failure=False))
    assert book.counters.snapshot() == {
        "call_setups_in_answered": 1,
        "barge_ins_speech": 1,
        "barge_ins_keypad": 1,
        "calls_ended_caller_hangup": 1,
    }
    assert book.total("first_media_seconds") == (1, 0.25)
    assert book.total("first_speech_seconds") == (1, 0.8)
    assert book.total("turn_latency_seconds") == (1, 0.42)
    assert book.total("turn_stage_seconds_agent") == (1, 0.0)
    assert book.total("barge_in_stop_seconds") == (1, 0.18)
    assert book.total("call_duration_seconds_in") == (1, 61.0)
    assert len(book.passed) == 9


def test_what_became_of_calls_that_nobody_answered() -> None:
    book = Book()
    for direction, end in (
        ("in", ended("caller_cancelled", "caller", failure=False)),
        ("in", ended("overloaded", "local", failure=True)),
        ("in", ended("no_route", "operator", failure=True)),
        ("in", ended("route_rejected", "operator", failure=False)),
        ("out", ended("peer_busy", "callee", failure=True)),
    ):
        book.note(offered(direction), end)
    counted = {name: count for name, count in book.counters.snapshot().items() if name.startswith("call_setups")}
    assert counted == {
        "call_setups_in_abandoned": 1,
        "call_setups_in_failed": 1,
        "call_setups_in_refused": 2,
        "call_setups_out_failed": 1,
    }
    book.meter.media_heard(CALL, 5.0)  # it is over: late packets count for nothing
    assert "first_media_seconds" not in book.counters.histograms()
