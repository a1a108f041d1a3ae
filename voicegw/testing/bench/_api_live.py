"""The live half of the API bench: calls that make facts, watchers who get them all, and the loop they share."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.facts import (
    AgentSpoke,
    AnyFact,
    CallerSpoke,
    CallWasAnswered,
    CallWasOffered,
    CallWasRouted,
    Entry,
    TurnWasTimed,
)
from voicegw.storage.config import StoreConfig
from voicegw.testing.bench._api_node import RunningApi, running_api
from voicegw.testing.bench._report import percentile, show

TURN_S: Final = 8.0
"""Caller, answer, and the way there: three facts."""
_LATENESS_S: Final = 0.02
_READY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Live:
    """Lateness: of a 20 ms timer in the loop that makes decisions for calls."""

    watchers: dict[str, float]
    api_cpu_percent: float
    late_p95_ms_alone: float
    late_p95_ms_watched: float
    facts_per_s: float


async def measure(store: StoreConfig, folder: Path, calls: int, watchers: int, seconds: float) -> Live:
    """Facts of so many calls to so many watchers; first without them, for comparison."""
    async with running_api(store, folder) as api:
        published = [0]
        talking = [asyncio.create_task(_call(api, number, published)) for number in range(calls)]
        alone = await _lateness(seconds / 2)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voicegw.testing.bench._watchers"),
            *(str(api.port), api.token, str(watchers), str(seconds)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        async with asyncio.timeout(_READY_S):
            ready = (await child.stdout.readline()).decode().strip()
        if ready != "ready":
            raise RuntimeError(f"the watchers: {ready}")
        cpu, facts, began = api.cpu_s(), published[0], time.perf_counter()
        watched = await _lateness(seconds)
        took = time.perf_counter() - began
        cpu, facts = api.cpu_s() - cpu, published[0] - facts
        seen = json.loads((await child.stdout.read()) or b"{}")
        await child.wait()
        for one in talking:
            one.cancel()
        await asyncio.wait(talking)
        if not seen:
            raise RuntimeError("the watchers were cut off")
    found = Live(seen, round(100 * cpu / took, 1), alone, watched, round(facts / took, 1))
    show(f"{watchers} watchers of {calls} calls, {found.facts_per_s} facts/s: {seen['events']} events arrived")
    show(f"event to watcher: p50 {seen['p50_ms']} ms, p95 {seen['p95_ms']} ms, worst {seen['worst_ms']} ms")
    show(f"the API's thread uses {found.api_cpu_percent} % of a core; watchers' process {seen['cpu_s']} s")
    show(f"the loop of the calls is late: p95 {alone} ms without watchers, {watched} ms with them")
    return found


async def _lateness(seconds: float) -> float:
    """95th percentile, in milliseconds, on absolute deadlines."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    end, late = due + seconds, list[float]()
    while due < end:
        due = max(due + _LATENESS_S, loop.time())
        await asyncio.sleep(due - loop.time())
        late.append((loop.time() - due) * 1000)
    return percentile(late, 95)


async def _call(api: RunningApi, number: int, published: list[int]) -> None:
    """One call, which began at a random moment of a turn; ends when it is cancelled."""
    random = Random(number)
    await asyncio.sleep(random.random() * TURN_S / 3)
    call_id = CallId(f"live{number}")
    for seq, fact in enumerate(_facts(number)):
        api.service.publish(call_id, Entry(seq, seq * 1000.0, fact))
        published[0] += 1
        await asyncio.sleep(TURN_S / 3 * (0.5 + random.random()) if seq > 1 else 0)


def _facts(number: int) -> Iterator[AnyFact]:
    begin = "2026-01-01T10:00:00+00:00"
    yield CallWasOffered(CallId(f"live{number}"), f"sip{number}", "+49301", f"+4915{number:07}", "", begin)
    yield CallWasRouted("main", "reception")
    yield CallWasAnswered("PCMA", "192.0.2.1:4000")
    said = "On Tuesday I can offer you ten or half past two. Which one suits you better?"
    at = 0.0
    while True:
        yield CallerSpoke("i would like to come on tuesday at ten", 0.9, "", at, at + 2500)
        yield TurnWasTimed(400, 120, 30, 80, 20, 650)
        yield AgentSpoke(UtteranceId("u"), said, said, True, False, at + 3200, at + 7500)
        at += TURN_S * 1000
