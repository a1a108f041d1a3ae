"""Callers who are answered and who interrupt, timed at the wire: what the turn benches have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import LocalError
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.testing.bench._report import show
from voicegw.testing.bench._wire import WireCall, WirePhone, speech_bounds
from voicegw.testing.synthetic_caller import CallerVoice

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
WARM_UP: Final = 9999
"""The number of a caller whose turns do not count."""
_QUIET_S: Final = 1.0
_LISTEN_S: Final = 0.5
"""Before hanging up: an answer that is cut off at its first packet is not written down."""
_PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class WireTurn:
    """One line of the caller, in monotonic seconds of the caller's side. ``stopped_at`` is set for barge-ins."""

    onset_at: float
    end_at: float
    answer_at: float
    stopped_at: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """``calls`` calls of ``lines`` lines each, ``parallel`` at a time, after a call that does not count."""

    calls: int
    parallel: int
    lines: int
    warm_up_lines: int


@dataclass(frozen=True, slots=True)
class Talk:
    """What the callers measured, by their numbers, and which calls broke off."""

    turns: dict[str, list[WireTurn]]
    failures: list[str]
    wall_offset_s: float
    """Wall less monotonic time, which dates the node's log on the callers' scale."""


async def make_lines(cache: Path) -> list[list[NDArray[np.int16]]]:
    """All lines in all voices."""
    tts = make_tts("flite", EngineSettings(1, cache))
    await tts.start()
    try:
        voices = [CallerVoice(tts, name) for name in _VOICES]
        return [[np.frombuffer(await voice.make(line), np.int16) for line in _LINES] for voice in voices]
    finally:
        await tts.close()


async def talk_to(uri: str, audio: Sequence[Sequence[NDArray[np.int16]]], load: Load) -> Talk:
    """Make all calls."""
    spoken: dict[str, list[WireTurn]] = {}
    failures: list[str] = []

    async def one(phone: WirePhone, number: int, lines: int, turns: list[WireTurn]) -> None:
        voice = audio[number % len(audio)]
        await _call(phone, uri, number, [voice[i % len(voice)] for i in range(lines)], turns)

    async def caller(phone: WirePhone, first: int) -> None:
        for number in range(first, load.calls, load.parallel):
            turns = spoken[str(number)] = []
            try:
                await one(phone, number, load.lines, turns)
            except LocalError as error:
                failures.append(f"call {number}, line {len(turns) + 1}: {error}")

    async with WirePhone() as phone:
        # A node that has just started makes every sentence and every decoder for the first time: not measured.
        await one(phone, WARM_UP, load.warm_up_lines, [])
        await asyncio.gather(*(caller(phone, first) for first in range(load.parallel)))
    return Talk(spoken, failures, time.time() - time.monotonic())


async def _call(
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
            if number != WARM_UP:
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
    said = call.media.say(pcm)
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
