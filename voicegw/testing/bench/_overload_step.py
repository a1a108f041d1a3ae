"""One step of the overload bench: so many calls by sipp, what they cost the server, and whether nothing is left."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._node_api import NodeApi
from voicegw.testing.bench._processes import ProcessUse, family, role_of, use_of
from voicegw.testing.bench._sipp_load import Outcome, Scene, SippLoad
from voicegw.testing.ports import free_port, free_ports

MUST_BE_ZERO: Final = {
    "calls": "voicegw_calls_active",
    "sip_calls": "voicegw_sip_calls",
    "half_open": "voicegw_sip_half_open_calls",
    "transactions": "voicegw_sip_transactions",
    "legs": "voicegw_media_worker_legs",
}
_COUNTED: Final = {
    "offered": "voicegw_calls_offered_total",
    "at_door": "voicegw_calls_refused_at_door_total",
    "answered": 'voicegw_incoming_call_setups_total{outcome="answered"}',
    "ended": "voicegw_calls_ended_total",
    "unrecorded": "voicegw_calls_refused_unrecorded_total",
    "never_acknowledged": "voicegw_sip_answers_never_acknowledged_total",
    "lost_frames": "voicegw_media_lost_frames_total",
    "ticks": "voicegw_media_ticks_total",
    "late_ticks": "voicegw_media_late_ticks_total",
    "workers_lost": "voicegw_media_workers_lost_total",
    "first_words": "voicegw_first_speech_seconds_count",
    "first_words_s": "voicegw_first_speech_seconds_sum",
}
_PORTS: Final = "voicegw_media_worker_ports_free"
_MEDIA_PORTS: Final = 8
_POLL_S: Final = 0.25
_LOOK_S: Final = 1.0
"""Between two looks at the metrics under load: they cost the server 10 ms, which it should have for its calls."""
_LOST_S: Final = 120.0
"""sipp is ended when it has calls so long after its last one should have ended."""
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one step. ``cpu_ms`` are by what processes do; ``left`` is what was not let go in time."""

    name: str
    per_s: float
    outcome: Outcome
    seconds: float
    cpu_ms: Mapping[str, float]
    counted: Mapping[str, float]
    peak_calls: int
    left: Mapping[str, float]
    quiet_after_s: float
    uses: tuple[ProcessUse, ...]
    """What the processes hold when all is quiet."""

    @property
    def up(self) -> int:
        """Calls that sipp saw answered."""
        return self.outcome.counted["up"]

    @property
    def refused(self) -> int:
        """Calls that got 503."""
        return self.outcome.counted["refused"]

    @property
    def is_balanced(self) -> bool:
        """Whether sipp and the node tell the same of every call, and nothing is left of any."""
        known = self.counted["offered"] + self.counted["at_door"]
        return (
            self.outcome.began == self.up + self.refused == round(known)
            and self.up == round(self.counted["answered"])
            and round(self.counted["ended"] + self.counted["unrecorded"]) == self.outcome.began
            and not self.outcome.failed
            and not self.outcome.undecided
            and not self.left
        )


class StepRunner:
    """Runs steps against one node. ``core`` is that of sipp."""

    def __init__(self, home: Path, node: NodeProcess, api: NodeApi, core: int, horizon_s: float) -> None:
        """``horizon_s``: how long the node remembers transactions."""
        self._home = home
        self._node = node
        self._api = api
        self._core = core
        self._horizon_s = horizon_s
        self._ports_free = api.metrics()[_PORTS]

    async def run(self, name: str, text: str, per_s: float, calls: int, call_s: float) -> Step:
        """Make the calls, wait until they are over and for the silence after them."""
        before, cpu, begun = self._api.metrics(), self._cpu_s(), time.monotonic()
        scene = Scene(name, text, per_s=per_s, calls=calls, timed=True, core=self._core)
        sipp = SippLoad(
            self._home, f"{self._node.host}:{self._node.port}", scene, free_port(), (free_ports(_MEDIA_PORTS), 0)
        )
        peak, end, look = 0, begun + calls / per_s + call_s + _LOST_S, begun + _LOOK_S
        try:
            while sipp.running and time.monotonic() < end:
                await asyncio.sleep(_POLL_S)
                if time.monotonic() >= look:
                    peak = max(peak, round(self._api.metrics()[MUST_BE_ZERO["calls"]]))
                    look = time.monotonic() + _LOOK_S
        finally:
            sipp.end()
        ended, after_cpu = time.monotonic(), self._cpu_s()
        after = await self._quiet(ended)
        return Step(
            name,
            per_s,
            sipp.outcome(),
            ended - begun,
            {role: 1000 * (used - cpu.get(role, 0.0)) for role, used in after_cpu.items()},
            {key: after.get(series, 0.0) - before.get(series, 0.0) for key, series in _COUNTED.items()},
            peak,
            self._left(after),
            time.monotonic() - ended,
            tuple(use for pid in family(self._node.pid) if (use := use_of(pid))),
        )

    async def _quiet(self, ended: float) -> dict[str, float]:
        """The metrics when nothing is left, or when there was time enough for that."""
        while True:
            metrics = await asyncio.to_thread(self._api.metrics)
            if not self._left(metrics) or time.monotonic() > ended + self._horizon_s:
                return metrics
            await asyncio.sleep(2 * _POLL_S)

    def _left(self, metrics: Mapping[str, float]) -> dict[str, float]:
        levels = {name: metrics.get(series, 0.0) for name, series in MUST_BE_ZERO.items()}
        levels["ports"] = self._ports_free - metrics[_PORTS]
        return {name: value for name, value in levels.items() if value}

    def _cpu_s(self) -> dict[str, float]:
        """Of the node's processes so far, by what they do."""
        found: dict[str, float] = {}
        for pid in family(self._node.pid):
            with suppress(OSError):  # it has just ended
                ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
                role = role_of(Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
                found[role] = found.get(role, 0.0) + sum(map(int, ticks)) / _TICKS_PER_S
        return found
