"""What is gathered of a call while it goes on, and by which names it goes on elsewhere."""

from __future__ import annotations

import pytest

from tests.unit.telemetry.story import CALL, FACTS, entries
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.base.trace_context import TraceContext, is_sampled, read_traceparent, trace_id_of
from voicegw.call import facts as f
from voicegw.call.facts import Entry
from voicegw.ports.tracing import WorkKind, begin_work, trace_var, working
from voicegw.telemetry import call_tracer
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.call_tracer import CallTracer
from voicegw.telemetry.config import OtlpConfig
from voicegw.testing.manual_clock import ManualClock

OUTER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class House:
    def __init__(self, config: OtlpConfig | None = None) -> None:
        self.clock, self.counters = ManualClock(), Counters()
        self.exported: list[TracedCall] = []
        self.tracer = CallTracer(config or OtlpConfig(), self.clock, self.counters, self.exported.append)

    def tell(self, *told: Entry) -> None:
        for entry in told:
            self.tracer.take(CALL, entry)


def test_a_call_is_exported_once_it_is_over() -> None:
    house = House()
    house.tell(*entries()[:-1])
    assert house.exported == [] and house.tracer.knows(CALL)
    house.tell(entries()[-1])
    (call,) = house.exported
    assert call.entries == entries() and not house.tracer.knows(CALL)
    assert call.context.trace_id == trace_id_of(CALL) and call.context.sampled and call.parent_id == ""
    house.tell(entries()[3])
    assert len(house.exported) == 1


def test_work_is_told_with_its_times_and_goes_on_elsewhere_under_its_own_name() -> None:
    house = House()
    token = trace_var.set(house.tracer.trace(CALL, {}, ""))
    try:
        house.tell(entries()[0])
        house.clock.advance(1.0)
        with working("execute_tool x", WorkKind.HERE, {"a": 1}) as tool:
            request = begin_work("POST", WorkKind.ELSEWHERE, {})
            house.clock.advance(0.25)
            request.mark("first token")
            request.failed("503")
            request.end()
            request.end()
        after = begin_work("GET", WorkKind.ELSEWHERE, {})
        after.end()
        house.tell(entries()[-1])
    finally:
        trace_var.reset(token)
    posted, ran, got = house.exported[0].works
    assert (posted.start_ms, posted.end_ms, posted.failure) == (1000.0, 1250.0, "503")
    assert posted.marks == (("first token", 1250.0),)
    assert posted.parent_id == ran.span_id == tool.span_id and got.parent_id == ""
    sent = read_traceparent(request.headers["traceparent"])
    assert sent == TraceContext(trace_id_of(CALL), posted.span_id, True)


def test_a_failure_of_work_is_called_by_its_class() -> None:
    house = House()
    token = trace_var.set(house.tracer.trace(CALL, {}, ""))
    try:
        with pytest.raises(ValueError, match="secret"), working("x", WorkKind.HERE, {}):
            raise ValueError("secret")
        house.tell(entries()[-1])
    finally:
        trace_var.reset(token)
    assert house.exported[0].works[0].failure == "ValueError"


def test_where_nobody_traces_nothing_is_sent() -> None:
    with working("x", WorkKind.HERE, {}) as work:
        assert work.headers == {}
        begin_work("y", WorkKind.ELSEWHERE, {}).failed("z")


def test_a_share_of_calls_is_traced_and_the_others_say_so() -> None:
    house = House(OtlpConfig(sample=0.0))
    work = house.tracer.trace(CALL, {}, "").begin("POST", WorkKind.ELSEWHERE, {}, "")
    assert work.headers["traceparent"].endswith("-00")
    house.tell(*entries())
    assert house.exported == [] and house.counters.get("traces_not_sampled") == 1
    shares = [
        sum(is_sampled(trace_id_of(CallId(f"call {n}")), share) for n in range(2000)) for share in (0.25, 1.0)
    ]
    assert 400 < shares[0] < 600 and shares[1] == 2000


@pytest.mark.parametrize(
    ("config", "trunk", "joins"),
    [
        (OtlpConfig(from_header="X-Trace"), "carrier", True),
        (OtlpConfig(from_header="X-Trace"), "", False),
        (OtlpConfig(), "carrier", False),
    ],
)
def test_a_trunk_may_say_of_which_trace_the_call_is_a_part(config: OtlpConfig, trunk: str, joins: bool) -> None:
    house = House(config)
    house.tracer.trace(CALL, {"x-trace": OUTER}, trunk)
    house.tell(*entries())
    (call,) = house.exported
    outer = read_traceparent(OUTER)
    assert outer is not None
    assert (call.context.trace_id == outer.trace_id) is joins
    assert call.parent_id == (outer.span_id if joins else "")


def test_a_call_without_end_takes_no_more_than_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_tracer, "MOST_PARTS", 10)
    house = House()
    house.tell(*entries()[:1], *[Entry(n, 1.0, f.CallerWasSilent()) for n in range(30)], entries()[-1])
    (call,) = house.exported
    assert len(call.entries) == 11 and call.dropped == 21
    assert call.entries[-1].data == FACTS[-1][1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        OUTER + "-more",
        OUTER.replace("0", "g"),
    ],
)
def test_what_is_no_traceparent(text: str) -> None:
    assert read_traceparent(text) is None


def test_a_traceparent_of_a_later_version_is_read() -> None:
    assert read_traceparent("01" + OUTER[2:] + "-more") == read_traceparent(OUTER)
    context = read_traceparent(OUTER)
    assert context is not None and context.traceparent == OUTER
