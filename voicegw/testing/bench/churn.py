"""The churn bench: an hour of short calls of every kind, and what each process of the node holds in each minute.

Calls come at a steady low rate from several sipps: they talk, hang up at once, cancel, are refused, hold, are put
through and referred, never acknowledge, fall silent; by UDP and TCP. About once a minute memory, descriptors and
Python's blocks of every process are looked at, and what the node counts itself. A line through these (least
squares) says what a call leaves behind. The first third is left out: until then what has a bound fills up (live
events, pages of SQLite, sentences that were said before). What grows on the disk is a record of calls, and told
apart. Of memory and descriptors the least since the last look counts: calls of the moment hold some for seconds,
and garbage waits for half a minute; what is lost is there always.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from voicegw.base.errors import LocalError
from voicegw.testing.bench._churn_scenes import AGENTS, DIALPLAN, desks, scenes, sections, sound_of
from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._node_api import NodeApi
from voicegw.testing.bench._object_counts import Held, ask, environment
from voicegw.testing.bench._processes import ProcessUse, descriptors_of, family, use_of
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.bench._sipp_load import Outcome, Scene, SippLoad
from voicegw.testing.bench._words import make_words
from voicegw.testing.ports import free_port, free_ports

_PORTS_EACH: Final = 400
"""Of each sipp, for media."""
_LONGEST_S: Final = 150.0
"""After its last call has begun, sipp is given so long."""
_SETTLE_S: Final = 64 * 0.5 + 8.0
"""Transactions are remembered for 64 T1; a closed media port rests for five seconds."""
_POLL_S: Final = 0.5
_LEVELS: Final = {
    "calls": "voicegw_calls_active",
    "sip_calls": "voicegw_sip_calls",
    "transactions": "voicegw_sip_transactions",
    "half_open": "voicegw_sip_half_open_calls",
    "legs": "voicegw_media_worker_legs",
    "queued_facts": "voicegw_store_queued_facts",
}
_FLAT_KB: Final = 200.0
"""What counts as flat, in kB of resident memory per 1,000 calls, for each process: a call that is not let go weighs
35 kB, so one in two hundred would show."""
_FLAT_BLOCKS: Final = 0.5
"""The same in Python's blocks for each call: whatever a call leaves behind is one at least."""
_NOTHING: Final = Held(0, 0)
"""Of a process that did not answer."""
EVERY_S: Final = 67.0
"""The gateway collects its garbage every half minute. Looks at a multiple of that drift through it within an hour,
and see 12,000 blocks more from some minute on; of five of these one comes soon after a collection."""
_GLANCE_S: Final = 4.0
_LOW_LOOKS: Final = 5
"""Of so many looks the least count of blocks is taken: between two collections, cycles of calls that have ended are
held as well, tens of thousands of blocks in a gateway."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What there was ``at_s`` seconds after the beginning, with ``calls`` calls behind it."""

    at_s: float
    calls: int
    uses: tuple[ProcessUse, ...]
    held: Mapping[int, Held]
    levels: Mapping[str, float]
    disk_kb: int


@dataclass(slots=True)
class Churn:
    """What came of it."""

    minutes: list[Minute] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    """The metrics before the first call, and when all was quiet again."""
    complaints: Counter[str] = field(default_factory=Counter)
    exit_status: int = -1


