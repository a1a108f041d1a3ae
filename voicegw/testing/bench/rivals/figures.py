"""What the steps come to: percentiles, ratios to voicegw, and whether the aims were met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from voicegw.testing.bench._report import percentile, show
from voicegw.testing.bench.rivals.measure import Step

OURS: Final = "voicegw"
FAST: Final = "-fast"
"""Ends the name of a system's row with its fastest sensible settings."""
AIM_CALLS: Final = 5
_AIM_CPU: Final = {"pipecat": 30.0, "livekit": 10.0}
"""So many times our processor seconds a rival needs, in the cheaper of its rows."""
_AIM_MB: Final = 2.0
_QUIET_CORES: Final = 0.15
"""A machine whose other processes need no more than this is quiet."""
_PERCENTS: Final = (50.0, 95.0)
_LATENCIES: Final[dict[str, Callable[[Step], list[float]]]] = {
    "answers sooner": lambda step: step.responses_ms,
    "stops sooner": lambda step: step.stops_ms,
}


def figures(steps: Sequence[Step]) -> dict[str, object]:
    """The JSON object: a row a step, with its ratios to ours."""
    return {"steps": [_row(step, _opposite(steps, step)) for step in steps]}


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
        "others_cores": round(step.others_cores, 2),
        "failures": step.failures,
    }
    if ours is not None:
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


def _ratio(theirs: float, ours: float) -> float:
    return round(theirs / ours, 1) if theirs > 0 and ours > 0 else 0.0


def _find(steps: Sequence[Step], system: str, calls: int) -> Step | None:
    return next((step for step in steps if step.system == system and step.calls == calls and step.spoken), None)


def _opposite(steps: Sequence[Step], step: Step) -> Step | None:
    """Our row that a rival's is held against: default by default, fastest by fastest."""
    if step.system.startswith(OURS):
        return None
    fast = _find(steps, OURS + FAST, step.calls) if step.system.endswith(FAST) else None
    return fast or _find(steps, OURS, step.calls)


# ------------------------------------------------------------ aims


def verdicts(steps: Sequence[Step]) -> dict[str, bool]:
    """The aims at :data:`AIM_CALLS` calls (or the most there were), each with whether it was met."""
    calls = (
        AIM_CALLS if any(step.calls == AIM_CALLS for step in steps) else max((s.calls for s in steps), default=0)
    )
    own = [step for step in steps if step.system.startswith(OURS)]
    judged = [step for step in steps if step.calls == calls]
    found = {
        "every call to voicegw went through": bool(own) and all(s.spoken and not s.failures for s in own),
        f"{calls} calls: every system bore them": all(s.spoken and not s.failures for s in judged),
    }
    for rival, times in _AIM_CPU.items():
        rows = [step for step in judged if step.system.startswith(rival) and step.spoken]
        found |= _cpu_verdict(rows, _find(steps, OURS, calls), rival, times)
        for row in rows:
            found |= _latency_verdicts(row, _opposite(steps, row))
    if memory := [step.mb_per_call for step in own if step.spoken and step.calls >= calls]:
        found[f"at most {_AIM_MB:.0f} MB a call"] = max(memory) <= _AIM_MB
    return found


def _cpu_verdict(rows: Sequence[Step], ours: Step | None, rival: str, times: float) -> dict[str, bool]:
    """Against the cheaper of the rival's rows."""
    if not rows or ours is None:
        return {}
    cheapest = min(ratios(row, ours)["cpu"] for row in rows)
    return {f"{ours.calls} calls: {rival} needs at least {times:.0f} times our processor time": cheapest >= times}


def _latency_verdicts(row: Step, ours: Step | None) -> dict[str, bool]:
    """What was not measured is not faster."""
    found: dict[str, bool] = {}
    if ours is None:
        return found
    for name, of in _LATENCIES.items():
        for percent in _PERCENTS:
            own, theirs = of(ours), of(row)
            faster = bool(own) and bool(theirs) and percentile(own, percent) < percentile(theirs, percent)
            found[f"{row.calls} calls: {ours.system} {name} than {row.system}, p{percent:.0f}"] = faster
    return found


# ------------------------------------------------------------ for people


def show_table(steps: Sequence[Step]) -> None:
    """A table; latencies are p50 / p95, ratios a rival's figure by ours."""
    show(f"\n{'':14}{'calls':>6}{'core/call':>11}{'MB/call':>9}{'response ms':>15}{'barge-in ms':>15}   ratios")
    for step in steps:
        ours = _opposite(steps, step)
        times = "  ".join(f"{name} {value:g}" for name, value in ratios(step, ours).items()) if ours else ""
        show(
            f"{step.system:14}{step.calls:>6}{step.cores_per_call:>11.4f}{step.mb_per_call:>9.2f}"
            f"{_pair(step.responses_ms):>15}{_pair(step.stops_ms):>15}   {times}"
        )
    for step in steps:
        if step.others_cores > _QUIET_CORES:
            show(f"{step.system}, {step.calls} calls: others on this machine used {step.others_cores:.1f} cores")
        if step.talked_over:
            show(f"{step.system}, {step.calls} calls: {step.talked_over} lines were talked over")
        for failure, count in Counter(step.failures).items():
            show(f"{step.system}, {step.calls} calls: in {count}, {failure}")


def _pair(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{percentile(values, 50):.0f} / {percentile(values, 95):.0f}"
