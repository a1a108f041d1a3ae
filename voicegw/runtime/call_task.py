"""The task of a call and its mailbox: one thing after the other, in the order of arrival, until it is over."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from voicegw.base.ids import CallId
from voicegw.base.log import call_id_var
from voicegw.runtime import mail as mail_types
from voicegw.runtime.mailbox import Mailbox
from voicegw.runtime.orders import Order, Ordered
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks

log = logging.getLogger(__name__)


class CallTask(ABC):
    """What the mail means is the business of the call that this is the task of."""

    def __init__(self, call_id: CallId, services: CallServices) -> None:
        self.call_id = call_id
        self._services = services
        self._mailbox: Mailbox[mail_types.Mail] = Mailbox()
        self._tasks = ChildTasks()

    def post(self, mail: mail_types.Mail) -> None:
        """Put something into the mailbox; it is handled in the order of arrival."""
        self._mailbox.put_nowait(mail)

    def ask(self, order: Order) -> asyncio.Future[None]:
        """Order something; the future is done when the effect is in force, or raises Refused."""
        ordered = Ordered(order, asyncio.get_running_loop().create_future())
        self.post(ordered)
        return ordered.answer

    async def run(self) -> None:
        """Live until the record is closed. The boundary of the call: whatever fails inside ends this call only."""
        call_id_var.set(self.call_id)
        try:
            self._begin()
            while not self.closed:
                await self._handle_next()
        except Exception:  # one of the three boundaries of DESIGN §6
            log.exception("call task failed")
            self._services.counters.add("call_task_failed")
            self._fail()
        finally:
            await self._tasks.close()
            self._mailbox.close()
            self._conclude()

    async def _handle_next(self) -> None:
        if self._mailbox.empty():
            timer = self.get_timer()
            await self._mailbox.wait(None if timer is None else timer - self._services.clock.monotonic())
        if self._mailbox.empty():
            self.handle_timers()
        else:
            self.handle(self._mailbox.get_nowait())

    def handle_waiting(self) -> int:
        """Handle all that waits in the mailbox and return how much it was."""
        count = 0
        while not self._mailbox.empty():
            self.handle(self._mailbox.get_nowait())
            count += 1
        return count

    def _refuse_orders(self) -> None:
        """Whoever waits for an answer gets it: the call is over."""
        while not self._mailbox.empty():
            if isinstance(mail := self._mailbox.get_nowait(), Ordered):
                mail.refuse("the call has ended")

    # ------------------------------------------------------------ the call

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the record can be closed."""

    @abstractmethod
    def get_timer(self) -> float | None:
        """When :meth:`handle_timers` is due, or None."""

    @abstractmethod
    def handle_timers(self) -> None:
        """Act on every deadline that has come."""

    @abstractmethod
    def handle(self, mail: mail_types.Mail) -> None:
        """Handle one thing now."""

    @abstractmethod
    def _begin(self) -> None:
        """Before the first mail."""

    @abstractmethod
    def _fail(self) -> None:
        """Something raised: nothing of the call may stay behind."""

    @abstractmethod
    def _conclude(self) -> None:
        """After the last mail, and after a failure: close the record."""
