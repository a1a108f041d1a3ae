"""The turn bench: how long a caller waits for an answer, and how long an interrupted agent goes on.

A telephone of its own process talks with a node over real RTP and dates what it sends and hears at the wire. From
the last audible sample of the caller to the first audible packet of the agent is one turn; what the node wrote down
about it splits it into stages. ``added`` is the whole less the silence that the endpointing waits for on purpose. A
barge-in counts from the caller's first audible sample to the last packet that is not digital silence.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import LocalError
from voicegw.call.facts import AgentSpoke, CallWasOffered, Entry, TurnWasTimed
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._report import conclude, parser, percentile, show
from voicegw.testing.bench._wire import Said, WireCall, WirePhone, speech_bounds
from voicegw.testing.synthetic_caller import CallerVoice
from voicegw.turn.endpointing import EndpointingConfig

_LINES: Final = (
    "what are your opening hours",
    "where are you located",
    "when do you close",
    "what is your address please",
    "are you open on saturday",
    "how do i get there",
)
_VOICES: Final = ("rms", "awb", "kal16")
_INTERRUPT_AFTER_S: Final = (0.8, 1.1, 1.4, 0.95, 1.25, 1.55)
"""Into the agent's answer; not always the same place of a sentence, nor of a 20 ms frame."""
_WARM_UP: Final = 9999
"""The number of a caller whose turns do not count."""
_QUIET_S: Final = 1.0
_LISTEN_S: Final = 0.5
"""Before hanging up: an answer that is cut off at its first packet is not written down."""
_PATIENCE_S: Final = 30.0
_MATCH_S: Final = 0.5
_AIM_ADDED_MS: Final = 150.0
_AIM_STOP_MS: Final = 120.0
STAGES: Final = ("hearing", "endpointing", "asr", "agent", "tts", "playout", "lead_in")
"""Hearing: from the caller's last sound on the wire to the end of speech as the node dates it (jitter buffer and
detector). Lead-in: from the answer's first packet to its first audible one."""


@dataclass(frozen=True, slots=True)
class WireTurn:
    """One line of the caller, in monotonic seconds of the caller's side. ``stopped_at`` is set for barge-ins."""

    onset_at: float
    end_at: float
    answer_at: float
    stopped_at: float | None = None


@dataclass(frozen=True, slots=True)
class TimedTurn:
    """A turn in milliseconds: all of it, the part that nobody wanted, and the stages."""

    total_ms: float
    added_ms: float
    stages: dict[str, float]


@dataclass(slots=True)
class Result:
    """Everything measured."""

    turns: list[TimedTurn] = field(default_factory=list)
    stops_ms: list[float] = field(default_factory=list)
    unmatched: int = 0
    failures: list[str] = field(default_factory=list)


def wanted_silence_ms(config: EndpointingConfig, endpointing_ms: float) -> int:
    """The longest silence of the policy that fits into what the node waited: what is left over is its delay."""
    steps = sorted((config.complete_silence_ms, config.silence_ms, config.patient_silence_ms))
    return max((step for step in steps if step <= endpointing_ms + 1.0), default=steps[0])


def time_turn(turn: WireTurn, log: Sequence[Entry], wall_offset_s: float) -> TimedTurn | None:
    """Split a turn by what the node wrote down; None if it wrote nothing that fits.

    ``wall_offset_s`` is wall less monotonic time: a log counts from the moment of its first fact.
    """
    offered = next(entry.data for entry in log if isinstance(entry.data, CallWasOffered))
    start = datetime.fromisoformat(offered.started_at).timestamp() - wall_offset_s

    def distance(position_ms: float) -> float:
        return abs(start + position_ms / 1000 - turn.answer_at)

    timings = [entry for entry in log if isinstance(entry.data, TurnWasTimed)]
    entry = min(timings, key=lambda candidate: distance(candidate.at_ms), default=None)
    if entry is None or distance(entry.at_ms) > _MATCH_S or not isinstance(entry.data, TurnWasTimed):
        return None
    timing = entry.data
    # The log dates the answer's first packet and the stages before it; the rest lies before and after them.
    answers = [e.data.started_ms for e in log if isinstance(e.data, AgentSpoke)]
    begun = start + min(answers, key=lambda at: abs(at - entry.at_ms)) / 1000
    lead_in = (turn.answer_at - begun) * 1000
    total = (turn.answer_at - turn.end_at) * 1000
    stages = {
        "hearing": total - timing.total_ms - lead_in,
        "endpointing": timing.endpointing_ms,
        "asr": timing.asr_ms,
        "agent": timing.agent_ms,
        "tts": timing.tts_ms,
        "playout": timing.playout_ms,
        "lead_in": lead_in,
    }
    added = total - wanted_silence_ms(EndpointingConfig(), timing.endpointing_ms)
    return TimedTurn(total, added, stages)


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


