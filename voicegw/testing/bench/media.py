"""The media bench: what a leg costs in the worker, and how evenly its packets leave.

A load generator in a process and on a core of its own sends N streams of a codec, 40 % of them speech, to N calls
in a real worker. Each call taps what it hears for the recogniser and plays agent audio, as a conversation does. CPU
time is the worker's own from the kernel's scheduler, so that other load on the machine does not count; departure
times are kernel timestamps at the receiver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from voicegw.audio import wav
from voicegw.audio.resample import resample
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.media.client import MediaClient
from voicegw.media.config import MediaConfig
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
from voicegw.testing.bench._rtp_batches import SUITE
from voicegw.testing.bench._rtp_load import LoadResult
from voicegw.testing.bench._speech_packets import CODECS, BenchCodec, write_packets

_LEGS: Final = (50, 100, 200, 300)
_SPEAKING: Final = 0.4
_WARM_UP_S: Final = 2.0
_TICKS_PER_S: Final = 50
_AIM_US: Final = {False: 20.0, True: 60.0}
_AIM_LEGS: Final = {"G722": 200, "opus": 60}
_TICK_US: Final = 20_000
_AIM_JITTER_MS: Final = 3.0
_WAYS: Final = {"on": (True,), "off": (False,), "both": (False, True)}
_TEXT: Final = (
    "Good morning, I would like to book an appointment for next Tuesday, if that is possible. "
    "My account number is four seven one, nine zero two. Yes, half past ten is fine. Thank you very much."
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
    lost_frames: int
    rss_kb_per_leg: float
    late_in: int
    worst_tick_ms: float


def _speech(folder: Path, codec: BenchCodec) -> tuple[Path, bytes]:
    """A file of speech for the callers, and PCM for the agent at the rate of the codec."""
    made = folder / "speech.wav"
    subprocess.run(["flite", "-voice", "kal", "-t", _TEXT, "-o", str(made)], check=True)
    audio = wav.parse(made.read_bytes())
    packets = folder / f"speech.{codec.name}"
    write_packets(packets, codec, audio.mono(), audio.rate)
    return packets, resample(audio.mono(), audio.rate, codec.rate_hz).tobytes()


class _Load:
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


def _cpu_s(pid: int) -> float:
    """CPU time of all threads so far, in nanosecond steps."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


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


async def _measure(
    legs: int, *, vad: bool, srtp: bool, codec: BenchCodec, seconds: float, speech: tuple[Path, bytes]
) -> Row:
    """One row: a fresh worker on the first core, everything else on the last."""
    cores = sorted(os.sched_getaffinity(0))
    watch = _Watch()
    line = command_line(MediaConfig(), vad=vad, log_level="warning")
    client = MediaClient(line, watch.take, _complain)
    await client.start()
    load = _Load(cores[-1])
    try:
        pid = client.pid or 0
        _pin(pid, cores[0])
        before_kb = _rss_kb(pid)
        pcm = speech[1] * int(1 + (seconds + 2 * _WARM_UP_S) * 2 * codec.rate_hz / len(speech[1]))
        secret = os.urandom(SRTP_SUITES[SUITE].secret_bytes)
        keys = (
            LegKeys(SUITE, secret, secret) if srtp else None
        )  # one key for all streams: their SSRCs tell them apart
        ports = [await _open(client, number, load.port, pcm, keys, codec) for number in range(legs)]
        order = {
            "srtp": secret.hex() if srtp else "",
            "ports": ports,
            "speech": str(speech[0]),
            "payload_type": codec.payload_type,
            "step": codec.step,
            "speaking": _SPEAKING,
            "warm_up_s": _WARM_UP_S,
        }
        load.order(order | {"seconds": seconds + _WARM_UP_S + 0.2})
        await asyncio.sleep(_WARM_UP_S)
        watch.worst_ms, lost = 0.0, watch.lost_frames
        cpu_s = _cpu_s(pid)
        await asyncio.sleep(seconds)
        cpu_s = _cpu_s(pid) - cpu_s
        worst_ms, lost = watch.worst_ms, watch.lost_frames - lost
        rss_kb = _rss_kb(pid) - before_kb - legs * len(pcm) / 1024
        result = await asyncio.get_running_loop().run_in_executor(None, load.result)
        await _close(client, watch, legs)
    finally:
        load.close()
        await client.close()
    return Row(
        n=legs,
        vad=vad,
        srtp=srtp,
        codec=codec.name,
        cpu_us_per_leg_tick=round(cpu_s * 1e6 / (legs * seconds * _TICKS_PER_S), 1),
        departure_jitter_p50_ms=round(result.jitter_p50_ms, 2),
        departure_jitter_p99_ms=round(result.jitter_p99_ms, 2),
        lost_frames=lost + result.missing,
        rss_kb_per_leg=round(rss_kb / legs, 1),
        late_in=watch.late,
        worst_tick_ms=round(worst_ms, 1),
    )


