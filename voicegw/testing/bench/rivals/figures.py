"""What the steps come to: percentiles, ratios to voicegw, and whether the aims were met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from voicegw.testing.bench._report import percentile, show
from voicegw.testing.bench.rivals.measure import Step

OURS: Final = "voicegw"
AIM_CALLS: Final = 5
_AIM_CPU: Final = {"pipecat": 30.0, "livekit": 10.0}
"""So many times our processor seconds a rival needs, in the cheaper of its rows."""
_AIM_MB: Final = 2.0
_PERCENTS: Final = (50.0, 95.0)


def figures(steps: Sequence[Step]) -> dict[str, object]:
    """The JSON object: a row a step, with its ratios to ours."""
    return {"steps": [_row(step, _ours_at(steps, step.calls)) for step in steps]}


def _row(step: Step, ours: Step | None) -> dict[str, object]:
    row: dict[str, object] = {
        "system": step.system,
        "calls": step.calls,
        "cores_per_call": round(step.cores_per_call, 5),
        "mb_per_call": round(step.mb_per_call, 2),
        "response_ms_p50": percentile(step.responses_ms, 50),
        "response_ms_p95": percentile(step.responses_ms, 95),
        "barge_in_stop_ms_p50": percentile(step.stops_ms, 50),
        "barge_in_stop_ms_p95": percentile(step.stops_ms, 95),
        "responses": len(step.responses_ms),
        "barge_ins": len(step.stops_ms),
        "talked_over": step.talked_over,
        "failures": step.failures,
    }
    if ours is not None and step.system != OURS:
        row["ratios"] = ratios(step, ours)
    return row


def ratios(step: Step, ours: Step) -> dict[str, float]:
    """A rival's figures by ours; above 1 ours is the smaller. 0 where one of them is missing."""
    return {
        "cpu": _ratio(step.cores_per_call, ours.cores_per_call),
        "memory": _ratio(step.mb_per_call, ours.mb_per_call),
        "response_p50": _ratio(percentile(step.responses_ms, 50), percentile(ours.responses_ms, 50)),
        "barge_in_stop_p50": _ratio(percentile(step.stops_ms, 50), percentile(ours.stops_ms, 50)),
    }


def verdicts(steps: Sequence[Step]) -> dict[str, bool]:
    """The aims at :data:`AIM_CALLS` calls (or the most there were), each with whether it was met."""
    calls = (
        AIM_CALLS if any(step.calls == AIM_CALLS for step in steps) else max((s.calls for s in steps), default=0)
    )
    ours = _ours_at(steps, calls)
    if ours is None:
        return {}
    own = [step for step in steps if step.system == OURS]
    judged = [step for step in steps if step.calls == calls]
    found = {
        "every call to voicegw went through": all(step.spoken and not step.failures for step in own),
        f"{calls} calls: every system bore them": all(step.spoken and not step.failures for step in judged),
    }
    for rival, times in _AIM_CPU.items():
        rows = [step for step in judged if step.system.startswith(rival) and step.spoken]
        if not rows:
            continue
        cheapest = min(ratios(row, ours)["cpu"] for row in rows)
        found[f"{calls} calls: {rival} needs at least {times:.0f} times our processor time"] = cheapest >= times
        for what, name in (("responses_ms", "answer sooner"), ("stops_ms", "stop sooner")):
            for percent in _PERCENTS:
                found[f"{calls} calls: we {name} than {rival}, p{percent:.0f}"] = _faster(ours, rows, what, percent)
    memory = [step.mb_per_call for step in own if step.calls >= min(AIM_CALLS, calls)]
    found[f"at most {_AIM_MB:.0f} MB a call"] = max(memory) <= _AIM_MB
    return found


def _faster(ours: Step, rows: Sequence[Step], what: str, percent: float) -> bool:
    """Whether ours is below all of them; what was not measured is not faster."""
    own = _values(ours, what)
    others = [percentile(_values(row, what), percent) for row in rows if _values(row, what)]
    return bool(own) and bool(others) and percentile(own, percent) < min(others)


def _values(step: Step, what: str) -> list[float]:
    return step.responses_ms if what == "responses_ms" else step.stops_ms


def _ratio(theirs: float, ours: float) -> float:
    return round(theirs / ours, 1) if theirs > 0 and ours > 0 else 0.0


def _ours_at(steps: Sequence[Step], calls: int) -> Step | None:
    return next((step for step in steps if step.system == OURS and step.calls == calls and step.spoken), None)


def show_table(steps: Sequence[Step]) -> None:
    """A table for people; ratios are a rival's figure by ours."""
    show(f"\n{'':14}{'calls':>6}{'core/call':>11}{'MB/call':>9}{'response ms':>15}{'barge-in ms':>15}   ratios")
    for step in steps:
        ours = _ours_at(steps, step.calls)
        times = ""
        if ours is not None and step.system != OURS:
            times = "  ".join(f"{name} {value:g}" for name, value in ratios(step, ours).items())
        show(
            f"{step.system:14}{step.calls:>6}{step.cores_per_call:>11.4f}{step.mb_per_call:>9.2f}"
            f"{_pair(step.responses_ms):>15}{_pair(step.stops_ms):>15}   {times}"
        )
    for step in steps:
        if step.talked_over:
            show(f"{step.system}, {step.calls} calls: {step.talked_over} lines were talked over")
        for failure, count in Counter(step.failures).items():
            show(f"{step.system}, {step.calls} calls: in {count}, {failure}")


def _pair(values: Sequence[float]) -> str:
    return f"{percentile(values, 50):.0f} / {percentile(values, 95):.0f}"
