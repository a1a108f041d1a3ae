"""The soak bench: thousands of short calls through a whole node, and what it still holds afterwards.

Calls come several at once from a softphone, with SIP and RTP over the loopback. What each process of the node holds
is compared between two quiet moments, after a warm-up and at the end, both late enough for draining ports and
remembered SIP transactions to be gone. Then the node is stopped and must leave nothing behind.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from voicegw.call.facts import CallHasEnded, Entry, MediaWasMeasured
from voicegw.gateway.config import SipConfig
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.media.config import MediaConfig
from voicegw.testing.bench._call_load import CallLoad
from voicegw.testing.bench._node import PHONE_RTP_PORTS, RTP_PORTS, NodeProcess
from voicegw.testing.bench._processes import ProcessUse, bound_udp_ports, family, is_alive, use_of
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.softphone import Softphone
from voicegw.testing.synthetic_caller import CallerVoice

_AGENT: Final = """
name: soak
greeting: Hello.
steps:
  - ask: {save: answer, type: yes_no, prompt: 'Yes or no?', confirm: never}
  - hangup: Goodbye, caller {{ calling }}.
"""
_DIALPLAN: Final = "routes: [{name: soak, match: {called: soak}, agent: soak}]\n"
_T1_MS: Final = 125
"""A SIP transaction is remembered for 64 T1: with the usual 500 ms nobody would have the patience to wait."""
_SETTLE_S: Final = 64 * _T1_MS / 1000 + 4.0
_WARM_UP: Final = 0.3
"""Part of the calls before memory is first looked at. They come twice as densely as the others, and the first ones
all speak at once, so that the pools (decoders, descriptors, transactions) have the size that a peak gives them."""
_PARTS: Final = 4
_FLAT_KB: Final = 2048.0
"""What counts as flat, in kB per 1,000 calls over all processes: 2 kB a call. The objects of one call that is not
let go weigh about 35 kB; an allocator that splits its arenas a little differently every day is no leak."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the node held after ``calls`` calls; ``quiet`` when nothing was going on any more."""

    calls: int
    quiet: bool
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
    def sockets(self) -> int:
        """Those of them that are sockets."""
        return sum(use.sockets for use in self.uses)

    def rss_by_role(self) -> dict[str, int]:
        """By what the processes do: a worker that was replaced lives on in its successor."""
        sums: Counter[str] = Counter()
        for use in self.uses:
            sums[use.role] += use.rss_kb
        return dict(sums)


@dataclass(slots=True)
class Result:
    """What came of it."""

    snapshots: list[Snapshot] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    complaints: Counter[str] = field(default_factory=Counter)
    idle_ports: int = 0
    surviving_processes: int = 0
    surviving_ports: int = 0
    exit_status: int = -1
    unfinished_logs: int = 0
    unfinished_recordings: int = 0
    calls_without_media: int = 0
    seconds: float = 0.0

    def quiet(self) -> tuple[Snapshot, Snapshot]:
        """The two moments that are compared."""
        found = [snapshot for snapshot in self.snapshots if snapshot.quiet]
        return found[0], found[-1]


def growth_kb(first: Snapshot, last: Snapshot) -> tuple[float, dict[str, float]]:
    """Memory growth in kB per 1,000 calls: of all processes together, and by role."""
    thousands = max(1, last.calls - first.calls) / 1000
    before, after = first.rss_by_role(), last.rss_by_role()
    each = {role: round((kb - before.get(role, 0)) / thousands, 1) for role, kb in sorted(after.items())}
    return round((last.rss_kb - first.rss_kb) / thousands, 1), each


def figures(result: Result) -> dict[str, object]:
    """The JSON object."""
    first, last = result.quiet()
    growth, each = growth_kb(first, last)
    return {
        "calls": last.calls,
        "failed_calls": sum(result.failures.values()),
        "calls_without_media": result.calls_without_media,
        "calls_per_s": round(last.calls / max(result.seconds, 0.1), 1),
        "rss_growth_kb_per_1000_calls": growth,
        "rss_growth_kb_per_1000_calls_by_process": each,
        "rss_kb": last.rss_kb,
        "leaked_fds": max(0, last.fds - first.fds),
        "leaked_sockets": max(0, last.sockets - first.sockets),
        "leaked_ports": result.idle_ports + result.surviving_ports,
        "leaked_processes": max(0, len(last.uses) - len(first.uses)) + result.surviving_processes,
        "replaced_workers": len({use.pid for use in last.uses} - {use.pid for use in first.uses}),
        "unfinished_logs": result.unfinished_logs,
        "unfinished_recordings": result.unfinished_recordings,
        "exit_status": result.exit_status,
    }


