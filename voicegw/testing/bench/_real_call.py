"""One long call of the real server: sipp calls, and sends back what it hears as it comes.

The recording has what was sent on its right and what was heard on its left, on one clock: the shift between the two
is the way there and back, jitter buffer included, at any moment of the call.

Before it some short calls talk all at once, and there is one process that recognises: it has then loaded all the
models that it needs, and as many times as utterances overlap. In one call alone that is some minutes after the
beginning, and looks like growth.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import wav
from voicegw.base.errors import LocalError
from voicegw.call.facts import CallHasEnded, Entry, MediaWasMeasured, RecordingHasEnded
from voicegw.storage.event_log import read_log
from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._processes import ProcessUse, family, use_of
from voicegw.testing.bench._sipp import Load, Sipp
from voicegw.testing.ports import free_ports

_AGENT: Final = """
name: long
greeting: Hello. This is going to be a long call.
limits: {no_input_ms: 2000, max_no_input: 10, max_no_match: 10}
globals: {goodbye: {goto: circle}, human: {goto: circle}}
steps:
  - id: circle
    menu:
      prompt: Nobody is in a hurry, and nothing has to be decided. To hear this again, please press one.
      keys: {1: {phrases: [once again], goto: circle}}
"""
_DIALPLAN: Final = "routes: [{name: long, agent: long}]\n"
_WARM_CALLS: Final = 4
_WARM_S: Final = 30
_WINDOW_S: Final = 5
_FARTHEST_MS: Final = 600
_ALIKE: Final = 0.6
"""Correlation from which two stretches are the same sound."""
_LOUD: Final = 100.0
"""RMS of a window in which there is something to compare."""

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sample:
    """What the processes of the server held ``at_s`` seconds into the call."""

    at_s: float
    uses: tuple[ProcessUse, ...]

    @property
    def rss_kb(self) -> int:
        """Memory of all processes."""
        return sum(use.rss_kb for use in self.uses)

    @property
    def fds(self) -> int:
        """Descriptors of all processes."""
        return sum(use.fds for use in self.uses)

    @property
    def anonymous_kb(self) -> int:
        """Memory of all processes that no file backs."""
        return sum(use.anonymous_kb for use in self.uses)

    def anonymous_by_process(self) -> dict[str, int]:
        """The same of each process, by what it does and its id."""
        return {f"{use.role} {use.pid}": use.anonymous_kb for use in self.uses}


@dataclass(slots=True)
class RealCall:
    """What came of it. ``shifts`` are (seconds into the recording, way there and back in ms)."""

    passed: bool = False
    """Whether all went for sipp as it should, to the end."""
    samples: list[Sample] = field(default_factory=list)
    shifts: list[tuple[float, float]] = field(default_factory=list)
    recorded: int = 0
    """Samples of each channel at 8 kHz; ``dropped`` of them are silence because the disk was late."""
    dropped: int = 0
    media: MediaWasMeasured | None = None
    cause: str = ""
    complaints: Counter[str] = field(default_factory=Counter)


async def real_call(home: Path, seconds: float, every_s: float, tell: Callable[[Sample], None]) -> RealCall:
    """Run the server, the call and the evaluation; ``tell`` gets each sample. LocalError if there was no call."""
    (home / "agents").mkdir()
    (home / "agents" / "long.yaml").write_text(_AGENT)
    (home / "dialplan.yaml").write_text(_DIALPLAN)
    paths = {"dialplan": str(home / "dialplan.yaml"), "agents": str(home / "agents")}
    own = {name: str(home / name) for name in ("calls", "recordings", "cache")}
    result = RealCall()
    # sipp's scenario has no answer to a refresh of the session, which would come after a quarter of an hour.
    sections: dict[str, dict[str, object]] = {
        "sip": {"session_expires_s": 0},
        "call": {"max_duration_s": seconds + 300},
        "speech": {"asr_workers": 1},
    }
    node = NodeProcess(home, sections | {"paths": {**paths, **own}})
    async with node:
        echo_port = free_ports(4)
        earlier = await _warm(node, echo_port)
        began = time.monotonic()
        load = Load(rate=1, calls=1, hold_ms=round(seconds * 1000), echo_port=echo_port, key="1")
        phone = Sipp(f"{node.host}:{node.port}", load)
        phone.go_first()
        try:
            while phone.running:
                await asyncio.sleep(min(every_s, seconds / 4))
                if phone.running:
                    result.samples.append(_look(node.pid, time.monotonic() - began))
                    tell(result.samples[-1])
        except asyncio.CancelledError:
            phone.kill()
            raise
        result.passed = phone.result().all_passed
    result.complaints = node.complaints()
    _read(result, [list(read_log(path)) for path in set(node.calls.glob("*.jsonl")) - earlier])
    return result


async def _warm(node: NodeProcess, echo_port: int) -> set[Path]:
    """Short calls, to their end; returns their logs."""
    load = Load(rate=_WARM_CALLS, calls=_WARM_CALLS, hold_ms=_WARM_S * 1000, echo_port=echo_port, key="1")
    phone = Sipp(f"{node.host}:{node.port}", load)
    try:
        went = await asyncio.to_thread(phone.result)
    except asyncio.CancelledError:
        phone.kill()
        raise
    if not went.all_passed:
        raise LocalError("the calls before the long one failed")
    return set(node.calls.glob("*.jsonl"))


def _look(pid: int, at_s: float) -> Sample:
    return Sample(at_s, tuple(use for each in family(pid) if (use := use_of(each)) is not None))


def _read(result: RealCall, logs: list[list[Entry]]) -> None:
    """The facts of the call and its recording."""
    if len(logs) != 1:
        raise LocalError(f"{len(logs)} calls were logged, not one")
    for entry in logs[0]:
        match entry.data:
            case MediaWasMeasured():
                result.media = entry.data
            case RecordingHasEnded(path=path, dropped_samples=dropped):
                audio = wav.parse(Path(path).read_bytes())
                result.recorded, result.dropped = len(audio.samples), dropped
                result.shifts = shifts(audio.samples[:, 1], audio.samples[:, 0], audio.rate)
            case CallHasEnded(cause=cause):
                result.cause = str(cause)
            case _:
                pass


def shifts(sent: Pcm, heard: Pcm, rate_hz: int) -> list[tuple[float, float]]:
    """For each window of ``sent`` with sound in it, how much later the same is in ``heard``, in ms."""
    size, farthest = _WINDOW_S * rate_hz, _FARTHEST_MS * rate_hz // 1000
    found = []
    for start in range(0, len(sent) - size - farthest, size):
        pattern = sent[start : start + size].astype(np.float64)
        if np.sqrt((pattern**2).mean()) < _LOUD:
            continue
        place = _place(pattern, heard[start : start + size + farthest].astype(np.float64))
        if place is not None:
            found.append((start / rate_hz, place * 1000 / rate_hz))
    return found


def _place(pattern: NDArray[np.float64], sound: NDArray[np.float64]) -> int | None:
    """Where in ``sound`` the pattern is; None if it is not."""
    size = 1 << (len(sound) + len(pattern) - 1).bit_length()
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size))
    fits = np.fft.irfft(product, size)[: len(sound) - len(pattern) + 1]
    place = int(np.argmax(fits))
    there = sound[place : place + len(pattern)]
    alike = fits[place] / (np.sqrt((there**2).sum() * (pattern**2).sum()) + 1e-9)
    return place if alike >= _ALIKE else None