async def _close(client: MediaClient, watch: _Watch, legs: int) -> None:
    """Close all legs and wait for their numbers."""
    for number in range(legs):
        client.send(CloseLeg(LegId(f"leg{number}")))
    for _ in range(100):
        if watch.closed == legs:
            return
        await asyncio.sleep(0.02)


def _verdicts(rows: Sequence[Row]) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    verdicts: dict[str, bool] = {}
    for vad, aim in _AIM_US.items():
        costs = [row.cpu_us_per_leg_tick for row in rows if row.vad is vad and row.n >= 100 and _is_plain(row)]
        if costs:
            name = f"at most {aim:.0f} us of CPU per leg and tick {'with' if vad else 'without'} VAD"
            verdicts[f"{name}, 100 legs and more"] = max(costs) <= aim
    most = [row for row in rows if row.n == 300 and _is_plain(row)]
    if most:
        verdicts["300 legs on one core without a lost frame"] = all(row.lost_frames == 0 for row in most)
    secure = [row for row in rows if row.n == 200 and row.srtp]
    if secure:
        verdicts["200 legs of SRTP on one core without a lost frame"] = all(row.lost_frames == 0 for row in secure)
    for codec, least in _AIM_LEGS.items():
        found = [row for row in rows if row.codec == codec and row.n >= least and row.vad]
        if found:
            fits = found[0].cpu_us_per_leg_tick * least <= _TICK_US and found[0].lost_frames == 0
            verdicts[f"{least} legs of {codec} on one core, VAD included"] = fits
    hundred = [row for row in rows if row.n == 100]
    if hundred:
        worst = max(row.departure_jitter_p99_ms for row in hundred)
        verdicts[f"departure jitter p99 at most {_AIM_JITTER_MS:.0f} ms at 100 legs"] = worst <= _AIM_JITTER_MS
    return verdicts


def _is_plain(row: Row) -> bool:
    return not row.srtp and row.codec == "PCMU"


_HEAD: Final = (
    "legs  codec  vad  srtp  us/leg/tick  jitter p50 ms  p99 ms  lost frames  kB/leg  late in  worst tick ms\n"
)


def _line(row: Row) -> str:
    return (
        f"{row.n:4}  {row.codec:5}  {'on ' if row.vad else 'off'}  "
        f"{'on  ' if row.srtp else 'off '}  {row.cpu_us_per_leg_tick:11.1f}  "
        f"{row.departure_jitter_p50_ms:13.2f}  {row.departure_jitter_p99_ms:6.2f}  {row.lost_frames:11}  "
        f"{row.rss_kb_per_leg:6.1f}  {row.late_in:7}  {row.worst_tick_ms:13.1f}\n"
    )


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    parser = argparse.ArgumentParser(prog="bench media", description="CPU and timing of the media worker.")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--legs", type=int, nargs="+", default=_LEGS)
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time of each row")
    parser.add_argument("--srtp", choices=("on", "off", "both"), default="off", help=SUITE)
    parser.add_argument("--codec", choices=tuple(CODECS), nargs="+", default=("PCMU",))
    parser.add_argument("--vad", choices=("on", "off", "both"), default="both")
    arguments = parser.parse_args(argv)
    write = sys.stdout.write
    rows: list[Row] = []
    write(_HEAD)
    with tempfile.TemporaryDirectory() as folder:
        speech = {name: _speech(Path(folder), CODECS[name]) for name in arguments.codec}
        kinds = product(arguments.codec, _WAYS[arguments.vad], _WAYS[arguments.srtp], arguments.legs)
        for name, vad, srtp, legs in kinds:
            work = _measure(
                legs, vad=vad, srtp=srtp, codec=CODECS[name], seconds=arguments.seconds, speech=speech[name]
            )
            row = asyncio.run(work)
            rows.append(row)
            write(_line(row))
            sys.stdout.flush()
    verdicts = _verdicts(rows)
    for text, met in verdicts.items():
        write(f"{'met    ' if met else 'NOT MET'}  {text}\n")
    if arguments.json:
        write(json.dumps({"legs": [asdict(row) for row in rows], "verdict": verdicts}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
