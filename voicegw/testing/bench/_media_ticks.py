"""A process that ticks a media engine on one core, as fast as it can, when it is told to.

``python -m voicegw.testing.bench._media_ticks ORDER``; ORDER is JSON: ``core``, ``codec``, ``legs``, ``vad``. Says
``{}`` when it is ready. Then each line of its input is a number of ticks, and the answer to it a :class:`Lap`.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from voicegw.media.config import ONE_THREAD
from voicegw.testing.bench._media_rig import Load, rig
from voicegw.testing.bench._report import show
from voicegw.testing.bench._speech_packets import CODECS, make_speech

_WARM_UP_TICKS: Final = 200
_NICE: Final = -15
_PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True, slots=True)
class Lap:
    """Some ticks: their time alone, and what the process has in memory after them."""

    ticks: int
    cpu_s: float
    wall_s: float
    rss_kb: int
    blocks: int
    """Of memory that Python has handed out, after a collection: what lives."""


class Ticker:
    """The process, from outside."""

    def __init__(self, core: int, codec: str, legs: int, *, vad: bool = True) -> None:
        order = json.dumps({"core": core, "codec": codec, "legs": legs, "vad": vad})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voicegw.testing.bench._media_ticks", order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def begin(self, ticks: int) -> None:
        """Let it run so many."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{ticks}\n")
        self._process.stdin.flush()

    def lap(self) -> Lap:
        """Wait for the end of them."""
        return Lap(**self._read())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KB


def _serve(load: Load) -> None:
    with tempfile.TemporaryDirectory() as folder:
        speech = make_speech(Path(folder), load.codec)
        with rig(load, speech) as engine:
            engine.run(_WARM_UP_TICKS)
            # As in a worker: the collector does not run when it pleases.
            gc.collect()
            gc.freeze()
            gc.disable()
            show("{}")
            for line in sys.stdin:
                spent = engine.run(int(line))
                gc.collect()
                lap = Lap(spent.ticks, spent.cpu_s, spent.wall_s, _rss_kb(), sys.getallocatedblocks())
                show(json.dumps(asdict(lap)))


def run() -> int:
    """Until the input ends."""
    order = json.loads(sys.argv[1])
    os.sched_setaffinity(0, {order["core"]})
    with suppress(PermissionError):
        os.nice(_NICE)  # as a worker does; SCHED_FIFO would be cut off, for this one never rests
    _serve(Load(CODECS[order["codec"]], order["legs"], vad=order["vad"]))
    return 0


if __name__ == "__main__":
    sys.exit(run())
