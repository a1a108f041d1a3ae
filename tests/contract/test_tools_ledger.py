"""What every tool ledger promises: the one on disk, and the one that the other tests use in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.agents.tools.rig import MemoryToolLedger
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolIntent, ToolLedger, ToolResult
from voicegw.storage.tool_ledger import SqliteToolLedger

K = IdempotencyKey("k")
DONE, FAILED, UNKNOWN = ToolResult.done([1]), ToolResult.failed("no"), ToolResult.unknown("?")


def _memory(_path: Path) -> ToolLedger:
    return MemoryToolLedger({})


def _sqlite(path: Path) -> ToolLedger:
    return SqliteToolLedger(path / "tools.db")


Make = Callable[[Path], ToolLedger]
Check = Callable[[ToolLedger], Awaitable[None]]
both = pytest.mark.parametrize("make", [_memory, _sqlite])


def intent(effect: ToolEffect = ToolEffect.ONCE, at_wall: float = 10.0) -> ToolIntent:
    return ToolIntent(K, CallId("c1"), "book", effect, '{"n":"é"}', at_wall)


def hold(make: Make, path: Path, check: Check) -> None:
    async def run() -> None:
        ledger = make(path)
        try:
            await check(ledger)
        finally:
            await ledger.close()

    asyncio.run(run())


@both
def test_a_key_is_granted_once_even_to_many_at_the_same_time(make: Make, tmp_path: Path) -> None:
    async def check(ledger: ToolLedger) -> None:
        claims = await asyncio.gather(*(ledger.claim(intent()) for _ in range(10)))
        assert sum(claim.granted for claim in claims) == 1
        assert {claim.entry.intent for claim in claims} == {intent()}

    hold(make, tmp_path, check)


@both
@pytest.mark.parametrize("result", [DONE, FAILED, UNKNOWN])
def test_an_end_comes_back_word_for_word(make: Make, tmp_path: Path, result: ToolResult) -> None:
    async def check(ledger: ToolLedger) -> None:
        await ledger.claim(intent())
        await ledger.conclude(K, result, 12.0)
        claim = await ledger.claim(intent())
        assert not claim.granted
        assert (claim.entry.result, claim.entry.ended_wall, claim.entry.attempts) == (result, 12.0, 1)

    hold(make, tmp_path, check)


@both
@pytest.mark.parametrize(
    ("effect", "result", "at_wall", "again"),
    [
        (ToolEffect.IDEMPOTENT, None, 11.0, True),
        (ToolEffect.IDEMPOTENT, DONE, 999.0, False),
        (ToolEffect.IDEMPOTENT, FAILED, 11.0, True),
        (ToolEffect.IDEMPOTENT, UNKNOWN, 11.0, True),
        (ToolEffect.NONE, DONE, 13.0, False),
        (ToolEffect.NONE, DONE, 99.0, True),
        (ToolEffect.ONCE, None, 999.0, False),
        (ToolEffect.ONCE, DONE, 999.0, False),
        (ToolEffect.ONCE, FAILED, 999.0, False),
        (ToolEffect.ONCE, UNKNOWN, 999.0, False),
    ],
)
def test_what_may_run_again(
    make: Make, tmp_path: Path, effect: ToolEffect, result: ToolResult | None, at_wall: float, again: bool
) -> None:
    async def check(ledger: ToolLedger) -> None:
        await ledger.claim(intent(effect))
        if result is not None:
            await ledger.conclude(K, result, 12.0)
        claim = await ledger.claim(intent(effect, at_wall))
        assert claim.granted is again
        assert claim.entry.attempts == (2 if again else 1)

    hold(make, tmp_path, check)


@both
def test_an_effect_that_was_once_stays_once_when_the_configuration_changes(make: Make, tmp_path: Path) -> None:
    async def check(ledger: ToolLedger) -> None:
        await ledger.claim(intent())
        assert not (await ledger.claim(intent(ToolEffect.NONE))).granted

    hold(make, tmp_path, check)


@both
def test_a_key_has_one_end_and_only_after_a_claim(make: Make, tmp_path: Path) -> None:
    async def check(ledger: ToolLedger) -> None:
        with pytest.raises(LocalError):
            await ledger.conclude(K, DONE, 12.0)
        await ledger.claim(intent())
        await ledger.conclude(K, DONE, 12.0)
        with pytest.raises(LocalError):
            await ledger.conclude(K, FAILED, 13.0)

    hold(make, tmp_path, check)


@both
@pytest.mark.parametrize("effect", list(ToolEffect))
def test_recovery_closes_what_must_not_run_again(make: Make, tmp_path: Path, effect: ToolEffect) -> None:
    async def check(ledger: ToolLedger) -> None:
        await ledger.claim(intent(effect))
        recovery = await ledger.recover(20.0)
        assert bool(recovery.repeatable) is effect.repeatable
        assert bool(recovery.unknown) is not effect.repeatable

    hold(make, tmp_path, check)
