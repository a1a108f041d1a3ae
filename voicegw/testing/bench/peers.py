"""The peers bench: voicegw beside Pipecat and LiveKit Agents, in one run, on the same callers.

Every system answers the same recorded callers with stub engines of the same delays; what differs is the system.
The rivals run unmodified from their packages, in environments and processes of their own, each with its defaults
and with its fastest sensible settings. docs/bench-peers.md says what each number includes and what cannot be
compared.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import LocalError
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.bench.rivals.figures import AIM_CALLS, FAST, figures, show_table, verdicts
from voicegw.testing.bench.rivals.measure import Step, measure
from voicegw.testing.bench.rivals.systems import LIVEKIT, PIPECAT, makers
from voicegw.testing.bench.rivals.work import make_work
from voicegw.testing.synthetic_caller import CallerVoice

_LINES = (
    "what are your opening hours",
    "where are you located",
    "when do you close",
    "are you open on saturday",
)
_VOICES = ("rms", "awb", "kal16")
_COUNTS = "1,5,10,20"
_NAMES = ("voicegw", "voicegw-fast", "pipecat", "pipecat-fast", "livekit", "livekit-fast")


async def compare(home: Path, plan: Mapping[str, Sequence[int]]) -> list[Step]:
    """One system after the other."""
    audio = await _make_audio(home / "cache")
    systems = makers(home, make_work(home))
    steps: list[Step] = []
    for name, counts in plan.items():
        show(f"{name}: {', '.join(map(str, counts))} calls")
        try:
            steps += await measure(name, systems[name](), audio, counts)
        except LocalError as error:
            steps += [Step(name, count, failures=[str(error)]) for count in counts]
    return steps


def plan_of(names: Sequence[str], counts: Sequence[int], *, every: bool) -> dict[str, list[int]]:
    """How many calls each system is measured at.

    The rows with defaults go to the number that is judged and the fast ones to the end, unless ``every`` is asked
    for: what more calls do to a system shows in either, and a run stays short.
    """
    few = [count for count in counts if count <= AIM_CALLS] or list(counts[:1])
    return {name: list(counts) if every or name.endswith(FAST) else few for name in names}


async def _make_audio(cache: Path) -> list[list[NDArray[np.int16]]]:
    """All lines in all voices."""
    tts = make_tts("flite", EngineSettings(1, cache))
    await tts.start()
    try:
        voices = [CallerVoice(tts, name) for name in _VOICES]
        return [[np.frombuffer(await voice.make(line), np.int16) for line in _LINES] for voice in voices]
    finally:
        await tts.close()


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("peers", "voicegw beside Pipecat and LiveKit Agents, on the same callers.")
    options.add_argument(
        "--calls", default=_COUNTS, help=f"numbers of calls at once; aims are judged at {AIM_CALLS}"
    )
    options.add_argument("--systems", default=",".join(_NAMES), help=f"some of {', '.join(_NAMES)}")
    options.add_argument("--every", action="store_true", help="the default rows at every number of calls, too")
    arguments = options.parse_args(argv)
    counts = sorted({int(count) for count in arguments.calls.split(",")})
    names = arguments.systems.split(",")
    if unknown := [name for name in names if name not in _NAMES]:
        options.error(f"no system is called {', '.join(unknown)}")
    for environment in (PIPECAT, LIVEKIT):
        if any(name.startswith(environment.name) for name in names):
            environment.ensure()
    with tempfile.TemporaryDirectory() as folder:
        steps = asyncio.run(compare(Path(folder), plan_of(names, counts, every=arguments.every)))
    show_table(steps)
    versions = {"pipecat": PIPECAT.version_of("pipecat-ai"), "livekit": LIVEKIT.version_of("livekit-agents")}
    conclude({"versions": versions, **figures(steps)}, verdicts(steps), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