async def measure(home: Path, calls: int, parallel: int, lines: int) -> Result:
    """``calls`` calls of ``lines`` lines each, ``parallel`` at a time."""
    result = Result()
    spoken: dict[str, list[WireTurn]] = {}
    audio = await _make_audio(home / "cache")
    async with NodeProcess(home / "node") as node, WirePhone() as phone:
        # A node that has just started makes every sentence and every decoder for the first time: not measured.
        await _talk(phone, node.uri("demo"), _WARM_UP, [audio[0][i % len(_LINES)] for i in range(lines)], [])

        async def caller(first: int) -> None:
            for number in range(first, calls, parallel):
                turns = spoken[str(number)] = []
                voice = audio[number % len(audio)]
                try:
                    await _talk(
                        phone, node.uri("demo"), number, [voice[i % len(voice)] for i in range(lines)], turns
                    )
                except LocalError as error:
                    result.failures.append(f"call {number}, line {len(turns) + 1}: {error}")

        await asyncio.gather(*(caller(first) for first in range(parallel)))
        offset = time.time() - time.monotonic()
    logs = node.logs()
    for number, turns in spoken.items():
        for turn in turns:
            _add(result, turn, logs.get(number, []), offset)
    return result


def _add(result: Result, turn: WireTurn, log: Sequence[Entry], offset: float) -> None:
    timed = time_turn(turn, log, offset) if log else None
    if timed is None:
        result.unmatched += 1
    else:
        result.turns.append(timed)
    if turn.stopped_at is not None:
        result.stops_ms.append((turn.stopped_at - turn.onset_at) * 1000)


async def _make_audio(cache: Path) -> list[list[NDArray[np.int16]]]:
    """All lines in all voices."""
    tts = make_tts("flite", EngineSettings(1, cache))
    await tts.start()
    try:
        voices = [CallerVoice(tts, name) for name in _VOICES]
        return [[np.frombuffer(await voice.make(line), np.int16) for line in _LINES] for voice in voices]
    finally:
        await tts.close()


async def _talk(
    phone: WirePhone, uri: str, number: int, lines: Sequence[NDArray[np.int16]], turns: list[WireTurn]
) -> None:
    """One call: every third line waits for the agent's end, the others interrupt it."""
    call = await phone.dial(uri, f"sip:{number}@127.0.0.1")
    listened_from = 0.0
    try:
        for index, pcm in enumerate(lines):
            interrupts = index % 3 != 0
            after_s = _INTERRUPT_AFTER_S[(number + index) % len(_INTERRUPT_AFTER_S)]
            await _wait_turn(call, listened_from, after_s if interrupts else None)
            turn = await _speak(call, pcm, interrupts=interrupts)
            turns.append(turn)
            listened_from = turn.answer_at - 0.001
            if number != _WARM_UP:
                _show(number, turn)
        await asyncio.sleep(_LISTEN_S)
    finally:
        await call.hang_up()


async def _wait_turn(call: WireCall, listened_from: float, interrupt_after_s: float | None) -> None:
    """Until the agent has spoken long enough, or is silent again."""
    await call.until(lambda: bool(call.audible_since(listened_from)), _PATIENCE_S, "the agent speaks")
    if interrupt_after_s is None:
        await call.until(
            lambda: not call.audible_since(time.monotonic() - _QUIET_S), _PATIENCE_S, "the agent falls silent"
        )
        return
    begun = call.audible_since(listened_from)[0].at
    # In the middle of a word: in a pause between words there is nothing to stop.
    await call.until(
        lambda: time.monotonic() >= begun + interrupt_after_s and bool(call.audible_since(time.monotonic() - 0.03)),
        _PATIENCE_S,
        "the agent is in mid-word",
    )


async def _speak(call: WireCall, pcm: NDArray[np.int16], *, interrupts: bool) -> WireTurn:
    first, last = speech_bounds(pcm)
    said: Said = call.media.say(pcm)
    await call.until(lambda: said.done, _PATIENCE_S, "the caller speaks")
    onset, end = said.time_of(first), said.time_of(last)
    await call.until(lambda: bool(call.audible_since(end)), _PATIENCE_S, "the agent answers")
    answer = call.audible_since(end)[0].at
    if not interrupts:
        return WireTurn(onset, end, answer)
    tail = [packet.at for packet in call.media.heard if packet.peak and packet.at < end]
    return WireTurn(onset, end, answer, max(tail, default=onset))


def _show(number: int, turn: WireTurn) -> None:
    stop = (
        ""
        if turn.stopped_at is None
        else f", agent stopped after {(turn.stopped_at - turn.onset_at) * 1000:4.0f} ms"
    )
    show(f"call {number}: answered after {(turn.answer_at - turn.end_at) * 1000:5.0f} ms{stop}")


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("turn", "Answer time and barge-in over real RTP.")
    options.add_argument("--calls", type=int, default=4, help="besides one that does not count")
    options.add_argument("--parallel", type=int, default=2, help="calls at a time")
    options.add_argument("--lines", type=int, default=13, help="what a caller says in a call")
    arguments = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(Path(folder), arguments.calls, arguments.parallel, arguments.lines))
    show("\nstage         p50 ms   p95 ms")
    for name in STAGES:
        values = [turn.stages[name] for turn in result.turns]
        show(f"{name:12} {percentile(values, 50):7.1f}  {percentile(values, 95):7.1f}")
    found = figures(result)
    for name, value in found.items():
        if name != "stages":
            show(f"{name:22} {value}")
    conclude(found, verdicts(result), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
