"""The turn bench with stub engines: what is left of the answer time when recogniser, model and voice take nothing,
and how much of their time is hidden when they are slow.

The end of a turn is a fixed silence here. The platform's share is the time from the caller's last sample on the
wire to the answer's first packet, less that silence and less the stubs' delays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._report import percentile, show
from voicegw.testing.bench._turn_calls import Load, make_lines, talk_to
from voicegw.testing.bench._turn_log import STAGES, Result, compare
from voicegw.testing.bench._turn_node import WORK_DONE, StubDelays
from voicegw.turn.endpointing import EndpointingConfig, PauseMemory

SILENCE_MS: Final = PauseMemory().threshold_ms(EndpointingConfig())
"""What a caller is given of whom nothing is known yet."""
_STEPS: Final = ("shortest_ms", "longest_ms", "complete_ms", "patient_ms", "sure_ms", "deadline_ms")
SLOW: Final = StubDelays(final_ms=150.0, first_token_ms=300.0, first_audio_ms=100.0)
_AIM_SHARE_MS: Final = 40.0
_AIM_AFTER_DECISION_MS: Final = 60.0
_AIM_STOP_P50_MS: Final = 70.0
_AIM_STOP_P95_MS: Final = 100.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """How slow the stubs are, and whether replies are prepared before the turn is over."""

    name: str
    delays: StubDelays
    speculation: bool


SCENARIOS: Final = (
    Scenario("instant", StubDelays(), speculation=False),
    Scenario("instant, speculating", StubDelays(), speculation=True),
    Scenario("slow", SLOW, speculation=False),
    Scenario("slow, speculating", SLOW, speculation=True),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario came to. ``work`` is the account of the stubs, by stub."""

    scenario: Scenario
    result: Result
    work: dict[str, dict[str, float]]

    @property
    def shares_ms(self) -> list[float]:
        """The platform's own part of each turn; below zero where the stubs' delays ran beside the silence."""
        return [turn.added_ms - self.scenario.delays.sum_ms for turn in self.result.turns]

    @property
    def after_decision_ms(self) -> list[float]:
        """From the end-of-turn decision to the first packet."""
        return [turn.after_decision_ms for turn in self.result.turns]


async def measure(home: Path, load: Load, scenarios: Sequence[Scenario] = SCENARIOS) -> list[Outcome]:
    """One node after the other."""
    audio = await make_lines(home / "cache")
    outcomes: list[Outcome] = []
    for number, scenario in enumerate(scenarios):
        show(f"\n{scenario.name}: {_delays_text(scenario.delays)}")
        endpointing = dict.fromkeys(_STEPS, SILENCE_MS)
        async with NodeProcess(home / f"node{number}", {"endpointing": endpointing}, _program(scenario)) as node:
            talk = await talk_to(node.uri("demo"), audio, load)
        outcomes.append(Outcome(scenario, compare(talk, node.logs()), work_of(node.output)))
    return outcomes


def _program(scenario: Scenario) -> tuple[str, ...]:
    delays = msgspec.json.encode(scenario.delays).decode()
    program = ("-m", "voicegw.testing.bench._turn_node", "--delays", delays)
    return (*program, "--speculate") if scenario.speculation else program


def work_of(output: str) -> dict[str, dict[str, float]]:
    """The account of the stubs from a node's log; empty if it wrote none."""
    for line in reversed(output.splitlines()):
        if WORK_DONE in line:
            entry = json.loads(line)
            return {name: entry[name] for name in ("asr_ms", "llm_tokens", "tts_ms")}
    return {}


def _delays_text(delays: StubDelays) -> str:
    return (
        f"final text after {delays.final_ms:.0f} ms, first token {delays.first_token_ms:.0f} ms, "
        f"one every {delays.token_ms:.0f} ms, first audio {delays.first_audio_ms:.0f} ms"
    )


# ------------------------------------------------------------ what it came to


def figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The JSON object."""
    return {"silence_ms": SILENCE_MS, "scenarios": {o.scenario.name: _figures(o) for o in outcomes}}


def _figures(outcome: Outcome) -> dict[str, object]:
    result = outcome.result
    rows = {
        "total_ms": [turn.total_ms for turn in result.turns],
        "share_ms": outcome.shares_ms,
        "after_decision_ms": outcome.after_decision_ms,
        "barge_in_stop_ms": result.stops_ms,
    }
    found: dict[str, object] = {
        "turns": len(result.turns),
        "speculated": sum(turn.speculated for turn in result.turns),
        "barge_ins": len(result.stops_ms),
    }
    for name, values in rows.items():
        found[f"{name}_p50"], found[f"{name}_p95"] = percentile(values, 50), percentile(values, 95)
    stages = {name: percentile([turn.stages[name] for turn in result.turns], 50) for name in STAGES}
    return {
        **found,
        "stages_p50": stages,
        "work": outcome.work,
        "turns_without_timing": result.unmatched,
        "failures": result.failures,
    }


def verdicts(outcomes: Sequence[Outcome]) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    plain = [share for o in outcomes if not o.scenario.speculation for share in o.shares_ms]
    guessed = [ms for o in outcomes if o.scenario.speculation for ms in o.after_decision_ms]
    stops = [stop for o in outcomes for stop in o.result.stops_ms]
    complete = all(o.result.turns and not o.result.failures and not o.result.unmatched for o in outcomes)
    return {
        "every line was answered": bool(outcomes) and complete,
        f"the platform's own share at most {_AIM_SHARE_MS:.0f} ms p95": _within(plain, 95, _AIM_SHARE_MS),
        f"with speculation at most {_AIM_AFTER_DECISION_MS:.0f} ms p95 after the decision": _within(
            guessed, 95, _AIM_AFTER_DECISION_MS
        ),
        f"barge-in stops the agent within {_AIM_STOP_P50_MS:.0f} ms p50": _within(stops, 50, _AIM_STOP_P50_MS),
        f"barge-in stops the agent within {_AIM_STOP_P95_MS:.0f} ms p95": _within(stops, 95, _AIM_STOP_P95_MS),
    }


def _within(values: Sequence[float], percent: float, aim: float) -> bool:
    return bool(values) and percentile(values, percent) <= aim


def show_table(outcomes: Sequence[Outcome]) -> None:
    """A table for people."""
    show(f"\n{'p50 / p95 ms':22}{'whole':>14}{'share':>14}{'after decision':>18}{'barge-in stop':>16}")
    for outcome in outcomes:
        result = outcome.result
        cells = (
            [turn.total_ms for turn in result.turns],
            outcome.shares_ms,
            outcome.after_decision_ms,
            result.stops_ms,
        )
        widths = (14, 14, 18, 16)
        texts = (f"{percentile(cell, 50):.0f} / {percentile(cell, 95):.0f}" for cell in cells)
        row = "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))
        show(f"{outcome.scenario.name:22}{row}")
    show("")
    for outcome in outcomes:
        stages = "  ".join(f"{s} {percentile([t.stages[s] for t in outcome.result.turns], 50):.0f}" for s in STAGES)
        prepared = sum(turn.speculated for turn in outcome.result.turns)
        show(f"{outcome.scenario.name}: {stages}; prepared {prepared} of {len(outcome.result.turns)}")
        for name, work in outcome.work.items():
            show(f"  {name:10} " + ", ".join(f"{key} {value:.0f}" for key, value in work.items()))
        for failure in outcome.result.failures:
            show(f"  {failure}")
