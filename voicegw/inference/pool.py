"""A pool of worker processes of one engine kind, kept alive.

A process that dies (its socket ends) or stalls (no answer to a ping, or no progress on a job somebody waits for)
fails its jobs with ``retryable=True`` and is replaced: at once the first time, later and later if it keeps dying
young. Time in which a process waited for a processor, or in which the pool itself had none to look at the answers,
does not count: on a machine with too much to do, killing and loading engines would only add to it.
Results of jobs that are no longer known are refused by their id and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.ids import StreamId
from voicegw.base.metrics import Counters
from voicegw.base.starvation import starved_s
from voicegw.base.tasks import child_task, kept_task
from voicegw.inference.job import Job
from voicegw.inference.messages import Command, Event, Ping, Pong, StreamFailed, WorkerReady, WorkerRefused
from voicegw.inference.process import WorkerProcess, WorkerSpec, least_loaded

log = logging.getLogger(__name__)

MAX_DEFINITIONS = 512
"""Language models that workers are told of. The oldest goes first; using it again defines it again."""

_COUNTED: Final = ("died", "stalled", "recycled", "not_started")
"""Shown from the start at 0: an alert that looks for an increase would not see the first of each."""


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """How many workers, and how patient the pool is with them."""

    size: int = 1
    """Processes."""
    ping_every_s: float = 0.5
    """How often each process is asked for a sign of life and the deadlines are looked at."""
    stall_after_s: float = 3.0
    """No answer or no progress for this long is a stall: ten times the longest step of a healthy engine."""
    start_within_s: float = 20.0
    """Loading an engine may take longer than any step, on a cold disk."""
    young_s: float = 10.0
    """A process that dies younger than this counts as a failed start."""
    backoff_s: float = 0.1
    """Pause before the second failed start in a row is repeated; doubles each time."""
    backoff_max_s: float = 5.0
    """Longest pause."""
    recycle_above_kb: int = 768 * 1024
    """A process that has grown beyond this takes no new jobs and is replaced when its last one ends."""


class WorkerPool:
    """Runs jobs on the least-loaded live process."""

    def __init__(
        self,
        name: str,
        spec: WorkerSpec,
        config: PoolConfig | None = None,
        *,
        clock: Clock | None = None,
        counters: Counters | None = None,
        starvation: Callable[[int], float] = starved_s,
    ) -> None:
        """``starvation``: seconds that the process of an id has waited for a processor since its beginning."""
        self.name = name
        self.counters = counters or Counters()
        self.ready_info: WorkerReady | None = None
        self._spec = spec
        self._config = config or PoolConfig()
        self._clock = clock or SystemClock()
        self._starvation = starvation
        self._processes: list[WorkerProcess] = []
        self._definitions: dict[str, Command] = {}
        self._homeless: dict[StreamId, Job] = {}
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._first: asyncio.Future[WorkerReady] | None = None
        self._closing = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the live workers."""
        return tuple(process.pid for process in self._processes)

    @property
    def ready(self) -> int:
        """Live workers whose engine is loaded."""
        return sum(process.ready for process in self._processes)

    @property
    def load(self) -> int:
        """Jobs that are running or waiting for a worker."""
        return sum(len(process.jobs) for process in self._processes) + len(self._homeless)

    @property
    def is_behind(self) -> bool:
        """Whether a worker has no processor for what it is asked."""
        return any(process.backlog.is_behind for process in self._processes)

    async def start(self) -> WorkerReady:
        """Start all processes and wait until one is ready; raises ProviderError if none gets there."""
        self._first = asyncio.get_running_loop().create_future()
        for what in _COUNTED:
            self.counters.add(f"{self.name}_worker_{what}", 0)
        for _ in range(self._config.size):
            self._hold(kept_task(self._keep_one, f"a place for {self.name}"), self._tasks)
        self._hold(kept_task(self._watch, f"watch over {self.name}"), self._tasks)
        try:
            async with asyncio.timeout(self._config.start_within_s):
                return await asyncio.shield(self._first)
        except TimeoutError:
            await self.close()
            late = f"the engine did not load within {self._config.start_within_s:g} s"
            fix = "start again when the machine has less to do, or choose a smaller model (voicegw models list)"
            raise ProviderError(self.name, f"{late}\n    fix: {fix}", retryable=True) from None
        except ProviderError:
            await self.close()
            raise

    async def close(self) -> None:
        """End all processes; jobs that still run fail."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._closings)
        for job in list(self._homeless.values()):
            job.deliver(StreamFailed(job.stream_id, "the worker pool was closed", True))

    def define(self, key: str, command: Command) -> None:
        """Tell every process, those of the future too, something that jobs refer to by ``key``."""
        if key in self._definitions:
            return
        if len(self._definitions) >= MAX_DEFINITIONS:
            self._definitions.pop(next(iter(self._definitions)))
        self._definitions[key] = command
        for process in self._processes:
            process.write(command)

    def open(self) -> Job:
        """A new job; what is sent to it reaches its process now, or the next one that is alive."""
        stream_id = StreamId(f"{self.name}-{next(self._numbers)}")
        job = Job(stream_id, self._clock.monotonic(), self._release)
        process = least_loaded(self._processes)
        if process is None:
            self._homeless[stream_id] = job
        else:
            process.jobs[stream_id] = job
            job.attach(process.write)
        return job

    def expect(self, job: Job) -> None:
        """From now on somebody waits for a result of the job."""
        job.waiting_since = self._clock.monotonic()

    def check(self, now: float, late_s: float = 0.0) -> None:
        """Look at every deadline once: the watchdog, on whatever clock. ``late_s``: so late do we look."""
        for process in self._processes:
            self._excuse(process, late_s)
            if reason := self._stalled(process, now):
                self.counters.add(f"{self.name}_worker_stalled")
                log.warning("%s worker %d stalled: %s", self.name, process.pid, reason)
                process.kill()
            elif process.ready and process.ping_sent_at is None:
                process.ping_sent_at = now
                process.write(Ping(next(self._numbers)))
        for job in list(self._homeless.values()):
            if now - job.opened_at > self._config.stall_after_s:
                job.deliver(StreamFailed(job.stream_id, "no worker is alive", True))

    def _excuse(self, process: WorkerProcess, late_s: float) -> None:
        starved = self._starvation(process.pid)
        lately_s, process.starved_s = starved - process.starved_s, starved
        process.excuse(max(lately_s, late_s, 0.0))
        process.backlog.look(len(process.waits), lately_s, self._config.ping_every_s + late_s)

    def _stalled(self, process: WorkerProcess, now: float) -> str:
        patience = self._config.stall_after_s
        if not process.ready:
            return "does not get ready" if now - process.started_at > self._config.start_within_s else ""
        if process.behind:
            return "stopped reading"
        if process.ping_sent_at is not None and now - process.ping_sent_at > patience:
            return "no answer to a ping"
        if (waits := process.waits) and now - max(min(waits), process.progress_at) > patience:
            return "no progress"
        return ""

    async def _watch(self) -> None:
        every_s = self._config.ping_every_s
        while True:
            slept_at = self._clock.monotonic()
            await asyncio.sleep(every_s)
            now = self._clock.monotonic()
            self.check(now, max(now - slept_at - every_s, 0.0))

    async def _keep_one(self) -> None:
        """One place in the pool: run a process in it, replace it when it ends, until the place is given up."""
        failures = 0
        while True:
            started_at = self._clock.monotonic()
            if await self._run_one():
                return
            old = self._clock.monotonic() - started_at >= self._config.young_s
            failures = 0 if old else failures + 1
            if failures > 1:
                pause = self._config.backoff_s * 2.0 ** min(failures - 2, 16)
                await asyncio.sleep(min(pause, self._config.backoff_max_s))

    async def _run_one(self) -> bool:
        """Run one process to its end; says whether its place is to be given up."""
        try:
            process = await self._start_one()
        except OSError as error:
            self.counters.add(f"{self.name}_worker_not_started")
            log.error("cannot start a %s worker: %s", self.name, error)
            return False
        self._processes.append(process)
        try:
            self._move_in(process)
            refused = await self._listen(process)
        finally:
            self._processes.remove(process)
            self._move_out(process)
            self._hold(child_task(process.close(), f"end of {self.name}"), self._closings)
        return process.retiring or (refused is not None and self._refuse(refused))

    async def _start_one(self) -> WorkerProcess:
        """A new process; one that is half started when the pool is closed is ended, not forgotten."""
        starting = asyncio.ensure_future(WorkerProcess.start(self._spec, self._clock.monotonic()))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                self._hold(child_task((await starting).close(), f"end of {self.name}"), self._closings)
            raise

    def _move_in(self, process: WorkerProcess) -> None:
        for command in self._definitions.values():
            process.write(command)
        for stream_id, job in self._homeless.items():
            process.jobs[stream_id] = job
            job.attach(process.write)
        self._homeless.clear()

    def _move_out(self, process: WorkerProcess) -> None:
        if not (process.retiring or self._closing):
            self.counters.add(f"{self.name}_worker_died")
        for job in list(process.jobs.values()):
            job.deliver(StreamFailed(job.stream_id, f"the {self.name} worker died", True))

    async def _listen(self, process: WorkerProcess) -> WorkerRefused | None:
        async for event in process.events():
            if isinstance(event, WorkerRefused):
                return event
            self._heard(process, event)
            if process.retiring and not process.jobs:
                return None
        return None

    def _heard(self, process: WorkerProcess, event: Event) -> None:
        now = self._clock.monotonic()
        match event:
            case Pong():
                process.ping_sent_at = None
                if event.rss_kb > self._config.recycle_above_kb and not process.retiring:
                    self._retire(process)
            case WorkerReady():
                process.ready = True
                process.progress_at = now
                self.ready_info = event
                if self._first is not None and not self._first.done():
                    self._first.set_result(event)
            case WorkerRefused():
                return
            case _:
                process.progress_at = now
                job = process.jobs.get(event.stream_id)
                if job is None:
                    self.counters.add(f"{self.name}_stale_refused")
                else:
                    job.deliver(event)

    def _retire(self, process: WorkerProcess) -> None:
        """Let the process finish its jobs and give its place to a new one now."""
        self.counters.add(f"{self.name}_worker_recycled")
        process.retiring = True
        self._hold(kept_task(self._keep_one, f"a place for {self.name}"), self._tasks)

    def _refuse(self, refused: WorkerRefused) -> bool:
        """Give up if the engine never ran; one that did run may come back, an administrator is at work."""
        log.error("%s: %s", self.name, refused.reason)
        if self._first is None or self._first.done():
            return False
        self._first.set_exception(ProviderError(self.name, refused.reason, retryable=False))
        return True

    def _release(self, job: Job) -> None:
        self._homeless.pop(job.stream_id, None)
        for process in self._processes:
            process.jobs.pop(job.stream_id, None)

    @staticmethod
    def _hold(task: asyncio.Task[None], keep: set[asyncio.Task[None]]) -> None:
        keep.add(task)
        task.add_done_callback(keep.discard)


def pool_levels(pools: Sequence[WorkerPool]) -> dict[str, float]:
    """Workers and work of these pools, for metrics. Any thread may ask."""
    ready = {f"engine_workers_ready_{pool.name}": float(pool.ready) for pool in pools}
    behind = {f"engine_behind_{pool.name}": float(pool.is_behind) for pool in pools}
    return ready | behind | {f"engine_jobs_{pool.name}": float(pool.load) for pool in pools}
