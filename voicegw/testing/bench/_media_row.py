"""One row of the media bench: what a leg costs in a real worker at N legs, and how evenly its packets leave.

A load generator in a process and on a core of its own sends N streams of a codec, 40 % of them speech, to N calls
in a real worker. Each call taps what it hears for the recogniser and plays agent audio, as a conversation does. CPU
time is the worker's own from the kernel's scheduler, so that other load on the machine does not count; departure
times are kernel timestamps at the receiver.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.media.client import MediaClient
from voicegw.media.messages import (
    CloseLeg,
    ConfigureLeg,
    Event,
    LegClosed,
    LegKeys,
    QueueAudio,
    SetMix,
    WorkerReport,
)
from voicegw.server_media_start import command_line
from voicegw.testing.bench._media_rig import SPEAKING, Load
from voicegw.testing.bench._rtp_batches import SUITE
from voicegw.testing.bench._rtp_load import LoadResult
from voicegw.testing.bench._speech_packets import BenchCodec, BenchSpeech

_WARM_UP_S: Final = 5.0
"""In which a worker learns when its packets are ready."""
_TICKS_PER_S: Final = 50
HEAD: Final = (
    "legs  codec  vad  srtp  us/leg/tick  jitter p50 ms  p99 ms  max ms  "
    "lost frames  kB/leg  late in  worst tick ms  stolen %  queued %"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``late_in`` are packets of the load that came too late to be played."""

    n: int
    vad: bool
    srtp: bool
    codec: str
    cpu_us_per_leg_tick: float
    departure_jitter_p50_ms: float
    departure_jitter_p99_ms: float
    departure_jitter_max_ms: float
    lost_frames: int
    rss_kb_per_leg: float
    late_in: int
    worst_tick_ms: float
    stolen_percent: float = 0.0
    """Of the core's time, by the host of a virtual machine."""
    queued_percent: float = 0.0
    """Of the time, in which the worker was ready and other programs had its core."""

    @property
    def kind(self) -> tuple[str, bool, bool]:
        """What rows that differ in nothing but their legs have in common: codec, VAD, SRTP."""
        return self.codec, self.vad, self.srtp

    def line(self) -> str:
        """For the table."""
        return (
            f"{self.n:4}  {self.codec:5}  {'on ' if self.vad else 'off'}  "
            f"{'on  ' if self.srtp else 'off '}  {self.cpu_us_per_leg_tick:11.1f}  "
            f"{self.departure_jitter_p50_ms:13.2f}  {self.departure_jitter_p99_ms:6.2f}  "
            f"{self.departure_jitter_max_ms:6.2f}  {self.lost_frames:11}  "
            f"{self.rss_kb_per_leg:6.1f}  {self.late_in:7}  {self.worst_tick_ms:13.1f}  "
            f"{self.stolen_percent:8.1f}  {self.queued_percent:8.1f}"
        )


