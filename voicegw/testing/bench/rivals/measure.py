"""One system at several numbers of calls: the same callers and script, and what the processes used meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import VoicegwError
from voicegw.testing.bench.rivals.line import Line
from voicegw.testing.bench.rivals.script import Spoken, converse
from voicegw.testing.bench.rivals.systems import System
from voicegw.testing.bench.rivals.usage import cpu_s, machine_s, pss_kb

_LINES_A_CALL: Final = 3
_STAGGER_S: Final = 0.13
"""Callers do not speak in step."""
_LONGEST_STAGGER_S: Final = 1.3
_WARM_UP: Final = 9000
"""The number of a caller whose call is not measured: it loads what is loaded late."""
_LISTEN_S: Final = 0.3
_SETTLE_S: Final = 0.5
_CALLERS: Final = 100
_NOT_TRIED: Final = "not tried: fewer calls were too many"


@dataclass(slots=True)
class Step:
    """One system at one number of calls.

    ``cores_per_call`` is processor seconds per second and call; ``growth_kb`` what all calls together added to the
    proportional memory of an idle system that has had one call. ``others_cores`` is what neither the system nor the
    callers but the rest of the machine was busy with: with more than a little of it the step says nothing.
    """

    system: str
    calls: int
    cores_per_call: float = 0.0
    growth_kb: int = 0
    others_cores: float = 0.0
    spoken: list[Spoken] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def responses_ms(self) -> list[float]:
        """Of all lines that the agent let the caller finish."""
        return [line.response_ms for line in self.spoken if not line.talked_over]

    @property
    def stops_ms(self) -> list[float]:
        """Of all interruptions."""
        return [line.stop_ms for line in self.spoken if line.stop_ms is not None]

    @property
    def talked_over(self) -> int:
        """Lines that the agent did not let the caller finish."""
        return sum(line.talked_over for line in self.spoken)

    @property
    def mb_per_call(self) -> float:
        """Megabytes (10⁶ bytes) that a call added."""
        return self.growth_kb * 1024 / 1e6 / self.calls


Audio = Sequence[Sequence[NDArray[np.int16]]]
"""Lines by voice."""


async def measure(name: str, system: System, audio: Audio, counts: Sequence[int]) -> list[Step]:
    """A warm-up call, then each number of calls in turn."""
    steps: list[Step] = []
    async with system:
        warm_up = Step(name, 1)
        await _calls(system, audio, warm_up, _WARM_UP, lines=1)
        if warm_up.failures:
            return [Step(name, count, failures=list(warm_up.failures)) for count in counts]
        await asyncio.sleep(_SETTLE_S)
        idle_kb = pss_kb(system.pid)
        for count in counts:
            step = Step(name, count)
            await _calls(system, audio, step, _CALLERS * count)
            step.growth_kb -= idle_kb
            steps.append(step)
            if step.failures:
                # What it cannot bear it is not asked to bear twice over.
                steps += [Step(name, more, failures=[_NOT_TRIED]) for more in counts if more > count]
                break
            await asyncio.sleep(_SETTLE_S)
    return steps


async def _calls(system: System, audio: Audio, step: Step, first: int, lines: int = _LINES_A_CALL) -> None:
    """All calls of a step at once; ``growth_kb`` is set to the memory while they last."""
    phones: list[Line] = []
    try:
        for number in range(step.calls):
            phones.append(await system.dial(first + number))
        began, used, all_used = time.monotonic(), cpu_s(system.pid), machine_s() - time.process_time()
        await asyncio.gather(*(_talk(phone, audio, step, number, lines) for number, phone in enumerate(phones)))
        lasted, used = time.monotonic() - began, cpu_s(system.pid) - used
        step.cores_per_call = used / lasted / step.calls
        step.others_cores = (machine_s() - time.process_time() - all_used - used) / lasted
        step.growth_kb = pss_kb(system.pid)
    except (VoicegwError, OSError) as error:
        step.failures.append(f"not connected: {error}")
    finally:
        await asyncio.gather(*(phone.hang_up() for phone in phones))


async def _talk(phone: Line, audio: Audio, step: Step, number: int, lines: int) -> None:
    await asyncio.sleep(min(number * _STAGGER_S, _LONGEST_STAGGER_S))
    voice = audio[number % len(audio)]
    said = [voice[(number + index) % len(voice)] for index in range(lines)]
    try:
        await converse(phone, said, number, step.spoken)
        await asyncio.sleep(_LISTEN_S)
    except VoicegwError as error:
        step.failures.append(str(error))
