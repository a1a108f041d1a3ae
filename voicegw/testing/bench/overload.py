"""The overload bench: sipp at rising rates, and with rising numbers of held calls, until the real server refuses.

The server is ``voicegw serve`` with its defaults: agent, recordings, store, VAD, PocketSphinx, flite, all of it
on one processor; sipp has another one. Set-ups: calls of a second, the rate rises. Held calls: each hears the agent
and says something now and then, their number rises. After each step nothing may be left, and sipp and the node
must tell the same of every call: what was answered was held to its end, everything else got 503.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from voicegw.testing.bench import _sipp_scenes as s
from voicegw.testing.bench._churn_scenes import sound_of
from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._node_api import NodeApi
from voicegw.testing.bench._overload_step import Step, StepRunner
from voicegw.testing.bench._report import conclude, parser, percentile, show
from voicegw.testing.bench._words import make_words
from voicegw.testing.ports import free_port

_RATES: Final = (2, 5, 10, 15, 20, 30, 40, 60, 80)
_HELD: Final = (10, 20, 40, 60, 80, 120, 160, 200, 240)
_STEP_S: Final = 10.0
_SHORT_MS: Final = 1000
_RAMP_PER_S: Final = 5.0
_CIRCLE_S: Final = 10.0
_BEYOND: Final = 2
"""Steps after the first one that was refused something."""
_SOON_MS: Final = 500.0
"""T1: a 503 after it finds the caller's first repetition of the INVITE under way."""
_AGENT: Final = """
name: talk
greeting: Hello.
limits: {no_input_ms: 3000, max_no_input: 10, max_no_match: 10}
globals: {goodbye: {goto: circle}, human: {goto: circle}}
steps:
  - id: circle
    menu:
      prompt: To hear this once again, please say once again, or press one. Nobody is in a hurry.
      keys: {1: {phrases: [once again], goto: circle}}
"""
_DIALPLAN: Final = "routes: [{name: talk, agent: talk}]\n"


@dataclass(slots=True)
class Overload:
    """What came of it."""

    setups: list[Step] = field(default_factory=list)
    held: list[Step] = field(default_factory=list)
    exit_status: int = -1


class Bench:
    """One run in a folder of its own."""

    def __init__(self, home: Path, t1_ms: int, max_calls: int, speaking: float) -> None:
        self._home = home
        self._t1_ms = t1_ms
        self._max_calls = max_calls
        self._speaking = speaking
        *_, self._sipp_core, self._core = sorted(os.sched_getaffinity(0)) * 2
        self.result = Overload()

    async def run(self, rates: Sequence[float], held: Sequence[int], step_s: float) -> Overload:
        """Everything; prints a line for each step."""
        (self._home / "agents").mkdir()
        (self._home / "agents" / "talk.yaml").write_text(_AGENT)
        (self._home / "dialplan.yaml").write_text(_DIALPLAN)
        words = await make_words(self._home / "speech", "once again please")
        seconds = len(words) / 16_000
        sound = self._home / "words.ulaw"
        sound.write_bytes(sound_of(words, 2.0, max(_CIRCLE_S, seconds / max(self._speaking, 0.01))))
        api_port = free_port()
        async with NodeProcess(self._home / "node", self._settings(api_port), core=self._core) as node:
            api = await asyncio.to_thread(NodeApi, node, api_port)
            horizon_s = 64 * self._t1_ms / 1000 + 15.0
            steps = StepRunner(self._home / "sipp", node, api, self._sipp_core, horizon_s)
            try:
                await self._climb(rates, self.result.setups, partial(_short, steps, step_s))
                await self._climb(held, self.result.held, partial(_held, steps, step_s, sound))
            finally:
                api.close()
            self.result.exit_status = await node.stop()
        return self.result

    def _settings(self, api_port: int) -> dict[str, Mapping[str, object]]:
        own = {name: str(self._home / name) for name in ("agents", "calls", "recordings", "cache")}
        return {
            "sip": {"t1_ms": self._t1_ms},
            "paths": {**own, "dialplan": str(self._home / "dialplan.yaml"), "control": ""},
            "store": {"url": f"sqlite:///{self._home}/store.sqlite", "spool": str(self._home / "spool")},
            "api": {"enabled": True, "listen_port": api_port, "key_file": str(self._home / "secrets.key")},
            "limits": {"max_calls": self._max_calls, "drain_s": 5.0},
        }

    async def _climb(
        self, marks: Sequence[float], found: list[Step], step: Callable[[float], Awaitable[Step]]
    ) -> None:
        beyond = 0
        for mark in marks:
            found.append(await step(mark))
            show(_line(found[-1]))
            beyond += not _is_good(found[-1])
            if beyond > _BEYOND:
                return


async def _short(steps: StepRunner, step_s: float, per_s: float) -> Step:
    """Calls of a second, so many a second."""
    text = s.taken_or_refused(s.description(), s.pause(_SHORT_MS), s.hang_up(2))
    return await steps.run(f"{per_s:g} a second", text, per_s, round(per_s * step_s), _SHORT_MS / 1000)


async def _held(steps: StepRunner, step_s: float, sound: Path, number: float) -> Step:
    """So many calls at once for ``step_s``, after a ramp."""
    hold_s = number / _RAMP_PER_S + step_s
    body = s.description(port="[rtpstream_audio_port]")
    text = s.taken_or_refused(body, s.speak(sound, -1), s.pause(round(hold_s * 1000)), s.hang_up(2))
    return await steps.run(f"{number:g} held", text, _RAMP_PER_S, round(number), hold_s)