class _Telephones:
    """The load generator's process."""

    def __init__(self, core: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voicegw.testing.bench._rtp_load", str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._read()["port"])

    def order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def result(self) -> LoadResult:
        return LoadResult(**self._read())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _scheduled_s(pid: int, core: int) -> NDArray[np.float64]:
    """Seconds so far: of all threads on a processor and waiting for one, and of the core in the host's hands."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    times = [[int(number) for number in (thread / "schedstat").read_text().split()[:2]] for thread in threads]
    ran, queued = np.sum(times, axis=0) / 1e9
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    return np.array([ran, queued, int(line.split()[8]) / os.sysconf("SC_CLK_TCK")])


def _rss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


async def _open(
    client: MediaClient, number: int, remote_port: int, pcm: bytes, keys: LegKeys | None, codec: BenchCodec
) -> int:
    """One call with one leg, its audio queued; the leg's port."""
    leg, call = LegId(f"leg{number}"), CallId(f"call{number}")
    port = await client.open_leg(leg, call, "127.0.0.1")
    client.send(ConfigureLeg(leg, "127.0.0.1", remote_port, codec.name, codec.payload_type, srtp=keys))
    client.send(SetMix(call, ((leg, "agent_ear", 1.0), ("agent", leg, 1.0))))
    utterance = UtteranceId(f"utterance{number}")
    client.send(QueueAudio(call, utterance, pcm, final=True, interruptible=False, rate_hz=codec.rate_hz))
    return port


class _Watch:
    """Keeps what the worker's events say about the run."""

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self.late = 0
        self.lost_frames = 0
        self.closed = 0

    def take(self, event: Event) -> None:
        match event:
            case WorkerReport():
                self.worst_ms = max(self.worst_ms, event.worst_lateness_ms)
                self.lost_frames = event.counters.get("lost_frames", 0)
            case LegClosed(stats=stats):
                self.late += stats.packets_late
                self.closed += 1
            case _:
                pass


def _pin(pid: int, core: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _complain(reason: str) -> None:
    sys.stderr.write(f"worker lost: {reason}\n")


async def measure(load: Load, seconds: float, speech: BenchSpeech) -> Row:
    """One row: a fresh worker on the first core, everything else on the last."""
    codec, legs, agent = load.codec, load.legs, speech.agent.tobytes()
    cores = sorted(os.sched_getaffinity(0))
    watch = _Watch()
    line = command_line(load.config, vad=load.vad, log_level="warning")
    client = MediaClient(line, watch.take, _complain)
    await client.start()
    telephones = _Telephones(cores[-1])
    try:
        pid = client.pid or 0
        _pin(pid, cores[0])
        before_kb = _rss_kb(pid)
        pcm = agent * int(1 + (seconds + 2 * _WARM_UP_S) * 2 * codec.rate_hz / len(agent))
        secret = os.urandom(SRTP_SUITES[SUITE].secret_bytes)
        # One key for all streams: their SSRCs tell them apart.
        keys = LegKeys(SUITE, secret, secret) if load.srtp else None
        ports = [await _open(client, number, telephones.port, pcm, keys, codec) for number in range(legs)]
        order = {
            "srtp": secret.hex() if load.srtp else "",
            "ports": ports,
            "speech": str(speech.path),
            "payload_type": codec.payload_type,
            "step": codec.step,
            "speaking": SPEAKING,
            "warm_up_s": _WARM_UP_S,
        }
        telephones.order(order | {"seconds": seconds + _WARM_UP_S + 0.2})
        await asyncio.sleep(_WARM_UP_S)
        watch.worst_ms, lost = 0.0, watch.lost_frames
        before_s = _scheduled_s(pid, cores[0])
        await asyncio.sleep(seconds)
        cpu_s, queued_s, stolen_s = (_scheduled_s(pid, cores[0]) - before_s).tolist()
        worst_ms, lost = watch.worst_ms, watch.lost_frames - lost
        rss_kb = _rss_kb(pid) - before_kb - legs * len(pcm) / 1024
        result = await asyncio.get_running_loop().run_in_executor(None, telephones.result)
        await _close(client, watch, legs)
    finally:
        telephones.close()
        await client.close()
    return Row(
        n=legs,
        vad=load.vad,
        srtp=load.srtp,
        codec=codec.label,
        cpu_us_per_leg_tick=round(cpu_s * 1e6 / (legs * seconds * _TICKS_PER_S), 1),
        departure_jitter_p50_ms=round(result.jitter_p50_ms, 2),
        departure_jitter_p99_ms=round(result.jitter_p99_ms, 2),
        departure_jitter_max_ms=round(result.worst_ms, 2),
        lost_frames=lost + result.missing,
        rss_kb_per_leg=round(rss_kb / legs, 1),
        late_in=watch.late,
        worst_tick_ms=round(worst_ms, 1),
        stolen_percent=round(100 * stolen_s / seconds, 1),
        queued_percent=round(100 * queued_s / seconds, 1),
    )


async def _close(client: MediaClient, watch: _Watch, legs: int) -> None:
    """Close all legs and wait for their numbers."""
    for number in range(legs):
        client.send(CloseLeg(LegId(f"leg{number}")))
    for _ in range(100):
        if watch.closed == legs:
            return
        await asyncio.sleep(0.02)
