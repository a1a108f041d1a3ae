"""The turn bench's third part: callers who say "mm-hm", cough, slam doors, and interrupt, while the agent speaks.

A false stop is an agent that is cut off for a back-channel or a noise; a miss is one that is not cut off for an
interruption. That it holds its breath for a moment until it knows is no stop.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.call.facts import CallerBargedIn, CallerSpoke, CallerWasBackground, CallWasOffered, Entry
from voicegw.config import load_config
from voicegw.inference.registry import make_asr, make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.ports.asr import AsrProvider
from voicegw.sip.address import Address
from voicegw.testing.bench._report import percentile, show
from voicegw.testing.bench._turn_lecture import OracleAsr, Truth, Uttered, lecture_node
from voicegw.testing.bench._wire import AUDIBLE, WireCall, WirePhone, speech_bounds
from voicegw.testing.interjections import ESPEAK_VOICES, FLITE_VOICES, Sound, SoundKind, make_sounds
from voicegw.testing.story import local_config

_SOUNDS_PER_CALL: Final = 12
_STEADY_PACKETS: Final = 45
"""The agent speaks without a break since 0.9 s before it is interrupted."""
_DECIDED_S: Final = 1.4
"""After the end of a sound everything is decided."""
_PATIENCE_S: Final = 20.0
_AIM: Final = 0.02


@dataclass(slots=True)
class Trial:
    """One sound and what the agent did. ``understood`` is what it took for a turn of the caller."""

    sound: Sound
    stopped: bool = False
    held_ms: list[float] = field(default_factory=list)
    decided_ms: float = 0.0
    """From the onset to the verdict that stopped the agent."""
    understood: str = ""

    @property
    def wrong(self) -> bool:
        """A false stop or a miss."""
        return self.stopped is not (self.sound.kind is SoundKind.INTERRUPTION)


@dataclass(frozen=True, slots=True)
class Row:
    """All trials with one recogniser."""

    recogniser: str
    trials: list[Trial]
    failures: list[str]

    def of(self, *kinds: SoundKind) -> list[Trial]:
        """The trials of these kinds."""
        return [trial for trial in self.trials if trial.sound.kind in kinds]

    @property
    def false_stops(self) -> float:
        """The share of back-channels and noises that stopped the agent; 1 of none."""
        return _share_wrong(self.of(SoundKind.BACK_CHANNEL, SoundKind.NOISE))

    @property
    def missed(self) -> float:
        """The share of interruptions that did not; 1 of none."""
        return _share_wrong(self.of(SoundKind.INTERRUPTION))


def _share_wrong(trials: Sequence[Trial]) -> float:
    return sum(trial.wrong for trial in trials) / len(trials) if trials else 1.0


class TrialBook:
    """The calls that are going on, by the number that the caller gives, and the sound each of them is at."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._call_of: dict[str, CallId] = {}
        self._trials: dict[CallId, tuple[Trial, float]] = {}

    def begin(self, number: str, trial: Trial, uttered: Uttered) -> None:
        """The caller of that number makes a sound."""
        call_id = self._call_of[number]
        self._truth.say(call_id, uttered)
        self._trials[call_id] = (trial, uttered.onset_at)

    def on_fact(self, call_id: CallId, entry: Entry) -> None:
        """Any fact of any call."""
        if isinstance(entry.data, CallWasOffered):
            self._call_of[entry.data.calling] = call_id
        elif call_id in self._trials:
            trial, onset_at = self._trials[call_id]
            match entry.data:
                case CallerBargedIn():
                    trial.stopped = True
                    trial.decided_ms = (time.monotonic() - onset_at) * 1000
                case CallerWasBackground(paused_ms):
                    trial.held_ms.append(paused_ms)
                case CallerSpoke(text):
                    trial.understood = f"{trial.understood} {text}".strip()
                case _:
                    pass


async def measure(home: Path, parallel: int, limit: int) -> list[Row]:
    """The first ``limit`` sounds (0 for all) with each recogniser, ``parallel`` calls at a time."""
    sounds = await _sounds(home / "cache")
    chosen = sounds[:limit] if limit else sounds
    settings = EngineSettings(2, home / "cache")
    makers: Mapping[str, Callable[[Truth], AsrProvider]] = {
        "pocketsphinx": lambda _truth: make_asr("pocketsphinx", settings),
        "oracle": OracleAsr,
    }
    rows: list[Row] = []
    for name, make in makers.items():
        with tempfile.TemporaryDirectory(dir=home) as folder:
            rows.append(await _row(Path(folder), name, make, chosen, parallel))
    return rows


async def _sounds(cache: Path) -> list[Sound]:
    flite, espeak = (make_tts(name, EngineSettings(1, cache)) for name in ("flite", "espeak"))
    await asyncio.gather(flite.start(), espeak.start())
    try:
        return await make_sounds(dict.fromkeys(FLITE_VOICES, flite) | dict.fromkeys(ESPEAK_VOICES, espeak))
    finally:
        await asyncio.gather(flite.close(), espeak.close())


