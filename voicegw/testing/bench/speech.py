"""The speech bench: callers who want an appointment, and how many of them get it.

Each caller has a voice that is not the agent's, a day, a time and a six-digit account number, and their own way to
say so. They speak over G.711 with the appointment line of the shipped dialplan and answer what they are asked: a
second time if they are asked again, and with "no" if the agent reads something wrong back. What the agent says they
take from the call's record, for their own ears are not what is measured. A caller succeeds when the agent has said
goodbye and its record holds what the caller wanted.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.call.facts import AgentSpoke, CallerSpoke, CallHasEnded, CallWasOffered, Entry, SlotWasFilled
from voicegw.config import load_config
from voicegw.testing.bench._clinic import SLOTS, Caller, callers
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.speech_eval import on_the_line
from voicegw.testing.story import Stage
from voicegw.testing.word_errors import word_errors

_AIM: Final = 0.95
"""19 of 20."""
_MAX_LINES: Final = 16
_QUIET_MS: Final = 400
_PATIENCE_S: Final = 30.0


@dataclass(slots=True)
class Run:
    """One call, from its facts and from what the caller said."""

    caller: Caller
    said: list[str] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)
    slots: dict[str, str] = field(default_factory=dict)
    agent_said: list[str] = field(default_factory=list)
    ending: str = ""
    problem: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, entry: Entry) -> None:
        """A fact of this call."""
        match entry.data:
            case AgentSpoke(heard=heard) if heard:
                self.agent_said.append(heard)
            case CallerSpoke(text=text):
                self.understood.append(text)
            case SlotWasFilled(name=name, value=value):
                self.slots[name] = value
            case CallHasEnded(cause=cause):
                self.ending = cause
            case _:
                return
        self.changed.set()

    async def until_agent_said(self, utterances: int) -> None:
        """Wait until the agent has said so much in all, or the call has ended; LocalError if neither happens."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while len(self.agent_said) < utterances and not self.ending:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise LocalError("the agent says nothing") from None

    @property
    def succeeded(self) -> bool:
        """Whether the caller has the appointment that they wanted."""
        right = all(self.slots.get(name) == value for name, value in self.caller.wanted.items())
        return right and self.slots.get("correct") == "true" and self.ending == "agent_hangup"

    @property
    def at_first_try(self) -> bool:
        """Whether nothing had to be said twice."""
        return self.succeeded and len(self.said) == len(SLOTS) + 1

    @property
    def errors(self) -> int:
        """Words understood wrongly, over the whole call."""
        return word_errors(plain(" ".join(self.said)), " ".join(self.understood))

    @property
    def words(self) -> int:
        """Words said."""
        return len(plain(" ".join(self.said)).split())


def plain(text: str) -> str:
    """As the recogniser writes it: no commas, which only make a voice pause, and "p.m." for "p m"."""
    return re.sub(r"\b([ap]) m\b", r"\1.m.", text.replace(",", ""))


def figures(runs: Sequence[Run], asr_audio_ms: int, asr_decode_ms: int) -> dict[str, object]:
    """The JSON object."""
    count = max(1, len(runs))
    return {
        "runs": len(runs),
        "task_success": round(sum(run.succeeded for run in runs) / count, 3),
        "first_try_success": round(sum(run.at_first_try for run in runs) / count, 3),
        "lines_per_call": round(sum(len(run.said) for run in runs) / count, 2),
        "word_error_rate": round(sum(run.errors for run in runs) / max(1, sum(run.words for run in runs)), 3),
        "real_time_factor": round(asr_decode_ms / max(1, asr_audio_ms), 3),
    }


def verdicts(runs: Sequence[Run]) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    succeeded = sum(run.succeeded for run in runs)
    return {"at least 19 of 20 callers get their appointment": bool(runs) and succeeded >= _AIM * len(runs)}


class _Line:
    """The calls that are going on, by the number that the caller gives as their own."""

    def __init__(self) -> None:
        self._by_number: dict[str, Run] = {}
        self._by_call: dict[CallId, Run] = {}

    def expect(self, number: str, run: Run) -> None:
        """This caller is about to call."""
        self._by_number[number] = run

    def on_fact(self, call_id: CallId, entry: Entry) -> None:
        """Any fact of any call."""
        if isinstance(entry.data, CallWasOffered) and (run := self._by_number.get(entry.data.calling)):
            self._by_call[call_id] = run
        elif known := self._by_call.get(call_id):
            known.take(entry)


async def measure(home: Path, count: int, parallel: int) -> tuple[list[Run], int, int]:
    """All runs, and the recogniser's audio and decoding time in ms."""
    line = _Line()
    config = load_config(None)
    config = replace(config, paths=replace(config.paths, cache=str(home / "cache")))
    runs = [Run(caller) for caller in callers(count, datetime.now().astimezone().date())]
    waiting = list(enumerate(runs))
    waiting.reverse()
    async with Stage(config, home, line.on_fact) as stage:

        async def place_calls() -> None:
            while waiting:
                number, run = waiting.pop()
                line.expect(str(number), run)
                try:
                    await _call(stage, number, run)
                except LocalError as error:
                    run.problem = str(error)
                _show(number, run)

        await asyncio.gather(*(place_calls() for _ in range(parallel)))
        counters = stage.node.counters
        return runs, counters.get("asr_audio_ms"), counters.get("asr_decode_ms")


async def _call(stage: Stage, number: int, run: Run) -> None:
    """Answer what is asked until the agent hangs up."""
    voice = stage.voice(run.caller.voice, run.caller.rate)
    address = stage.address
    call = await stage.phone.dial(f"sip:appointments@{address.host}:{address.port}", f"sip:{number}@127.0.0.1")
    answered = 0
    try:
        while len(run.said) < _MAX_LINES:
            await run.until_agent_said(answered + 1)
            if not call.over:
                await call.wait_far_quiet(_QUIET_MS, _PATIENCE_S)
            if run.ending or call.over:
                break
            text = run.caller.reply_to(" ".join(run.agent_said[answered:]), run.slots, run.said)
            answered = len(run.agent_said)
            if text:
                run.said.append(text)
                await call.say(on_the_line(await voice.make(text), seed=len(run.said)))
        await call.wait_ended(_PATIENCE_S)
        await run.until_agent_said(sys.maxsize)
    finally:
        if not call.over:
            await call.hang_up()
        stage.phone.forget(call)


def _show(number: int, run: Run) -> None:
    caller = run.caller
    verdict = "right" if run.at_first_try else f"right after {len(run.said)} lines" if run.succeeded else "WRONG"
    show(f"{number:3}  {caller.voice:5} {caller.rate:.1f}  {verdict}{f' ({run.problem})' if run.problem else ''}")
    if run.at_first_try and not run.errors:
        return
    show(f"     wanted      {caller.wanted}")
    show(f"     understood  { ({name: run.slots.get(name) for name in SLOTS}) }, ended by {run.ending or 'nobody'}")
    show(f"     said   {' | '.join(run.said)}")
    show(f"     heard  {' | '.join(run.understood)}")
    if not run.succeeded:
        show(f"     agent  {' | '.join(run.agent_said)}")


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("speech", "Task success, word errors and decoding time of the appointment line.")
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--parallel", type=int, default=4, help="calls at a time")
    arguments = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        runs, audio_ms, decode_ms = asyncio.run(measure(Path(folder), arguments.runs, arguments.parallel))
    found = figures(runs, audio_ms, decode_ms)
    for name, value in found.items():
        show(f"{name:18} {value}")
    conclude(found, verdicts(runs), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
