"""kill -9 in mid-write loses no acknowledged fact, and breaks no chain."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from pathlib import Path

from tests.interop.stores import killed_writer
from voicegw.base.metrics import Counters
from voicegw.storage.call_records import StoredState
from voicegw.storage.config import StoreConfig
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter

ROUNDS = 3
ROOT = Path(__file__).parents[3]


def killed(config: StoreConfig, round_number: int, after_lines: int) -> list[tuple[str, int]]:
    """What a writer acknowledged before it was killed; the kill comes at no particular moment after so many."""
    command = [sys.executable, "-m", killed_writer.__name__, config.url, config.spool, str(round_number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after_lines)]
        threading.Timer(random.Random(round_number).uniform(0, 0.02), process.kill).start()
        lines += process.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    assert len(whole) >= after_lines
    return [(id, int(seq)) for id, seq in whole]


def test_no_acknowledged_fact_is_lost(config: StoreConfig) -> None:
    acknowledged: list[tuple[str, int]] = []
    for round_number in range(ROUNDS):
        acknowledged += killed(config, round_number, after_lines=100 + 170 * round_number)
    counters = Counters()
    writer = StoreWriter(config, counters)
    assert writer.settle(30)
    writer.close()
    asyncio.run(check(config, acknowledged))


async def check(config: StoreConfig, acknowledged: list[tuple[str, int]]) -> None:
    store = Store(config)
    last: dict[str, int] = {}
    for id, seq in acknowledged:
        last[id] = max(seq, last.get(id, -1))
    async with store.read() as unit:
        for id, seq in last.items():
            verdict = await unit.calls.verify(id)
            assert (verdict.flaws, verdict.missing, verdict.sealed) == ((), 0, True)
            assert verdict.events > seq, f"{id}: {verdict.events} events, but {seq} was acknowledged"
        assert (await unit.calls.page(limit=1)).calls[0].state is not StoredState.OPEN
    await store.close()