class Bench:
    """One run in a folder of its own."""

    def __init__(self, home: Path, minutes: float, per_s: float) -> None:
        self._home = home
        self._seconds = minutes * 60
        self._per_s = per_s
        self._counts = home / "counts"
        self._begun = 0.0
        self._least_fds: dict[int, int] = {}
        self._least_kb: dict[int, ProcessUse] = {}
        self.result = Churn()

    async def run(self, every_s: float) -> Churn:
        """Everything; prints a line for each look."""
        (self._home / "agents").mkdir()
        for name, text in AGENTS.items():
            (self._home / "agents" / f"{name}.yaml").write_text(text)
        (self._home / "dialplan.yaml").write_text(DIALPLAN)
        sound = self._home / "words.ulaw"
        sound.write_bytes(sound_of(await make_words(self._home / "speech", "once again"), 1.5, 5.0))
        node, api_port, desk_ports = self._node()
        async with node:
            api = await asyncio.to_thread(NodeApi, node, api_port)
            try:
                await self._load(node, api, sound, desk_ports, every_s)
            finally:
                api.close()
            self.result.exit_status = await node.stop()
        self.result.complaints = node.complaints()
        return self.result

    def _node(self) -> tuple[NodeProcess, int, list[int]]:
        api_port, *desk_ports = (free_port() for _ in range(3))
        own = {name: str(self._home / name) for name in ("agents", "calls", "recordings", "cache")}
        settings: dict[str, Mapping[str, object]] = {
            "paths": {**own, "dialplan": str(self._home / "dialplan.yaml"), "control": ""},
            "store": {"url": f"sqlite:///{self._home}/store.sqlite", "spool": str(self._home / "spool")},
            "api": {"enabled": True, "listen_port": api_port, "key_file": str(self._home / "secrets.key")},
            "transfer": sections(*desk_ports),
        }
        node = NodeProcess(self._home / "node", settings, environment=environment(self._counts))
        return node, api_port, desk_ports

    async def _load(
        self, node: NodeProcess, api: NodeApi, sound: Path, desk_ports: Sequence[int], every_s: float
    ) -> None:
        self.result.before = api.metrics()
        called = [
            self._sipp("", Scene(name, text, calls=1_000_000), port)
            for (name, text), port in zip(desks(), desk_ports, strict=True)
        ]
        target = f"{node.host}:{node.port}"
        callers = [self._sipp(target, scene, 0) for scene in scenes(sound, self._per_s, self._seconds)]
        try:
            await self._watch(node, api, callers, every_s)
            await asyncio.sleep(_SETTLE_S)
            self.result.after = api.metrics()
            self._look(node, api)
        finally:
            for sipp in (*callers, *called):
                sipp.end()
        self.result.outcomes = {sipp.scene.name: sipp.outcome() for sipp in callers}

    def _sipp(self, target: str, scene: Scene, port: int) -> SippLoad:
        media = free_ports(_PORTS_EACH)
        return SippLoad(self._home / "sipp", target, scene, port or free_port(), (media, media + _PORTS_EACH))

    async def _watch(self, node: NodeProcess, api: NodeApi, callers: Sequence[SippLoad], every_s: float) -> None:
        """A look each minute until no sipp has a call left."""
        begun = self._begun = time.monotonic()
        last = begun + self._seconds + _LONGEST_S
        looks = glances = 1
        while any(sipp.running for sipp in callers):
            await asyncio.sleep(_POLL_S)
            self._count_descriptors(node)
            now = time.monotonic()
            if now >= begun + glances * _GLANCE_S:
                glances += 1
                self._glance(node)
            if now >= begun + looks * every_s:
                looks += 1
                self._look(node, api)
            if now > last:
                raise LocalError(f"still calling: {[sipp.scene.name for sipp in callers if sipp.running]}")

    def _count_descriptors(self, node: NodeProcess) -> None:
        for pid in family(node.pid):
            if count := descriptors_of(pid):
                self._least_fds[pid] = min(count, self._least_fds.get(pid, count))

    def _least_of(self, use: ProcessUse, held: Mapping[int, Held]) -> ProcessUse:
        """Decoders are counted at the look, and so is the memory of those who have some."""
        kb = use if held.get(use.pid, _NOTHING).decoders else self._least_kb.get(use.pid, use)
        fds = self._least_fds.get(use.pid, use.fds)
        return replace(use, fds=fds, rss_kb=kb.rss_kb, anonymous_kb=kb.anonymous_kb)

    def _glance(self, node: NodeProcess) -> None:
        """What was least of memory within a minute is what stays: cycles wait for half a minute to be collected,
        and one look a minute drifts through that."""
        for pid in family(node.pid):
            use, least = use_of(pid), self._least_kb.get(pid)
            if use is not None and (least is None or use.anonymous_kb < least.anonymous_kb):
                self._least_kb[pid] = use

    def _look(self, node: NodeProcess, api: NodeApi) -> None:
        pids = family(node.pid)
        self._glance(node)
        held = ask(self._counts, pids)
        metrics = api.metrics()
        self._count_descriptors(node)
        uses = tuple(self._least_of(use, held) for pid in pids if (use := use_of(pid)))
        self._least_fds.clear()
        self._least_kb.clear()
        minute = Minute(
            time.monotonic() - self._begun,
            round(metrics["voicegw_sip_calls_in_total"]),
            uses,
            held,
            {name: metrics.get(series, 0.0) for name, series in _LEVELS.items()},
            sum(file.stat().st_size for file in self._home.glob("store.sqlite*")) // 1024,
        )
        self.result.minutes.append(minute)
        show(_line(minute))