def verdicts(result: Result) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    found = figures(result)
    growth = growth_kb(*result.quiet())[0]
    whole = ("failed_calls", "calls_without_media", "unfinished_logs", "unfinished_recordings", "exit_status")
    left = ("leaked_fds", "leaked_sockets", "leaked_ports", "leaked_processes")
    return {
        "every call went as it should, with its log and recording": not any(found[name] for name in whole),
        f"memory flat: at most {_FLAT_KB:.0f} kB more per 1,000 calls": growth <= _FLAT_KB,
        "no process, socket, descriptor or port left behind": not any(found[name] for name in left),
    }


async def soak(home: Path, calls: int, parallel: int) -> Result:
    """Run everything; prints the table as it goes."""
    result = Result()
    (home / "agents").mkdir()
    (home / "agents" / "soak.yaml").write_text(_AGENT, encoding="utf-8")
    (home / "dialplan.yaml").write_text(_DIALPLAN, encoding="utf-8")
    paths: dict[str, object] = {"agents": str(home / "agents"), "dialplan": str(home / "dialplan.yaml")}
    speech = await _speech(home / "cache")
    phone = Softphone(SipConfig("127.0.0.1", 0), MediaConfig(*PHONE_RTP_PORTS))
    async with NodeProcess(home / "node", {"paths": paths, "sip": {"t1_ms": _T1_MS}}) as node:
        await phone.start()
        load = CallLoad(phone, node.uri("soak"), speech, patient=2 * parallel)
        try:
            await _load_and_look(load, node, result, calls, parallel)
        finally:
            await phone.close()
        members = family(node.pid)
        result.exit_status = await node.stop()
        result.surviving_processes = sum(is_alive(pid) for pid in members)
        result.surviving_ports = len(_ports(node))
    result.failures, result.complaints = load.failures, node.complaints()
    _look_at_files(node, result)
    return result


async def _load_and_look(load: CallLoad, node: NodeProcess, result: Result, calls: int, parallel: int) -> None:
    """Warm up and look; the rest in parts with a look after each, the last one when it is quiet again."""
    warm = max(1, int(calls * _WARM_UP))
    marks = [warm + (calls - warm) * part // _PARTS for part in range(_PARTS + 1)]
    for mark in marks:
        begun = time.monotonic()
        await load.make(mark - load.made, parallel if load.made else 2 * parallel)
        result.seconds += time.monotonic() - begun
        quiet = mark in (marks[0], marks[-1])
        if quiet:
            await asyncio.sleep(_SETTLE_S)
        uses = [use for pid in family(node.pid) if (use := use_of(pid))]
        result.snapshots.append(Snapshot(mark, quiet, tuple(uses)))
        show(_line(result.snapshots[-1]))
    result.idle_ports = len(_ports(node) - {node.port})


def _ports(node: NodeProcess) -> set[int]:
    return bound_udp_ports(*RTP_PORTS) | bound_udp_ports(node.port, node.port)


async def _speech(cache: Path) -> bytes:
    tts = make_tts("flite", EngineSettings(1, cache))
    await tts.start()
    try:
        return await CallerVoice(tts, "rms").make("yes please")
    finally:
        await tts.close()


def _look_at_files(node: NodeProcess, result: Result) -> None:
    """Every call must have a complete log, with packets in both directions, and a finished recording."""
    logs = node.logs()
    result.unfinished_logs = result.snapshots[-1].calls - sum(_is_finished(log) for log in logs.values())
    result.calls_without_media = sum(not _has_media(log) for log in logs.values())
    result.unfinished_recordings = len(list(node.recordings.glob("*.part")))


def _is_finished(log: Sequence[Entry]) -> bool:
    return isinstance(log[-1].data, CallHasEnded)


def _has_media(log: Sequence[Entry]) -> bool:
    measured = [entry.data for entry in log if isinstance(entry.data, MediaWasMeasured)]
    return any(fact.packets_sent and fact.packets_received for fact in measured)


_HEAD: Final = "calls  moment  processes  descriptors  sockets  memory MB  of which"


def _line(snapshot: Snapshot) -> str:
    each = ", ".join(f"{role} {kb / 1024:.1f}" for role, kb in sorted(snapshot.rss_by_role().items()))
    return (
        f"{snapshot.calls:5}  {'quiet' if snapshot.quiet else 'busy':6}  {len(snapshot.uses):9}  "
        f"{snapshot.fds:11}  {snapshot.sockets:7}  {snapshot.rss_kb / 1024:9.1f}  {each}"
    )


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("soak", "Memory, descriptors, processes and ports over many short calls.")
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--parallel", type=int, default=16, help="calls at a time")
    arguments = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        show(_HEAD)
        result = asyncio.run(soak(Path(folder), arguments.calls, arguments.parallel))
    for reason, count in result.failures.most_common():
        show(f"failed: {count} x {reason}")
    for text, count in result.complaints.most_common(20):
        show(f"logged: {count} x {text}")
    found = figures(result)
    for name, value in found.items():
        show(f"{name:42} {value}")
    conclude(found, verdicts(result), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