async def _row(
    home: Path, name: str, make: Callable[[Truth], AsrProvider], sounds: Sequence[Sound], parallel: int
) -> Row:
    truth = Truth()
    book = TrialBook(truth)
    config = local_config(load_config(None), home)
    config = replace(config, log=replace(config.log, level="warning"))
    row = Row(name, [], [])
    waiting = [sounds[at : at + _SOUNDS_PER_CALL] for at in range(0, len(sounds), _SOUNDS_PER_CALL)]
    numbers = iter(range(len(waiting)))
    node = lecture_node(config, make(truth), home, book.on_fact)
    show(f"\n{name}")
    await node.start()
    try:
        assert isinstance(node.address, Address)
        uri = f"sip:lecture@{node.address.host}:{node.address.port}"
        async with WirePhone() as phone:

            async def keep_calling() -> None:
                for number in numbers:
                    try:
                        await _call(phone, uri, str(number), waiting[number], book, row)
                    except LocalError as error:
                        row.failures.append(f"call {number}: {error}")

            await asyncio.gather(*(keep_calling() for _ in range(parallel)))
    finally:
        await node.close()
    return row


async def _call(
    phone: WirePhone, uri: str, number: str, sounds: Sequence[Sound], book: TrialBook, row: Row
) -> None:
    """Make all the sounds, each when the agent speaks."""
    trials: list[Trial] = []
    call = await phone.dial(uri, f"sip:{number}@127.0.0.1")
    try:
        for sound in sounds:
            await call.until(lambda: _speaks_steadily(call), _PATIENCE_S, "the agent speaks")
            trials.append(await _interject(call, number, sound, book))
        # What was understood is written down when it is answered.
        await call.until(lambda: _speaks_steadily(call), _PATIENCE_S, "the agent speaks")
    finally:
        row.trials.extend(trials)
        await call.hang_up()
    for trial in trials:
        if trial.wrong:
            show(_told(trial))


async def _interject(call: WireCall, number: str, sound: Sound, book: TrialBook) -> Trial:
    trial = Trial(sound)
    first, last = speech_bounds(sound.pcm)
    began = time.monotonic()
    book.begin(number, trial, Uttered(sound, began + first / 8000, began + last / 8000))
    said = call.media.say(sound.pcm)
    await call.until(lambda: said.done, _PATIENCE_S, "the caller is heard")
    await asyncio.sleep(_DECIDED_S)
    return trial


def _speaks_steadily(call: WireCall) -> bool:
    newest = call.media.heard[-_STEADY_PACKETS:]
    return len(newest) == _STEADY_PACKETS and all(packet.peak >= AUDIBLE for packet in newest)


def _told(trial: Trial) -> str:
    if trial.stopped:
        return f"stopped after {trial.decided_ms:5.0f} ms: {trial.sound.name}, understood {trial.understood!r}"
    held = ", ".join(f"{ms:.0f}" for ms in trial.held_ms)
    return f"went on: {trial.sound.name}, " + (f"held for {held} ms" if held else "never noticed")


# ------------------------------------------------------------ what it came to


def figures(rows: Sequence[Row]) -> dict[str, object]:
    """The JSON object."""
    return {"recognisers": {row.recogniser: _figures(row) for row in rows}}


def _figures(row: Row) -> dict[str, object]:
    held = [ms for trial in row.of(SoundKind.BACK_CHANNEL, SoundKind.NOISE) for ms in trial.held_ms]
    decided = [trial.decided_ms for trial in row.of(SoundKind.INTERRUPTION) if trial.stopped]
    counts = {kind.value: len(row.of(kind)) for kind in SoundKind}
    wrong = {f"{kind.value}_wrong": sum(trial.wrong for trial in row.of(kind)) for kind in SoundKind}
    return {
        **counts,
        **wrong,
        "false_stops": round(row.false_stops, 4),
        "missed": round(row.missed, 4),
        "held_ms_p50": percentile(held, 50),
        "held_ms_p95": percentile(held, 95),
        "decided_ms_p50": percentile(decided, 50),
        "decided_ms_p95": percentile(decided, 95),
        "mistakes": [_told(trial) for trial in row.trials if trial.wrong],
        "failures": row.failures,
    }


def verdicts(rows: Sequence[Row]) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    found = {"every call went to its end": bool(rows) and not any(row.failures for row in rows)}
    for row in rows:
        found[f"{row.recogniser}: false stops below {_AIM:.0%}"] = row.false_stops < _AIM
        found[f"{row.recogniser}: missed interruptions below {_AIM:.0%}"] = row.missed < _AIM
    return found


def show_table(rows: Sequence[Row]) -> None:
    """A table for people."""
    show("")
    for row in rows:
        found = _figures(row)
        show(row.recogniser)
        for name, value in found.items():
            if name != "mistakes":
                show(f"  {name:20} {value}")
