"""Several media workers as one: who carries which call, who has room, and what becomes of a dead one's calls.

All legs of a call are in one worker, the emptiest at its beginning. When a worker dies its calls are built again in
a living one, or in its successor where there is no other; the peers are then told of the new ports (LegMoved). What
cannot be built again is lost.
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
from voicegw.media import messages as m
from voicegw.media.call_image import CallImage, Told
from voicegw.media.client import MediaClient
from voicegw.media.fullness import Fullness

_log = logging.getLogger(__name__)

_RESCUE_S: Final = 8.0
"""A caller waits this long for a worker to go on with: a new one starts within two or three seconds."""
_POLL_S: Final = 0.05

OnCallsLost = Callable[[frozenset[CallId], str], None]


@dataclass(slots=True)
class _Worker:
    """One worker, and how much of it is taken."""

    index: int
    client: MediaClient
    fullness: Fullness
    calls: set[CallId] = field(default_factory=set)


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
        self._workers = [
            _Worker(
                index,
                MediaClient(line, partial(self._take, index), partial(self._lost, index)),
                Fullness(full_busy, full_late),
            )
            for index, line in enumerate(command_lines)
        ]
        self._calls: dict[CallId, _Carried] = {}
        self._by_leg: dict[LegId, _Carried] = {}
        self._captured: dict[CallId, tuple[_Worker, str]] = {}
        """Who writes a capture, and where to: it may last a little longer than the audio of its call."""
        self._rescues: set[asyncio.Task[None]] = set()

    @property
    def has_room(self) -> bool:
        """Whether a new call would be carried well."""
        return any(self._is_open(worker) for worker in self._workers)

    def change_limits(self, full_busy: float, full_late: float) -> None:
        """When a worker is full, by its reports from now on; see :class:`voicegw.media.config.MediaConfig`."""
        for worker in self._workers:
            worker.fullness.busy_limit, worker.fullness.late_limit = full_busy, full_late

    def change(self, command_lines: Sequence[Sequence[str]], settings: Sequence[m.ChangeSettings]) -> None:
        """Other ``settings`` for each worker that runs; the command lines say the same to who starts later."""
        for worker, line, changed in zip(self._workers, command_lines, settings, strict=True):
            worker.client.command_line = tuple(line)
            worker.client.send(changed)

    def states(self) -> list[WorkerState]:
        """How each worker is, in their order. Any thread may ask."""
        return [
            WorkerState(worker.client.pid, worker.client.ready, worker.fullness.late, worker.client.report)
            for worker in self._workers
        ]

    @property
    def pids(self) -> list[int | None]:
        """Process ids of the workers; None for one that is being restarted."""
        return [worker.client.pid for worker in self._workers]

    async def start(self) -> None:
        """Start all; raises LocalError when one does not come up."""
        await asyncio.gather(*(worker.client.start() for worker in self._workers))

    async def close(self) -> None:
        """Shut all of them down."""
        for rescue in self._rescues:
            rescue.cancel()
        await asyncio.gather(*(worker.client.close() for worker in self._workers))

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
        if carried.worker is None:
            raise LocalError("the call is just being moved to another media worker")
        self._by_leg[leg_id] = carried
        carried.image.note(m.OpenLeg(leg_id, call_id, local_ip))
        try:
            return await carried.worker.client.open_leg(leg_id, call_id, local_ip)
        except LocalError:
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

    def _take(self, index: int, event: m.Event) -> None:
        match event:
            case m.WorkerReport():
                self._workers[index].fullness.take(event)
                self._on_event(msgspec.structs.replace(event, worker=index))
            case m.CaptureEnded(call_id, wish):
                if self._captured.get(call_id, (None, ""))[1] == wish:
                    del self._captured[call_id]
                self._on_event(event)
            case m.LegOpened(leg_id=leg_id) if leg_id not in self._by_leg:
                self._workers[index].client.send(m.CloseLeg(leg_id))  # too late: whoever waited has given up
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
        for leg_id in [leg_id for leg_id, owner in self._by_leg.items() if owner is carried]:
            del self._by_leg[leg_id]

    # ------------------------------------------------------------ a dead worker

    def _lost(self, index: int, reason: str) -> None:
        worker = self._workers[index]
        worker.fullness.restart()
        self._captured = {call_id: one for call_id, one in self._captured.items() if one[0] is not worker}
        orphans = [self._calls[call_id] for call_id in sorted(worker.calls)]
        worker.calls.clear()
        self._on_worker_lost(index, reason)
        now = time.monotonic()
        for carried in orphans:
            carried.worker = None
            for event in carried.image.lose(worker.client.heard_at, now):
                self._on_event(event)
                if isinstance(event, m.LegClosed):
                    self._forget_leg(event.leg_id, carried)
            if not carried.image.over:
                rescue = asyncio.create_task(self._rescue(carried, reason), name=f"rescue {carried.call_id}")
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
