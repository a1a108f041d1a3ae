"""The search half of the API bench: pages of calls by HTTP, one request after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import httpx

from voicegw.api.paging import TimePosition, encode_cursor
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.testing.bench import _store_fill as filled
from voicegw.testing.bench._api_node import running_api
from voicegw.testing.bench._report import percentile, show

_Query = Callable[[Random, int], dict[str, str]]

QUERIES: Final[dict[str, _Query]] = {
    "newest": lambda _random, _calls: {},
    "a page in the middle": lambda random, calls: {"cursor": _cursor(random, calls)},
    "agent": lambda random, _calls: {"agent": f"agent{random.randrange(filled.AGENTS)}"},
    "cause, deep": lambda random, calls: {"cause": "no_media", "cursor": _cursor(random, calls)},
    "number": lambda random, _calls: {"number": _caller(random)},
    "beginning of a caller": lambda random, _calls: {"calling": f"{_caller(random)[:-2]}*"},
    "rare word": lambda random, _calls: {"q": f"rare{random.randrange(filled.RARE_WORDS)}"},
    "word of one call in 100": lambda random, _calls: {"q": f"topic{random.randrange(filled.TOPICS)}"},
    "word of every call": lambda _random, _calls: {"q": "appointment please"},
}


async def measure(store: StoreConfig, folder: Path, calls: int, repeat: int) -> dict[str, float]:
    """Fill the store, then the 95th percentile of each kind of request in milliseconds."""
    began = time.perf_counter()
    await fill(store, calls)
    show(f"{calls} calls were made in {time.perf_counter() - began:.0f} s")
    async with running_api(store, folder) as api:
        return await asyncio.to_thread(_ask, api.port, api.token, calls, repeat)


async def fill(config: StoreConfig, calls: int) -> None:
    """So many calls in a new store."""
    store = Store(config)
    try:
        await store.start()
        async with store.write() as unit:
            await filled.fill(unit.connection, calls)
    finally:
        await store.close()


def _ask(port: int, token: str, calls: int, repeat: int) -> dict[str, float]:
    random, found = Random(5), {}
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        client.get("/v1/calls").raise_for_status()
        for name, query in QUERIES.items():
            took = []
            for _ in range(repeat):
                before = time.perf_counter()
                answer = client.get("/v1/calls", params=query(random, calls))
                took.append((time.perf_counter() - before) * 1000)
                answer.raise_for_status()
            found[name] = percentile(took, 95)
            show(f"{name:<24} p50 {percentile(took, 50):>7} ms   p95 {found[name]:>7} ms")
    return found


def _caller(random: Random) -> str:
    return f"+49151{1000000 + random.randrange(filled.CALLERS)}"


def _cursor(random: Random, calls: int) -> str:
    return encode_cursor(TimePosition(filled.FIRST_WALL_MS + random.randrange(calls) * filled.EVERY_MS, "call"))
