"""Several media workers as one: who carries which call, who has room, and what becomes of a dead one's calls.

All legs of a call are in one worker, the emptiest at its beginning. When a worker dies its calls are built again in
a living one, or in its successor where there is no other; the peers are then told of the new ports (LegMoved). What
cannot be built again is lost.

What a worker is made with (rows, ports) is changed by making other workers: they take the calls to come, and those
of before end with their last call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.base.tasks import child_task
from voicegw.media import messages as m
from voicegw.media.call_image import CallImage, Told
from voicegw.media.client import MediaClient
from voicegw.media.fullness import Fullness

_log = logging.getLogger(__name__)

_RESCUE_S: Final = 8.0
"""A caller waits this long for a worker to go on with: a new one starts within two or three seconds."""
_POLL_S: Final = 0.05
_REST_S: Final = 5.0
"""At least so long after its last call a worker is there: files are finished, and told of."""

OnCallsLost = Callable[[frozenset[CallId], str], None]


@dataclass(slots=True, eq=False)
class _Worker:
    """One worker, and how much of it is taken."""

    index: int
    """No other one of this pool ever has the same."""
    fullness: Fullness
    client: MediaClient = field(init=False)
    calls: set[CallId] = field(default_factory=set)
    eased: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something is over that it had."""


@dataclass(slots=True)
class _Carried:
    """A call and where it is; ``worker`` is None while it is on its way to another."""

    call_id: CallId
    worker: _Worker | None
    image: CallImage


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker at this moment."""

    pid: int | None
    up: bool
    late_ratio: float
    """Of its last ticks, those that began late."""
    report: m.WorkerReport | None
    """Its newest; None before the first."""


class MediaPool:
    """The workers of a node. Not thread-safe: use it from one event loop."""

    def __init__(
        self,
        command_lines: Sequence[Sequence[str]],
        on_event: Callable[[m.Event], None],
        on_worker_lost: Callable[[int, str], None],
        on_calls_lost: OnCallsLost,
        *,
        full_busy: float,
        full_late: float,
    ) -> None:
        """One worker a command line. ``on_worker_lost`` gets which one and why, ``on_calls_lost`` the calls that
        nobody goes on with."""
        self._on_event = on_event
        self._on_worker_lost = on_worker_lost
        self._on_calls_lost = on_calls_lost
        self._full = full_busy, full_late
        self._made = 0
        self._workers = [self._make(line) for line in command_lines]
        """Those that take calls to come."""
        self._prepared: list[_Worker] = []
        self._retired: dict[_Worker, asyncio.Task[None]] = {}
        self._calls: dict[CallId, _Carried] = {}
        self._by_leg: dict[LegId, _Carried] = {}
        self._captured: dict[CallId, tuple[_Worker, str]] = {}
        """Who writes a capture, and where to: it may last a little longer than the audio of its call."""
        self._rescues: set[asyncio.Task[None]] = set()

    def _make(self, command_line: Sequence[str]) -> _Worker:
        worker = _Worker(self._made, Fullness(*self._full))
        worker.client = MediaClient(command_line, partial(self._take, worker), partial(self._lost, worker))
        self._made += 1
        return worker

    @property
    def has_room(self) -> bool:
        """Whether a new call would be carried well."""
        return any(self._is_open(worker) for worker in self._workers)

    def change_limits(self, full_busy: float, full_late: float) -> None:
        """When a worker is full, by its reports from now on; see :class:`voicegw.media.config.MediaConfig`."""
        self._full = full_busy, full_late
        for worker in self._workers:
            worker.fullness.busy_limit, worker.fullness.late_limit = self._full

    def change(self, command_lines: Sequence[Sequence[str]], settings: Sequence[m.ChangeSettings]) -> None:
        """Other ``settings`` for each worker that runs; the command lines say the same to who starts later."""
        for worker, line, changed in zip(self._workers, command_lines, settings, strict=True):
            worker.client.command_line = tuple(line)
            worker.client.send(changed)
        for worker in self._retired:
            worker.client.send(settings[0])  # its ports and rows are its own all the same

    async def prepare(self, command_lines: Sequence[Sequence[str]]) -> None:
        """Start workers that :meth:`renew` puts in place of the present ones; raises LocalError where one does not
        come up: then there are none."""
        await self.forget()
        self._prepared = [self._make(line) for line in command_lines]
        starts = (worker.client.start() for worker in self._prepared)
        try:
            await asyncio.gather(*starts)
        except (LocalError, asyncio.CancelledError):
            await self.forget()
            raise

    async def forget(self) -> None:
        """End the workers that were prepared, if any."""
        prepared, self._prepared = self._prepared, []
        await asyncio.gather(*(worker.client.close() for worker in prepared))

    def renew(self, rest_s: float) -> None:
        """Let the prepared workers, if any, take the calls to come. Each of the others ends ``rest_s`` after its
        last call: its ports rest meanwhile."""
        if not self._prepared:
            return
        for worker in self._workers:
            name = f"media worker {worker.index} retires"
            self._retired[worker] = child_task(self._retire(worker, rest_s), name)
        self._workers, self._prepared = self._prepared, []
        _log.info("new calls go to other media workers", extra={"workers": len(self._workers)})

    async def _retire(self, worker: _Worker, rest_s: float) -> None:
        is_over = False
        while not is_over:
            while self._is_needed(worker):
                worker.eased.clear()
                await worker.eased.wait()
            await asyncio.sleep(max(rest_s, _REST_S))
            is_over = not self._is_needed(worker)
        await worker.client.close()
        del self._retired[worker]
        _log.info("a media worker has ended with its last call", extra={"worker": worker.index})

    def _is_needed(self, worker: _Worker) -> bool:
        return bool(worker.calls) or any(one is worker for one, _ in self._captured.values())

    def states(self) -> list[WorkerState]:
        """How each worker is, in their order, then those that end their calls. Any thread may ask."""
        return [
            WorkerState(worker.client.pid, worker.client.ready, worker.fullness.late, worker.client.report)
            for worker in (*self._workers, *tuple(self._retired))
        ]

    @property
    def pids(self) -> list[int | None]:
        """Process ids of the workers, as in :meth:`states`; None for one that is being restarted."""
        return [state.pid for state in self.states()]

    async def start(self) -> None:
        """Start all; raises LocalError when one does not come up."""
        await asyncio.gather(*(worker.client.start() for worker in self._workers))

    async def close(self) -> None:
        """Shut all of them down."""
        for task in (*self._rescues, *self._retired.values()):
            task.cancel()
        workers = (*self._workers, *self._prepared, *self._retired)
        await asyncio.gather(*(worker.client.close() for worker in workers))

    # ------------------------------------------------------------ from the calls

    def send(self, command: m.Command) -> None:
        """Pass a command to the worker that has the call; dropped where none has it, for then it is over."""
        if isinstance(command, m.ChangeCapture | m.CaptureMessage | m.StopCapture):
            if (capturing := self._captured.get(command.call_id)) is not None:
                capturing[0].client.send(command)
            return
        carried = self._owner(command)
        if carried is None:
            return
        if isinstance(command, m.StartCapture) and carried.worker is not None:
            self._captured[command.call_id] = carried.worker, command.path
        carried.image.note(command)
        if carried.worker is not None:
            carried.worker.client.send(command)
        elif isinstance(command, m.CloseLeg):
            self._pass_on(m.LegClosed(command.leg_id, m.LegStats()), carried)  # nobody else is there to tell

    async def open_leg(self, leg_id: LegId, call_id: CallId, local_ip: str) -> int:
        """Open a leg and return its RTP port; raises LocalError with the reason if no worker can."""
        carried = self._calls.get(call_id) or self._admit(call_id)
        worker = carried.worker
        if worker is None:
            raise LocalError("the call is just being moved to another media worker")
        self._by_leg[leg_id] = carried
        carried.image.note(m.OpenLeg(leg_id, call_id, local_ip))
        try:
            return await worker.client.open_leg(leg_id, call_id, local_ip)
        except LocalError:
            self._forget_leg(leg_id, carried)
            raise
        except asyncio.CancelledError:
            worker.client.send(m.CloseLeg(leg_id))  # nobody waits any more for what may be open already
            self._forget_leg(leg_id, carried)
            raise

    def _admit(self, call_id: CallId) -> _Carried:
        worker = min(self._living(), key=lambda one: len(one.calls), default=None)
        if worker is None:
            raise LocalError("the media worker is being restarted")
        carried = self._calls[call_id] = _Carried(call_id, worker, CallImage(call_id))
        worker.calls.add(call_id)
        return carried

    def _living(self) -> list[_Worker]:
        """Those that can carry a call, the full ones only where all are."""
        living = [worker for worker in self._workers if worker.client.ready]
        return [worker for worker in living if not worker.fullness.full] or living

    @staticmethod
    def _is_open(worker: _Worker) -> bool:
        return worker.client.ready and not worker.fullness.full

    def _owner(self, command: m.Command) -> _Carried | None:
        match command:
            case m.OpenLeg() | m.Shutdown() | m.ChangeSettings():
                return None  # see open_leg, close and change
            case m.ConfigureLeg() | m.CloseLeg() | m.SendDtmf() | m.ProbeLeg():
                return self._by_leg.get(command.leg_id)
            case _:
                return self._calls.get(command.call_id)

    # ------------------------------------------------------------ from the workers

    def _take(self, worker: _Worker, event: m.Event) -> None:
        match event:
            case m.WorkerReport():
                worker.fullness.take(event)
                self._on_event(msgspec.structs.replace(event, worker=worker.index))
            case m.CaptureEnded(call_id, wish):
                if self._captured.get(call_id, (None, ""))[1] == wish:
                    del self._captured[call_id]
                    worker.eased.set()
                self._on_event(event)
            case m.LegOpened(leg_id=leg_id) if leg_id not in self._by_leg:
                worker.client.send(m.CloseLeg(leg_id))  # too late: whoever waited has given up
            case m.SpeechStarted() | m.SpeechStopped() | m.DtmfSent() | m.KeystreamReached() | m.LegClosed():
                self._pass_on(event, self._by_leg.get(event.leg_id))
            case (
                m.PlayoutStarted()
                | m.PlayoutPaused()
                | m.PlayoutResumed()
                | m.PlayoutFinished()
                | m.PlayoutCut()
                | m.PlayoutStarved()
            ):
                self._pass_on(event, self._calls.get(event.call_id))
            case _:
                self._on_event(event)

    def _pass_on(self, event: Told, carried: _Carried | None) -> None:
        told = carried.image.see(event) if carried is not None else event
        if told is not None:
            self._on_event(told)
        if carried is not None and isinstance(event, m.LegClosed):
            self._forget_leg(event.leg_id, carried)

    def _forget_leg(self, leg_id: LegId, carried: _Carried) -> None:
        self._by_leg.pop(leg_id, None)
        carried.image.legs.pop(leg_id, None)
        if carried.image.over:
            self._forget(carried)

    def _forget(self, carried: _Carried) -> None:
        self._calls.pop(carried.call_id, None)
        if carried.worker is not None:
            carried.worker.calls.discard(carried.call_id)
            carried.worker.eased.set()
        for leg_id in [leg_id for leg_id, owner in self._by_leg.items() if owner is carried]:
            del self._by_leg[leg_id]

    # ------------------------------------------------------------ a dead worker

    def _lost(self, worker: _Worker, reason: str) -> None:
        worker.fullness.restart()
        self._captured = {call_id: one for call_id, one in self._captured.items() if one[0] is not worker}
        orphans = [self._calls[call_id] for call_id in sorted(worker.calls)]
        worker.calls.clear()
        worker.eased.set()
        self._on_worker_lost(worker.index, reason)
        now = time.monotonic()
        for carried in orphans:
            carried.worker = None
            for event in carried.image.lose(worker.client.heard_at, now):
                self._on_event(event)
                if isinstance(event, m.LegClosed):
                    self._forget_leg(event.leg_id, carried)
            if not carried.image.over:
                rescue = child_task(self._rescue(carried, reason), f"rescue {carried.call_id}")
                self._rescues.add(rescue)
                rescue.add_done_callback(self._rescues.discard)

    async def _rescue(self, carried: _Carried, reason: str) -> None:
        """Build the call again in another worker, once."""
        ports: dict[LegId, int] = {}
        worker: _Worker | None = None
        try:
            worker = await self._wait_living()
            for leg in list(carried.image.legs.values()):
                ports[leg.leg_id] = await worker.client.open_leg(leg.leg_id, leg.call_id, leg.local_ip)
        except LocalError as error:
            if worker is not None:
                for leg_id in ports:
                    worker.client.send(m.CloseLeg(leg_id))
            _log.error("call cannot be moved: %s", error, extra={"call_id": carried.call_id})
            self._forget(carried)
            self._on_calls_lost(frozenset({carried.call_id}), reason)
            return
        self._settle_in(carried, worker, ports)

    def _settle_in(self, carried: _Carried, worker: _Worker, ports: dict[LegId, int]) -> None:
        image = carried.image
        gone = [leg_id for leg_id in ports if not image.has(leg_id)]  # hung up meanwhile
        for leg_id in gone:
            worker.client.send(m.CloseLeg(leg_id))
        if not image.legs:
            return
        carried.worker = worker
        worker.calls.add(carried.call_id)
        for command in image.replay():
            worker.client.send(command)
        for leg_id, port in ports.items():
            if image.has(leg_id):
                self._on_event(m.LegMoved(leg_id, port))

    async def _wait_living(self) -> _Worker:
        deadline = time.monotonic() + _RESCUE_S
        while not (living := self._living()):
            if time.monotonic() >= deadline:
                raise LocalError("no media worker came back in time")
            await asyncio.sleep(_POLL_S)
        return min(living, key=lambda one: len(one.calls))