# ---------------------------------------------------------------- what it says


@dataclass(frozen=True, slots=True)
class Slope:
    """Of one process over the minutes after the warm-up: ``kb`` of resident memory and ``anonymous_kb`` of what no
    file backs per 1,000 calls, ``blocks`` for each call; and what it had at the beginning and at the end, of
    descriptors the least of the first third and of the last. Decoders are not in ``kb``: they count apart, those
    that know all words apart from the small ones.
    """

    process: str
    kb: float
    anonymous_kb: float
    blocks: float
    rss_mb: tuple[float, float]
    descriptors: tuple[int, int]
    decoders: tuple[int, int]
    malloc_mb: tuple[float, float]
    """What the C library has given out, the least of the first five looks and of the last five."""


def slopes(minutes: Sequence[Minute], warm_up_s: float) -> list[Slope]:
    """A row for each process that was there all the time. Minutes when calls were there count, in equal steps."""
    steady = [minute for minute in minutes if minute.at_s > warm_up_s and minute.levels["calls"]]
    if len(steady) < 3:
        return []
    calls = [minute.calls for minute in steady]
    there = set.intersection(*({use.pid for use in minute.uses} for minute in steady))
    found = []
    for pid in sorted(there):
        rows = [next(use for use in minute.uses if use.pid == pid) for minute in steady]
        held = [minute.held.get(pid, _NOTHING) for minute in steady]
        decoders = [(one.decoders - one.general, one.general) for one in held]
        given = [one.malloc_kb / 1024 for one in held if one is not _NOTHING] or [0.0]
        counted = _lows([(minute.calls, minute.held[pid].blocks) for minute in steady if pid in minute.held])
        found.append(
            Slope(
                rows[0].role,
                round(1000 * _slope(calls, [row.rss_kb for row in rows], decoders), 1),
                round(1000 * _slope(calls, [row.anonymous_kb for row in rows], decoders), 1),
                round(_slope(*zip(*counted, strict=True)), 3) if len(counted) > 2 else 0.0,
                (round(rows[0].rss_kb / 1024, 1), round(rows[-1].rss_kb / 1024, 1)),
                _ends([row.fds for row in rows]),
                (held[0].decoders, held[-1].decoders),
                (round(min(given[:_LOW_LOOKS]), 1), round(min(given[-_LOW_LOOKS:]), 1)),
            )
        )
    return found


