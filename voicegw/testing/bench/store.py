"""The store bench: what a fact costs the call, how fast the database takes facts, and how fast calls are found.

Without ``--url`` it makes an SQLite file of its own; ``--url`` names an empty PostgreSQL database.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from voicegw.base.ids import CallId, UtteranceId
from voicegw.base.metrics import Counters
from voicegw.call.facts import (
    AgentSpoke,
    AnyFact,
    CallerSpoke,
    CallHasEnded,
    CallWasAnswered,
    CallWasOffered,
    CallWasRouted,
    Entry,
    TurnWasTimed,
)
from voicegw.storage.call_records import CallCursor, CallFilter
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter
from voicegw.testing.bench import _store_fill as filled
from voicegw.testing.bench._report import conclude, parser, percentile, show

_AIM_APPEND_US: Final = 20.0
_AIM_P95_MS: Final = 100.0
_AIM_FACTS_PER_S: Final = 1000.0
_TURNS: Final = 10
_SETTLE_S: Final = 300.0
_Query = Callable[[Random, int], tuple[CallFilter, CallCursor | None]]

_QUERIES: Final[dict[str, _Query]] = {
    "newest": lambda _random, _calls: (CallFilter(), None),
    "a page in the middle": lambda random, calls: (CallFilter(), _cursor(random, calls)),
    "agent": lambda random, _calls: (CallFilter(agent=f"agent{random.randrange(filled.AGENTS)}"), None),
    "cause, deep": lambda random, calls: (CallFilter(cause="no_media"), _cursor(random, calls)),
    "caller": lambda random, _calls: (CallFilter(number=_caller(random)), None),
    "called": lambda random, _calls: (CallFilter(called=f"+4930{1000 + random.randrange(filled.CALLED)}"), None),
    "beginning of a caller": lambda random, _calls: (CallFilter(calling=_caller(random)[:-2] + "*"), None),
    "rare word": lambda random, _calls: (CallFilter(text=f"rare{random.randrange(filled.RARE_WORDS)}"), None),
    "word of one call in 100": lambda random, _calls: (CallFilter(text=f"topic{random.randrange(100)}"), None),
    "word of every call": lambda _random, _calls: (CallFilter(text="appointment please"), None),
    "an hour of one agent": lambda random, calls: (_hour(random, calls), None),
}


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("store", "Cost of facts, and of finding calls.")
    options.add_argument("--url", default="", help="an empty PostgreSQL database instead of SQLite")
    options.add_argument("--calls", type=int, default=100_000, help="calls among which is searched")
    options.add_argument("--written", type=int, default=1000, help="calls that are written fact by fact")
    options.add_argument("--repeat", type=int, default=60, help="queries of each kind")
    arguments = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{folder}/store.sqlite"
        config = StoreConfig(url=url, spool=str(Path(folder) / "spool"), busy_timeout_ms=60_000)
        asyncio.run(_prepare(config))
        append_us, facts_per_s = _write(config, arguments.written)
        found = asyncio.run(_search(config, arguments.calls, arguments.repeat))
    slowest = max(found.values())
    verdicts = {
        f"a fact costs the call at most {_AIM_APPEND_US:.0f} µs ({append_us} µs)": append_us <= _AIM_APPEND_US,
        f"at least {_AIM_FACTS_PER_S:.0f} facts a second ({facts_per_s})": facts_per_s >= _AIM_FACTS_PER_S,
        f"list and search among {arguments.calls} calls: p95 below {_AIM_P95_MS:.0f} ms ({slowest} ms)": (
            slowest < _AIM_P95_MS
        ),
    }
    result = {"append_us": append_us, "facts_per_s": facts_per_s, "p95_ms": found, "calls": arguments.calls}
    conclude(result, verdicts, as_json=arguments.json)
    return 0


async def _prepare(config: StoreConfig) -> None:
    store = Store(config)
    await store.start()
    await store.close()


def _write(config: StoreConfig, calls: int) -> tuple[float, float]:
    """Microseconds for each append, and facts a second from the first append to the last commit."""
    facts = [(CallId(f"w{number}"), entry) for number in range(calls) for entry in _call(number)]
    counters = Counters()
    writer = StoreWriter(config, counters)
    began = time.perf_counter()
    spent = 0.0
    for at in range(0, len(facts), 1000):  # the queue is for minutes, not for all of a bench
        before = time.perf_counter()
        for call_id, entry in facts[at : at + 1000]:
            writer.append(call_id, entry)
        spent += time.perf_counter() - before
        writer.flush()
    writer.settle(_SETTLE_S)
    took = time.perf_counter() - began
    writer.close()
    stored = counters.get("store_facts_stored")
    show(f"{stored} of {len(facts)} facts stored in {took:.1f} s")
    return round(spent / len(facts) * 1e6, 2), round(stored / took, 0)


async def _search(config: StoreConfig, calls: int, repeat: int) -> dict[str, float]:
    """95th percentile of each kind of query, in milliseconds."""
    store = Store(config)
    random = Random(4)
    began = time.perf_counter()
    async with store.write() as unit:
        await filled.fill(unit.connection, calls)
    show(f"{calls} calls were made in {time.perf_counter() - began:.0f} s")
    found = {}
    for name, query in _QUERIES.items():
        took = []
        for _ in range(repeat):
            wanted, after = query(random, calls)
            before = time.perf_counter()
            async with store.read() as unit:
                await unit.calls.page(wanted, after)
            took.append((time.perf_counter() - before) * 1000)
        found[name] = percentile(took, 95)
        show(f"{name:<24} p50 {percentile(took, 50):>7} ms   p95 {found[name]:>7} ms")
    await store.close()
    return found


def _call(number: int) -> list[Entry]:
    offered = CallWasOffered(
        CallId(f"w{number}"), "sip", "+49301", f"+4915{number}", "", "2023-01-01T00:00:00+00:00"
    )
    facts: list[AnyFact] = [offered, CallWasRouted("main", "agent"), CallWasAnswered("PCMA", "192.0.2.1:4000")]
    for turn in range(_TURNS):
        at = turn * 8000.0
        facts.append(CallerSpoke("i would like to come on tuesday at ten", 0.9, "", at, at + 2500))
        facts.append(TurnWasTimed(400, 120, 30, 80, 20, 650))
        said = "On Tuesday I can offer you ten or half past two. Which one suits you better?"
        facts.append(AgentSpoke(UtteranceId(f"u{turn}"), said, said, True, False, at + 3200, at + 7500))
    facts.append(CallHasEnded("caller_hangup", "caller", False, 16, "the caller hung up", _TURNS * 8000.0))
    return [Entry(seq, seq * 2000.0, fact) for seq, fact in enumerate(facts)]


def _caller(random: Random) -> str:
    return f"+49151{1000000 + random.randrange(filled.CALLERS)}"


def _moment(random: Random, calls: int) -> int:
    return filled.FIRST_WALL_MS + random.randrange(calls) * filled.EVERY_MS


def _cursor(random: Random, calls: int) -> CallCursor:
    return CallCursor(_moment(random, calls), "call")


def _hour(random: Random, calls: int) -> CallFilter:
    begin = _moment(random, calls)
    return CallFilter(agent="agent3", from_wall_ms=begin, until_wall_ms=begin + 3_600_000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
