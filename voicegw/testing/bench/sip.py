"""The SIP bench: what a call costs in the gateway, how many a second it takes, and what a flood does to the rest.

The server is a process of its own (``_sip_server``): the product's gateway with an owner that answers at once, with
and without a media port for each call. sipp calls it. CPU is the server's own, as the kernel counts it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegAnswered, LegEvent
from voicegw.gateway.sip_leg import SipGateway
from voicegw.testing.bench._report import conclude, parser, percentile, show
from voicegw.testing.bench._sip_talkers import Talkers
from voicegw.testing.bench._sipp import Load, LoadResult, Sipp
from voicegw.testing.bench._tls_edge import TlsEdge, make_certificate

_RATES: Final = (100, 150, 200, 300, 400, 500, 600, 800, 1000)
_RUNS: Final = (
    ("udp", (), "u1"),
    ("tcp", (), "t1"),
    ("tls", ("--tls",), "t1"),
    ("udp_with_media", ("--media",), "u1"),
)
_STEP_S: Final = 5
_IDLE_CALLS: Final = 2000
_IDLE_S: Final = 75
_GENTLE: Final = 80
"""Calls a second where only memory is measured."""
_HORIZON_S: Final = 34.0
_PHONES: Final = 10_000
_REGISTER_RATE: Final = 200
_TALKING: Final = 50
_FLOOD_RATE: Final = 5000
_ANSWER_S: Final = 10.0
_SOON_S: Final = 0.05


class Server:
    """The loaded process."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voicegw.testing.bench._sip_server", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = str(self._read()["address"])

    def usage(self, order: str = "usage") -> dict[str, Any]:
        """What it has used so far, the media worker's CPU included as ``media_cpu_s``."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        usage = self._read()
        pid = usage["media_pid"]
        return usage | {"media_cpu_s": _cpu_s(int(pid)) if pid else 0.0}

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _cpu_s(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _step(server: Server, load: Load, target: str = "") -> tuple[LoadResult, float, float]:
    """One run; its result, and the CPU in ms per call of the gateway and of the media worker. ``target``: what
    stands before the server."""
    before = server.usage()
    result = Sipp(target or server.address, load).result()
    after = server.usage()
    calls = max(1, result.offered)
    gateway, media = (1000 * (after[name] - before[name]) / calls for name in ("cpu_s", "media_cpu_s"))
    return result, gateway, media


def _with_certificate(options: Sequence[str], stack: ExitStack) -> list[str]:
    if "--tls" not in options:
        return list(options)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return [*options, *map(str, make_certificate(folder))]


def _capacity(options: Sequence[str], transport: str, rates: Sequence[int]) -> dict[str, object]:
    """Raise the rate until a call fails or the rate is not reached; set-up times at half of the last good one."""
    best, cost = 0, 0.0
    with ExitStack() as stack:
        server = stack.enter_context(Server(*_with_certificate(options, stack)))
        target = stack.enter_context(TlsEdge(server.address)).address if "--tls" in options else server.address

        def step(rate: int) -> tuple[LoadResult, float, float]:
            return _step(server, Load(rate, rate * _STEP_S, transport=transport), target)

        for rate in rates:
            result, gateway, _ = step(rate)
            kept = result.seconds <= _STEP_S * 1.2 + 0.5
            show(f"  {rate:5}/s  {result.succeeded}/{result.offered} calls, {gateway:.2f} ms of CPU a call")
            if not result.all_passed or not kept:
                break
            best, cost = rate, gateway
        half, _, media = step(max(1, best // 2))
        fifty, at_fifty, _ = step(50)
    return {
        "calls_per_s": best,
        "cpu_ms_per_call": round(cost, 2),
        "cpu_ms_per_call_at_50": round(at_fifty, 2),
        "media_cpu_ms_per_call": round(media, 2),
        "setup_p50_ms_at_half": percentile(half.setup_ms, 50),
        "setup_p99_ms_at_half": percentile(half.setup_ms, 99),
        "setup_p50_ms_at_50": percentile(fifty.setup_ms, 50),
        "setup_p99_ms_at_50": percentile(fifty.setup_ms, 99),
    }


def _memory() -> dict[str, object]:
    """kB of each call that is up and idle; and whether memory is the same after each transaction horizon."""
    with Server() as server:
        Sipp(server.address, Load(_GENTLE, 400)).result()
        time.sleep(_HORIZON_S)
        empty = server.usage("collect")
        idle = Sipp(server.address, Load(_GENTLE, _IDLE_CALLS, hold_ms=_IDLE_S * 1000))
        while server.usage()["calls"] < _IDLE_CALLS and idle.running:
            time.sleep(0.2)
        time.sleep(_HORIZON_S)
        full = server.usage("collect")
        calls = full["calls"]
        idle.result()
        floors = []
        for _ in range(2):
            Sipp(server.address, Load(_GENTLE, _IDLE_CALLS)).result()
            time.sleep(_HORIZON_S)
            after = server.usage("collect")
            floors.append(after["rss_kb"])
    return {
        "kb_per_idle_dialog": round((full["rss_kb"] - empty["rss_kb"]) / max(1, calls), 1),
        "idle_dialogs": calls,
        "rss_kb_empty": empty["rss_kb"],
        "rss_kb_after_each_horizon": floors,
        "transactions_after": after["transactions"],
    }


def _registrations() -> dict[str, object]:
    """Phones that register with their passwords, each challenged once."""
    with Server("--phones", str(_PHONES)) as server:
        before = server.usage("collect")
        result, cost, _ = _step(server, Load(_REGISTER_RATE, _PHONES, registers=True))
        after = server.usage("collect")
    return {
        "registered": after["registered"],
        "seconds": result.seconds,
        "cpu_ms_each": round(cost, 2),
        "p99_ms": percentile(result.setup_ms, 99),
        "kb_each": round((after["rss_kb"] - before["rss_kb"]) / _PHONES, 1),
    }


# ---------------------------------------------------------------- the flood


async def _talk(server: Server, talkers: Talkers) -> SipGateway:
    """Set the talking calls up; the gateway that holds them."""
    host, _, port = server.address.partition(":")
    answered: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    def take(event: LegEvent) -> None:
        if isinstance(event, LegAnswered):
            answered.put_nowait((event.session.remote_ip, event.session.remote_port))

    gateway = SipGateway(
        SipConfig("127.0.0.1", 0), take, random=os.urandom, clock=SystemClock(), counters=Counters()
    )
    gateway.start()
    remotes = []
    for media_port in talkers.ports:  # one by one: the first is a stranger's, and makes the address known
        leg_id = LegId(f"talker at {media_port}")
        gateway.dial(leg_id, f"sip:talk@{host}:{port}", "127.0.0.1", media_port, "sip:talker@127.0.0.1")
        async with asyncio.timeout(_ANSWER_S):
            remotes.append(await answered.get())
    talkers.start(remotes)
    return gateway


async def _flood(seconds: float, rate: int) -> dict[str, object]:
    """The same calls without and with a flood, and how soon a stranger is answered after it."""
    with Server("--media", "--guarded") as server, Talkers(_TALKING) as talkers:
        gateway = await _talk(server, talkers)
        await asyncio.sleep(2.0)
        calm = time.time()
        await asyncio.sleep(seconds)
        before = server.usage()
        begin = time.time()
        command = [
            sys.executable,
            "-m",
            "voicegw.testing.bench._sip_flood",
            server.address,
            str(rate),
            str(seconds),
        ]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        await asyncio.sleep(seconds)
        after = server.usage()
        out, _ = await process.communicate()
        quiet, loud = talkers.heard(calm, calm + seconds), talkers.heard(begin, begin + seconds)
        alive = gateway.active_legs
        gateway.close()
        await asyncio.sleep(_SOON_S)
    told = json.loads(out)
    counts = {name: count - before["counters"].get(name, 0) for name, count in after["counters"].items()}
    return {
        "flood_per_s": round(told["sent"] / seconds),
        "recovered_s": round(told["recovered_s"], 2),
        "talking": alive,
        "server_cpu_share": round((after["cpu_s"] - before["cpu_s"]) / seconds, 2),
        "without": {name: getattr(quiet, name) for name in quiet.__slots__},
        "with": {name: getattr(loud, name) for name in loud.__slots__},
        "counters": {name: count for name, count in counts.items() if count and name.startswith("sip_")},
    }


def _flood_verdicts(result: dict[str, Any]) -> dict[str, bool]:
    quiet, loud = result["without"], result["with"]
    return {
        "a flood costs no talking call a packet": loud["lost"] <= quiet["lost"],
        f"all {_TALKING} calls live on": result["talking"] == _TALKING,
        "a stranger is answered within 1 s of its end": result["recovered_s"] <= 1.0,
    }


def _verdicts(result: dict[str, Any]) -> dict[str, bool]:
    plain, media, memory = result["udp"], result["udp_with_media"], result["memory"]
    registered = result["registrations"]["registered"]
    floors = memory["rss_kb_after_each_horizon"]
    return {
        "at most 1.5 ms of CPU per whole call": plain["cpu_ms_per_call"] <= 1.5,
        "300 calls/s and more without media": plain["calls_per_s"] >= 300,
        "150 calls/s and more with a media port each": media["calls_per_s"] >= 150,
        "set-up p99 at most 50 ms at 50 calls/s": plain["setup_p99_ms_at_50"] <= 50,
        "at most 20 kB per idle dialog": memory["kb_per_idle_dialog"] <= 20,
        f"{_PHONES:,} phones register": registered == _PHONES,
        "memory flat after the transaction horizon": floors[1] <= floors[0] * 1.02
        and not memory["transactions_after"],
    }


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    made = parser("sip", "Calls per second, CPU and memory of a call, and a flood.")
    made.add_argument("--flood", action="store_true", help="only the flood")
    made.add_argument("--seconds", type=float, default=20.0, help="length of the flood")
    made.add_argument("--rate", type=int, default=_FLOOD_RATE, help="INVITEs a second of the flood")
    made.add_argument("--rates", type=int, nargs="+", default=_RATES, help="calls a second, rising")
    made.add_argument("--runs", nargs="+", default=(), help="only these: udp, tcp, tls, udp_with_media")
    made.add_argument("--no-memory", action="store_true", help="leave the minutes out that memory takes")
    arguments = made.parse_args(argv)
    if arguments.flood:
        flood = asyncio.run(_flood(arguments.seconds, arguments.rate))
        show(json.dumps(flood, indent=1))
        conclude(flood, _flood_verdicts(flood), as_json=arguments.json)
        return 0
    result: dict[str, Any] = {}
    for name, options, transport in _RUNS:
        if arguments.runs and name not in arguments.runs:
            continue
        show(name)
        result[name] = _capacity(options, transport, arguments.rates)
        show(json.dumps(result[name]))
    verdicts = {}
    if not arguments.no_memory:
        result["memory"] = _memory()
        show(json.dumps(result["memory"]))
        result["registrations"] = _registrations()
        show(json.dumps(result["registrations"]))
        verdicts = _verdicts(result) if not arguments.runs else {}
    conclude(result, verdicts, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LocalError as problem:
        sys.exit(str(problem))
