"""Carries the decisions of a drain out: at the gateway, at the calls, and in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, assert_never

from voicegw.base.clock import Clock
from voicegw.base.metrics import Counters
from voicegw.base.personal import Personal
from voicegw.base.tasks import child_task
from voicegw.runtime.call_manager import CallManager
from voicegw.runtime.drain import (
    Drain,
    DrainCommand,
    DrainOrder,
    DrainStatus,
    Emptied,
    HandOver,
    HandOverCalls,
    NodeState,
    NotDrainable,
    RefuseCalls,
    TakeCalls,
)

log = logging.getLogger(__name__)


class Door(Protocol):
    """What a drain needs of the gateway."""

    def drain(self) -> None:
        """Refuse new calls, and say so to OPTIONS."""
        ...

    async def withdraw(self) -> None:
        """Take our registrations back, so that nobody calls us; calls of ours still go by the same trunks."""
        ...

    async def resume(self) -> None:
        """Take new calls, and register again."""
        ...


class Drainer:
    """Belongs to the event loop of the calls; :meth:`status` may be asked from any thread."""

    def __init__(self, door: Door, manager: CallManager, clock: Clock, counters: Counters) -> None:
        self._door = door
        self._manager = manager
        self._clock = clock
        self._counters = counters
        self._drain = Drain()
        self._work: asyncio.Task[None] | None = None
        self._may_stop = asyncio.Event()
        self._is_final = False

    def status(self) -> DrainStatus:
        """How it stands."""
        return self._drain.status(self._manager.active, self._clock.monotonic())

    def gauges(self) -> dict[str, float]:
        """Levels for metrics; any thread may ask."""
        status = self.status()
        return {
            "draining": float(status.state is not NodeState.SERVING),
            "drain_deadline_seconds": status.deadline_in_s,
        }

    def order(self, order: DrainOrder, *, final: bool = False) -> DrainStatus:
        """Begin to empty the node, or change how. ``final``: it cannot be undone, as after a signal to stop, and
        whoever changes how afterwards does not keep the process from ending."""
        self._is_final = self._is_final or final
        order = replace(order, stop=order.stop or self._is_final)
        self._counters.add("drains_ordered")
        extra = {
            "by": Personal(order.by),
            "calls": self._manager.active,
            "patience_s": order.deadline_s,
            "stop": order.stop,
        }
        log.info("draining", extra=extra)
        self._do(self._drain.order(order, self._clock.monotonic()))
        self._begin()
        return self.status()

    async def undo(self, by: str) -> DrainStatus:
        """Take calls again. Raises NotDrainable while calls are handed over, and when the process is to end."""
        if self._is_final:
            raise NotDrainable("the process was told to end")
        was = self._drain.state
        commands = self._drain.undo()
        if commands:
            log.info("calls are taken again", extra={"by": Personal(by), "was": was.value})
            self._counters.add("drains_undone")
            await self._end_work()
            self._do(commands)
            self._may_stop.clear()
            await self._door.resume()
        return self.status()

    async def wait_stop(self) -> None:
        """Until the node is empty by an order that said to stop then."""
        await self._may_stop.wait()

    async def close(self) -> None:
        """Decide nothing any more."""
        await self._end_work()

    # ------------------------------------------------------------ in time

    def _begin(self) -> None:
        if self._work is not None:
            self._work.cancel()
        self._work = child_task(self._carry_out(), "drain")

    async def _end_work(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait((self._work,))
            self._work = None

    async def _carry_out(self) -> None:
        await self._door.withdraw()
        while (deadline := self._drain.get_timer()) is not None:
            if await self._idle_by(deadline):
                self._do(self._drain.emptied())
            else:
                self._do(self._drain.handle_timer(self._manager.active, self._clock.monotonic()))

    async def _idle_by(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.monotonic())):
                await self._manager.wait_idle()
        except TimeoutError:
            return False
        return True

    def _do(self, commands: Iterable[DrainCommand]) -> None:
        for command in commands:
            match command:
                case RefuseCalls():
                    self._manager.accepts = False
                    self._door.drain()
                case TakeCalls():
                    self._manager.accepts = True
                case HandOverCalls():
                    self._hand_over(command)
                case Emptied(stop, left):
                    if left:
                        log.error("calls did not end", extra={"calls": left})
                    log.info("drained", extra={"stop": stop})
                    if stop:
                        self._may_stop.set()
                case _:
                    assert_never(command)

    def _hand_over(self, command: HandOverCalls) -> None:
        calls = self._manager.active
        self._counters.add(f"drain_calls_{command.step.value}", calls)
        match command.step:
            case HandOver.TRANSFER:
                log.info("calls are sent elsewhere", extra={"calls": calls, "to": Personal(command.transfer_to)})
                self._manager.send_all_to(command.transfer_to)
            case HandOver.GOODBYE:
                log.info("calls are told goodbye", extra={"calls": calls})
                self._manager.part_from_all()
            case HandOver.HANGUP:
                log.warning("calls are ended", extra={"calls": calls})
                self._manager.end_all()
            case _:
                assert_never(command.step)