def _ends(values: Sequence[int]) -> tuple[int, int]:
    """The least of the first third and of the last: calls of the moment hold some for seconds, lost ones stay.

    A median would tell how many calls overlap, which drifts with the rhythms of fourteen sipps.
    """
    third = max(1, len(values) // 3)
    return min(values[:third]), min(values[-third:])


def _lows(counted: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The least of each five; all of them where that leaves too few for a line."""
    parts = [counted[at : at + _LOW_LOOKS] for at in range(0, len(counted) - _LOW_LOOKS + 1, _LOW_LOOKS)]
    lows = [min(part, key=lambda one: one[1]) for part in parts]
    return lows if len(lows) > 2 else list(counted)


def _slope(calls: Sequence[float], values: Sequence[float], decoders: Sequence[tuple[int, int]] = ()) -> float:
    """Least squares: ``values`` by the number of calls, and by how many decoders of each size there are.

    Decoders come and go with how many callers speak at once, 17 MB each or 95, and are told apart as levels.
    """
    x = np.asarray(calls, dtype=float) - np.mean(calls)
    held = np.asarray(decoders or [(0, 0)] * len(calls), dtype=float)
    terms = np.column_stack([x, held - held.mean(axis=0), np.ones(len(x))])
    return float(np.linalg.lstsq(terms, np.asarray(values, dtype=float), rcond=None)[0][0])


def figures(churn: Churn, warm_up_s: float) -> dict[str, object]:
    """The JSON object."""
    first, last = churn.minutes[0], churn.minutes[-1]
    change = {name: value - churn.before.get(name, 0.0) for name, value in churn.after.items()}
    began = sum(outcome.began for outcome in churn.outcomes.values())
    return {
        "minutes": round(last.at_s / 60, 1),
        "calls": began,
        "failed": {name: one.failed for name, one in churn.outcomes.items() if one.failed},
        "undecided": sum(one.undecided for one in churn.outcomes.values()),
        "retransmissions": sum(one.retransmissions for one in churn.outcomes.values()),
        "calls_in": round(change["voicegw_sip_calls_in_total"]),
        "offered": round(change["voicegw_calls_offered_total"]),
        "ended": round(change["voicegw_calls_ended_total"]),
        "causes": {
            name.partition('"')[2].rstrip('"}'): round(value)
            for name, value in change.items()
            if name.startswith("voicegw_calls_ended_total{") and value
        },
        "left": {name: last.levels[name] for name in _LEVELS if last.levels[name]},
        "processes": [
            {name: getattr(row, name) for name in Slope.__slots__} for row in slopes(churn.minutes, warm_up_s)
        ],
        "replaced_processes": len({use.pid for use in last.uses} - {use.pid for use in first.uses}),
        "fds_at_rest": sum(use.fds for use in last.uses),
        "store_bytes_a_call": round((last.disk_kb - first.disk_kb) * 1024 / max(1, last.calls - first.calls)),
        "exit_status": churn.exit_status,
    }


def verdicts(churn: Churn, warm_up_s: float) -> dict[str, bool]:
    """The aims, each with whether it was met."""
    found, rows = figures(churn, warm_up_s), slopes(churn.minutes, warm_up_s)
    return {
        "every call went as it should": not found["failed"] and not found["undecided"],
        "every call of sipp's is one of the node's, and has ended": (
            found["calls"] == found["calls_in"] == found["offered"] == found["ended"]
        ),
        "no call, dialog, transaction, leg or fact is left": not found["left"],
        f"memory is flat: at most {_FLAT_KB:.0f} kB per 1,000 calls in each process": (
            bool(rows) and all(row.kb <= _FLAT_KB for row in rows)
        ),
        f"at most {_FLAT_BLOCKS} blocks of Python's a call": all(row.blocks <= _FLAT_BLOCKS for row in rows),
        "descriptors are flat": all(row.descriptors[1] <= row.descriptors[0] for row in rows),
        "no process was replaced, and the node ended well": (
            not found["replaced_processes"] and not found["exit_status"]
        ),
    }


def _line(minute: Minute) -> str:
    each = ", ".join(
        f"{use.role} {use.rss_kb / 1024:.1f} ({use.anonymous_kb / 1024:.1f} anonymous, {use.fds} fds, "
        f"{held.blocks if held else 0} blocks{f', {held.decoders} decoders' if held and held.decoders else ''}"
        f", {held.malloc_kb if held else 0} of "
        f"{held.heaps_kb if held else 0} kB malloc, {held.sqlite_kb if held else 0} sqlite)"
        for use in minute.uses
        for held in (minute.held.get(use.pid),)
    )
    levels = " ".join(f"{name} {value:.0f}" for name, value in minute.levels.items())
    return f"{minute.at_s / 60:5.1f} min  {minute.calls:6} calls  {levels}  store {minute.disk_kb} kB  {each}"


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("churn", "An hour of short calls of every kind: memory, descriptors, what is left.")
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--rate", type=float, default=5.0, help="calls a second, all kinds together")
    options.add_argument("--every", type=float, default=EVERY_S, metavar="S", help="seconds between two looks")
    options.add_argument("--warm-up", type=float, metavar="MINUTES", help="left out; a third of the run by default")
    options.add_argument(
        "--home", type=Path, metavar="DIR", help="an empty folder; all that is written stays there"
    )
    arguments = options.parse_args(argv)
    warm_up_s = 60 * (arguments.minutes / 3 if arguments.warm_up is None else arguments.warm_up)
    with ExitStack() as stack:
        folder = arguments.home or stack.enter_context(tempfile.TemporaryDirectory())
        churn = asyncio.run(Bench(Path(folder), arguments.minutes, arguments.rate).run(arguments.every))
    for name, outcome in churn.outcomes.items():
        show(f"{name:24} {outcome.passed}/{outcome.began} as they should, {outcome.failed} not")
        for line in outcome.errors.splitlines()[:6]:
            show(f"    {line}")
    for text, count in churn.complaints.most_common(20):
        show(f"logged: {count} x {text}")
    found = figures(churn, warm_up_s)
    for name, value in found.items():
        show(f"{name:24} {value}")
    conclude(found, verdicts(churn, warm_up_s), as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
