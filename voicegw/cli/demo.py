"""``voicegw demo``: a server, a synthetic caller, one real SIP/RTP call between them, and whether it worked."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from voicegw.audio.wav import parse
from voicegw.base.ids import CallId
from voicegw.base.log import configure
from voicegw.call import facts as f
from voicegw.config import LogConfig, load_config
from voicegw.server import make_directory
from voicegw.testing.order_service import OrderService
from voicegw.testing.story import Outcome, Stage, Story
from voicegw.testing.summary import clock, summary_page, timing_text
from voicegw.testing.synthetic_caller import CallerLine

RECEPTION = Story(
    called="demo",
    lines=(
        CallerLine("what are your opening hours"),
        CallerLine("i would like to book an appointment please", interrupt_after_s=1.6),
        CallerLine("next tuesday"),
        CallerLine("half past three"),
        CallerLine("yes that is right"),
        CallerLine("no thank you that's all"),
    ),
    slots={"time": "15:30", "correct": "true"},
)
ORDERS = Story(
    called="orders",
    lines=(
        CallerLine("four seven one one"),
        CallerLine("yes please", interrupt_after_s=2.5),
        CallerLine("nine zero nine zero"),
        CallerLine("no thank you"),
    ),
    slots={"order": "9090", "again": "false"},
    voice="kal16",
)
STORIES = {story.called: story for story in (RECEPTION, ORDERS)}
MAX_WORD_ERRORS = 0.34
"""A turn is understood word for word up to a third; the values must be right in any case."""
AUDIBLE_DBOV = -45.0
TUESDAY = 1


def run(arguments: argparse.Namespace) -> int:
    """Play the line's story; 0 only if the conversation really happened."""
    level = "info" if arguments.verbose else "error"
    configure(level, json_lines=False)
    home = make_directory(str(Path(arguments.out).resolve()), "the directory given by --out")
    story = STORIES[arguments.line]
    outcome = asyncio.run(_play(story, home, level))
    problems = [*outcome.missing(story), *_misheard(outcome), *_silent_channels(outcome)]
    if story is RECEPTION:
        problems += _wrong_day(outcome)
    page = home / "summary.md"
    page.write_text(summary_page(outcome.record, outcome.texts(), problems), encoding="utf-8")
    wav = outcome.record.recording.path if outcome.record.recording else "-"
    print(f"\nrecording  {wav}\nsummary    {page}")
    for problem in problems:
        print(f"NOT AS IT SHOULD BE: {problem}", file=sys.stderr)
    print("the conversation took place" if not problems else "the conversation did not take place as it should")
    return 1 if problems else 0


async def _play(story: Story, home: Path, log_level: str) -> Outcome:
    print("starting the server, the shop's order service and a caller on this machine ...", flush=True)
    shop = OrderService(port=0)
    await shop.start()
    os.environ["VOICEGW_ORDERS_URL"] = f"http://127.0.0.1:{shop.port}"
    try:
        config = replace(load_config(None), log=LogConfig(level=log_level))
        async with Stage(config, home, _show) as stage:
            print(f"calling sip:{story.called}@{stage.address.host}:{stage.address.port}\n", flush=True)
            return await stage.play(story)
    finally:
        await shop.close()


def _show(_call_id: CallId, entry: f.Entry) -> None:
    """The live transcript: a line as soon as it is a fact."""
    match entry.data:
        case f.AgentSpoke(heard=heard, interrupted=interrupted, started_ms=started) if heard:
            print(f"{clock(started):>7}  agent   {heard}{' — (interrupted)' if interrupted else ''}", flush=True)
        case f.CallerSpoke(text=text, confidence=confidence, started_ms=started):
            print(f"{clock(started):>7}  caller  {text}   (confidence {confidence:.2f})", flush=True)
        case f.TurnWasTimed() as timing:
            print(f"{'':>9}        {timing_text(timing)}", flush=True)
        case f.CallerBargedIn(stop_ms=stop_ms):
            print(f"{'':>9}        interrupted: the agent's last packet left after {stop_ms:.0f} ms", flush=True)
        case f.CallHasEnded(text=text, duration_ms=duration):
            print(f"{clock(duration):>7}  ended:  {text}", flush=True)
        case _:
            pass


def _wrong_day(outcome: Outcome) -> list[str]:
    """A Tuesday within two weeks: what "next tuesday" means depends on whom one asks."""
    understood = outcome.record.slots.get("day", "")
    coming = {(date.today() + timedelta(days=ahead)).isoformat() for ahead in range(15)}
    if understood not in coming or date.fromisoformat(understood).weekday() != TUESDAY:
        return [f"the day was understood as {understood!r}, not as one of the next two Tuesdays"]
    return []


def _misheard(outcome: Outcome) -> list[str]:
    errors = outcome.word_errors()
    if errors > MAX_WORD_ERRORS:
        return [f"{errors:.0%} of the caller's words were misunderstood"]
    return []


def _silent_channels(outcome: Outcome) -> list[str]:
    """Both voices must be in the file, each on its own side."""
    recording = outcome.record.recording
    if recording is None:
        return ["there is no recording"]
    samples = parse(Path(recording.path).read_bytes()).samples.astype(np.float64) / 32768
    problems: list[str] = []
    for side, name in enumerate(("caller", "agent")):
        loudest = np.sqrt(np.mean(samples[: len(samples) // 160 * 160, side].reshape(-1, 160) ** 2, axis=1)).max()
        if 20 * np.log10(loudest + 1e-9) < AUDIBLE_DBOV:
            problems.append(f"the {name} is not audible in the recording")
    return problems
