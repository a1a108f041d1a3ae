"""A caller made of a voice and a script: waits for the agent, answers, and interrupts where the script says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from voicegw.base.errors import LocalError
from voicegw.ports.tts import TtsAudio, TtsProvider, TtsRequest
from voicegw.testing.softphone import PhoneCall


@dataclass(frozen=True, slots=True)
class CallerLine:
    """One turn. ``interrupt_after_s``: do not wait for the agent's end but speak that long after its first word."""

    text: str
    interrupt_after_s: float = 0.0
    keys: str = ""


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """When a line was on the wire, in monotonic seconds."""

    line: CallerLine
    began_at: float
    ended_at: float


class CallerVoice:
    """Caller audio at 8 kHz, made before it is needed: a person does not synthesise either."""

    def __init__(self, tts: TtsProvider, voice: str, rate: float = 1.0) -> None:
        self._tts = tts
        self._voice = voice
        self._rate = rate

    async def make(self, text: str) -> bytes:
        """16-bit PCM at 8 kHz, quieter than full scale as on a telephone line."""
        request = TtsRequest(text, voice=self._voice, rate=self._rate)
        pieces = [chunk.pcm async for chunk in self._tts.synthesize(request) if isinstance(chunk, TtsAudio)]
        return b"".join(pieces)


async def converse(
    call: PhoneCall,
    voice: CallerVoice,
    lines: Sequence[CallerLine],
    *,
    quiet_ms: int = 500,
    patience_s: float = 30.0,
) -> list[SpokenLine]:
    """Speak all lines, each after the agent; ends early if the call does. Returns what was really said."""
    audio = [await voice.make(line.text) if line.text else b"" for line in lines]
    spoken: list[SpokenLine] = []
    listened_from = 0.0
    for line, pcm in zip(lines, audio, strict=True):
        try:
            await _wait_turn(call, line, listened_from, quiet_ms, patience_s)
        except LocalError:
            break
        if call.over:
            break
        if line.keys:
            call.press(line.keys)
        began, ended = await call.say(pcm) if pcm else (call.far_stopped_at, call.far_stopped_at)
        spoken.append(SpokenLine(line, began, ended))
        listened_from = ended
    return spoken


async def _wait_turn(
    call: PhoneCall, line: CallerLine, listened_from: float, quiet_ms: int, patience_s: float
) -> None:
    """Until the agent has spoken since our last words, and is silent or to be interrupted."""
    await call.until(lambda: call.far_spoke_at > listened_from or call.over, patience_s, "the agent answers")
    if line.interrupt_after_s:
        await asyncio.sleep(line.interrupt_after_s)
    else:
        await call.wait_far_quiet(quiet_ms, patience_s)