# ---------------------------------------------------------------- what it says


def _is_good(step: Step) -> bool:
    """Every call was taken, and went as it should."""
    return step.up == step.outcome.began and not step.outcome.failed


def _cpu(step: Step) -> float:
    """Of all the server's processes, in seconds."""
    return sum(step.cpu_ms.values()) / 1000


def _row(step: Step) -> dict[str, object]:
    refusals, setups = (step.outcome.times_ms.get(name, ()) for name in ("refusal", "setup"))
    words = step.counted["first_words"]
    return {
        "step": step.name,
        "calls": step.outcome.began,
        "up": step.up,
        "refused": step.refused,
        "failed": step.outcome.failed,
        "at_once": step.peak_calls,
        "setup_ms": [percentile(setups, 50), percentile(setups, 99)],
        "refusal_ms": [percentile(refusals, 50), percentile(refusals, 99)],
        "first_word_ms": round(1000 * step.counted["first_words_s"] / words) if words else 0,
        "cpu_ms_a_call": {role: round(ms / max(1, step.up), 1) for role, ms in step.cpu_ms.items() if ms >= 1},
        "core": round(_cpu(step) / step.seconds, 2),
        "lost_frames": round(step.counted["lost_frames"]),
        "late_ticks_percent": round(100 * step.counted["late_ticks"] / max(1, step.counted["ticks"]), 1),
        "workers_lost": round(step.counted["workers_lost"]),
        "left": dict(step.left),
        "quiet_after_s": round(step.quiet_after_s, 1),
        "balanced": step.is_balanced,
        "fds": sum(use.fds for use in step.uses),
        "rss_mb": round(sum(use.rss_kb for use in step.uses) / 1024, 1),
    }


def figures(result: Overload) -> dict[str, object]:
    """The JSON object. What a core carries by CPU time is reckoned from the last good step."""
    found: dict[str, object] = {"exit_status": result.exit_status}
    good = [step for step in result.setups if _is_good(step)]
    if good:
        cost_s = _cpu(good[-1]) / good[-1].up
        found |= {"setups_per_s": good[-1].per_s, "cpu_ms_a_setup": round(1000 * cost_s, 1)}
        found["setups_per_s_of_a_core"] = round(1 / cost_s, 1)
    held = [step for step in result.held if _is_good(step)]
    if held:
        share = _cpu(held[-1]) / held[-1].seconds / _mean_calls(held[-1])
        found |= {"held_calls": held[-1].up, "core_a_held_call": round(share, 4)}
        found["held_calls_of_a_core"] = round(1 / share)
    found["setups"] = [_row(step) for step in result.setups]
    found["held"] = [_row(step) for step in result.held]
    return found


def _mean_calls(step: Step) -> float:
    """Calls that were up at once, on average over the step: each was held for the same time."""
    ramp_s = step.up / _RAMP_PER_S
    hold_s = max(step.seconds - ramp_s, 0.1)
    return step.up * hold_s / step.seconds


def verdicts(result: Overload) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    steps = [*result.setups, *result.held]
    refused = [step for step in steps if step.refused]
    first, last = (sum(use.fds for use in steps[place].uses) for place in (0, -1))
    return {
        "sipp and the node tell the same of every call": all(step.is_balanced for step in steps),
        "nothing half open: every call was held to its end, or got 503": not any(
            step.outcome.failed or step.outcome.undecided or step.counted["never_acknowledged"] for step in steps
        ),
        "no call, dialog, transaction, leg or port is left after a step": not any(step.left for step in steps),
        f"every step beyond the limit is told so, by 503 within {_SOON_MS:.0f} ms (95 of 100)": all(
            percentile(step.outcome.times_ms.get("refusal", ()), 95) <= _SOON_MS for step in refused
        ),
        "no more descriptors at the end than after the first step": last <= first,
        "no media worker was lost, and the node ended well": (
            not result.exit_status and not any(step.counted["workers_lost"] for step in steps)
        ),
    }


def _line(step: Step) -> str:
    return "  ".join(f"{name} {value}" for name, value in _row(step).items())


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("overload", "Set-ups a second and calls at once until the server refuses.")
    options.add_argument("--rates", type=float, nargs="*", default=_RATES, help="calls a second, rising")
    options.add_argument("--held", type=int, nargs="*", default=_HELD, help="calls at once, rising")
    options.add_argument("--seconds", type=float, default=_STEP_S, help="length of a step")
    options.add_argument("--speaking", type=float, default=0.1, help="part of the time that a held caller speaks")
    options.add_argument("--t1-ms", type=int, default=500, help="shorter: transactions are forgotten sooner")
    options.add_argument("--max-calls", type=int, default=200, help="limits.max_calls of the server")
    options.add_argument(
        "--home", type=Path, metavar="DIR", help="an empty folder; all that is written stays there"
    )
    arguments = options.parse_args(argv)
    with ExitStack() as stack:
        folder = arguments.home or stack.enter_context(tempfile.TemporaryDirectory())
        bench = Bench(Path(folder), arguments.t1_ms, arguments.max_calls, arguments.speaking)
        result = asyncio.run(bench.run(arguments.rates, arguments.held, arguments.seconds))
    found = figures(result)
    for name, value in found.items():
        if not isinstance(value, list):
            show(f"{name:24} {value}")
    conclude(found, verdicts(result), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
