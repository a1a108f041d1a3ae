"""The turn bench with the engines that ship: how long the reception's callers wait for an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._report import percentile, show
from voicegw.testing.bench._turn_calls import Load, make_lines, talk_to
from voicegw.testing.bench._turn_log import STAGES, Result, compare

_AIM_ADDED_MS: Final = 150.0
_AIM_STOP_MS: Final = 120.0


def figures(result: Result) -> dict[str, object]:
    """The JSON object."""
    added = [turn.added_ms for turn in result.turns]
    total = [turn.total_ms for turn in result.turns]
    stages = {
        name: {
            "p50": percentile([turn.stages[name] for turn in result.turns], 50),
            "p95": percentile([turn.stages[name] for turn in result.turns], 95),
        }
        for name in STAGES
    }
    return {
        "turns": len(added),
        "barge_ins": len(result.stops_ms),
        "added_ms_p50": percentile(added, 50),
        "added_ms_p95": percentile(added, 95),
        "total_ms_p50": percentile(total, 50),
        "total_ms_p95": percentile(total, 95),
        "barge_in_stop_ms_p50": percentile(result.stops_ms, 50),
        "barge_in_stop_ms_p95": percentile(result.stops_ms, 95),
        "stages": stages,
        "turns_without_timing": result.unmatched,
        "failures": result.failures,
    }


def verdicts(result: Result) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    added = percentile([turn.added_ms for turn in result.turns], 95)
    stop = percentile(result.stops_ms, 95)
    return {
        "every line was answered": bool(result.turns) and not result.failures and not result.unmatched,
        f"all but the endpointing silence at most {_AIM_ADDED_MS:.0f} ms p95": added <= _AIM_ADDED_MS,
        f"barge-in stops the agent within {_AIM_STOP_MS:.0f} ms p95": stop <= _AIM_STOP_MS,
    }


async def measure(home: Path, load: Load) -> Result:
    """Talk with ``voicegw serve``."""
    audio = await make_lines(home / "cache")
    async with NodeProcess(home / "node") as node:
        talk = await talk_to(node.uri("demo"), audio, load)
    return compare(talk, node.logs())


def show_stages(result: Result) -> None:
    """A table for people."""
    show("\nstage         p50 ms   p95 ms")
    for name in STAGES:
        values = [turn.stages[name] for turn in result.turns]
        show(f"{name:12} {percentile(values, 50):7.1f}  {percentile(values, 95):7.1f}")
    for name, value in figures(result).items():
        if name != "stages":
            show(f"{name:22} {value}")
