"""The pool against a worker that does as it is told: dies, hangs, keeps quiet."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from voicegw.base.catalogue import find
from voicegw.base.errors import ProviderError
from voicegw.inference.job import Job
from voicegw.inference.messages import AudioMade, StreamEnded, StreamEvent, StreamFailed, Synthesize
from voicegw.inference.pool import PoolConfig, WorkerPool, pool_levels
from voicegw.inference.process import WorkerSpec

MODULE = "tests.unit.inference.obedient_worker"
QUIET = PoolConfig(ping_every_s=3600.0)
"""The test is the watchdog."""


def run(
    test: Callable[[WorkerPool], Awaitable[None]],
    config: PoolConfig = QUIET,
    *arguments: str,
    starvation: Callable[[int], float] = lambda _pid: 0.0,
) -> WorkerPool:
    pool = WorkerPool("obedient", WorkerSpec(MODULE, arguments), config, starvation=starvation)

    async def body() -> None:
        await pool.start()
        try:
            await test(pool)
        finally:
            await pool.close()

    asyncio.run(body())
    return pool


def ask(pool: WorkerPool, text: str) -> Job:
    job = pool.open()
    job.send(Synthesize(job.stream_id, text, "", "", 1.0, 8000))
    return job


async def answer(job: Job) -> list[StreamEvent]:
    async def drain() -> list[StreamEvent]:
        return [event async for event in job.events()]

    return await asyncio.wait_for(drain(), 30.0)


def test_engines_run_behind_the_process_that_answers_calls() -> None:
    async def body(pool: WorkerPool) -> None:
        await answer(ask(pool, "one"))
        (pid,) = pool.pids
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)

    run(body)


def test_a_job_gets_its_own_events_and_ends() -> None:
    async def body(pool: WorkerPool) -> None:
        first, second = ask(pool, "one"), ask(pool, "two")
        assert [type(event) for event in await answer(second)] == [AudioMade, StreamEnded]
        events = await answer(first)
        assert isinstance(events[0], AudioMade) and events[0].pcm == b"one"
        assert pool.load == 0

    run(body)


def test_what_may_go_wrong_is_counted_from_the_start() -> None:
    async def body(pool: WorkerPool) -> None:
        counted = pool.counters.snapshot()
        for what in ("died", "stalled", "recycled", "not_started"):
            assert counted[f"obedient_worker_{what}"] == 0
            assert find(f"obedient_worker_{what}") is not None, "it is in the catalogue"

    run(body)


def test_jobs_go_to_the_process_with_the_fewest() -> None:
    async def body(pool: WorkerPool) -> None:
        while pool.ready < 2:
            await answer(ask(pool, "wait"))
        jobs = [ask(pool, "pid") for _ in range(4)]
        pids = [event.pcm for job in jobs for event in await answer(job) if isinstance(event, AudioMade)]
        assert sorted(map(pids.count, set(pids))) == [2, 2]

    run(body, PoolConfig(size=2, ping_every_s=3600.0))


def test_a_killed_worker_fails_its_jobs_and_is_replaced() -> None:
    async def body(pool: WorkerPool) -> None:
        job = ask(pool, "silence")
        os.kill(pool.pids[0], signal.SIGKILL)
        events = await answer(job)
        assert isinstance(events[-1], StreamFailed) and events[-1].retryable
        after = ask(pool, "again")
        assert isinstance((await answer(after))[-1], StreamEnded)

    assert run(body).counters.get("obedient_worker_died") >= 1


def test_a_stopped_worker_is_found_by_the_watchdog() -> None:
    async def body(pool: WorkerPool) -> None:
        os.kill(pool.pids[0], signal.SIGSTOP)
        job = ask(pool, "one")
        now = asyncio.get_running_loop().time() + 100.0
        pool.check(now)
        pool.check(now + 2.9)
        assert not job.over
        pool.check(now + 3.1)
        events = await answer(job)
        assert isinstance(events[-1], StreamFailed) and events[-1].retryable

    assert run(body).counters.get("obedient_worker_stalled") == 1


def test_a_worker_that_has_no_processor_is_not_stalled() -> None:
    starved = [0.0]

    async def body(pool: WorkerPool) -> None:
        os.kill(pool.pids[0], signal.SIGSTOP)
        job = ask(pool, "one")
        pool.expect(job)
        now = asyncio.get_running_loop().time() + 100.0
        job.waiting_since = now
        pool.check(now)
        starved[0] = 2.0
        pool.check(now + 4.9)
        pool.check(now + 5.9, late_s=1.0)
        assert not job.over, "of 5.9 s it could have worked in 2.9"
        pool.check(now + 6.1)
        assert isinstance((await answer(job))[-1], StreamFailed)

    assert run(body, starvation=lambda _pid: starved[0]).counters.get("obedient_worker_stalled") == 1


def test_a_worker_without_a_processor_is_behind_when_many_wait_for_it() -> None:
    starved = [0.0]

    async def body(pool: WorkerPool) -> None:
        jobs = [ask(pool, "silence") for _ in range(4)]
        for job in jobs:
            pool.expect(job)
        now = asyncio.get_running_loop().time()
        for _ in range(8):
            starved[0] += QUIET.ping_every_s
            pool.check(now)
        assert pool.is_behind and pool_levels([pool])["engine_behind_obedient"] == 1
        jobs[0].close()
        pool.check(now)
        assert not pool.is_behind

    run(body, starvation=lambda _pid: starved[0])


def test_a_job_without_progress_is_found_although_pings_are_answered() -> None:
    async def body(pool: WorkerPool) -> None:
        job = ask(pool, "silence")
        pool.expect(job)
        assert job.waiting_since is not None
        pool.check(job.waiting_since + 3.1)
        assert isinstance((await answer(job))[-1], StreamFailed)

    assert run(body).counters.get("obedient_worker_stalled") == 1


def test_results_of_a_closed_job_are_refused() -> None:
    async def body(pool: WorkerPool) -> None:
        job = ask(pool, "one")
        job.close()
        job.close()
        assert await answer(job) == []
        await answer(ask(pool, "two"))

    run(body)


def test_a_grown_worker_is_replaced_without_losing_a_job() -> None:
    async def body(pool: WorkerPool) -> None:
        old = pool.pids[0]
        pool.check(0.0)
        for _ in range(200):
            event = (await answer(ask(pool, "pid")))[0]
            assert isinstance(event, AudioMade)
            if event.pcm != str(old).encode():
                return
        raise AssertionError("the worker was not replaced")

    pool = run(body, PoolConfig(ping_every_s=3600.0, recycle_above_kb=1))
    assert pool.counters.get("obedient_worker_recycled") >= 1


def test_an_engine_that_cannot_run_says_so_at_start() -> None:
    async def body(pool: WorkerPool) -> None:
        raise AssertionError("must not start")

    with pytest.raises(ProviderError, match="install it") as caught:
        run(body, QUIET, "refuse")
    assert not caught.value.retryable


def test_workers_end_with_the_pool() -> None:
    pids: list[int] = []

    async def body(pool: WorkerPool) -> None:
        pids.extend(pool.pids)

    run(body, PoolConfig(size=2, ping_every_s=3600.0))
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_jobs_of_a_closed_pool_fail() -> None:
    async def body() -> None:
        pool = WorkerPool("obedient", WorkerSpec(MODULE), QUIET)
        await pool.start()
        running = ask(pool, "silence")
        await pool.close()
        assert isinstance((await answer(running))[-1], StreamFailed)

    asyncio.run(body())
