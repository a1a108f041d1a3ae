"""The toll rules of a running node: the book with a clock, and what it says counted, logged and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Final

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.dialplan.compile import find_zone
from voicegw.gateway.tolls.book import Overrun, TollBook, periods_of
from voicegw.gateway.tolls.calls import NOBODY, Barred, Moment, Payer, TollCall
from voicegw.gateway.tolls.config import TollConfig
from voicegw.gateway.trunk_table import RouteRefused

log = logging.getLogger(__name__)

REFUSED: Final = "toll_calls_refused"
OVERRUN: Final = "toll_calls_overrun"
LOOK_S: Final = 1.0
"""Between two looks at running calls."""


class TollDesk:
    """Belongs to the desk of trunks. Needs a running event loop once a call is answered."""

    def __init__(
        self, config: TollConfig | None = None, clock: Clock | None = None, counters: Counters | None = None
    ):
        self._clock = clock or SystemClock()
        self._counters = counters or Counters()
        self.book = TollBook(config or TollConfig())
        self._zone: tzinfo = find_zone(self.book.config.time_zone)
        self._timer: asyncio.TimerHandle | None = None
        self.on_overrun: Callable[[Overrun], None] = lambda _overrun: None
        """Told of each running call that may not go on."""

    def use(self, config: TollConfig) -> None:
        """Other rules, for calls from now on."""
        self.book.use(config)
        self._zone = find_zone(config.time_zone)

    # ---------------------------------------------------------------- one call

    def check(self, trunk: str, number: str, payer: Payer = NOBODY) -> None:
        """Raises RouteRefused for a call that may not be placed now; nothing is counted."""
        barred = self.book.judge(TollCall(trunk, number, payer), self._moment())
        if barred is not None:
            raise refused(barred)

    def begin(self, leg_id: LegId, trunk: str, number: str, payer: Payer) -> None:
        """Raises RouteRefused for a call that may not be placed now by this trunk; :meth:`noted` counts it once no
        other one may carry it either."""
        barred = self.book.begin(leg_id, TollCall(trunk, number, payer), self._moment())
        if barred is not None:
            raise refused(barred)

    def redirect(self, leg_id: LegId, trunk: str, number: str) -> None:
        """The called side names somebody else for a call that was begun; raises RouteRefused."""
        known = self.book.call_of(leg_id)
        try:
            self.begin(leg_id, trunk, number, known.payer if known is not None else NOBODY)
        except RouteRefused as error:
            raise self.noted(error) from None

    def refer(self, trunk: str, number: str, payer: Payer = NOBODY) -> None:
        """Somebody else is asked to place this call; raises RouteRefused."""
        leg_id = LegId(f"refer {trunk} {number}")
        try:
            self.begin(leg_id, trunk, number, payer)
        except RouteRefused as error:
            raise self.noted(error) from None
        self.ended(leg_id)

    def noted(self, error: RouteRefused) -> RouteRefused:
        """A call is refused for good: counted and logged where a rule did it."""
        if (barred := error.barred) is not None:
            self._counters.add(f"{REFUSED}_{barred.limit}")
            told = {"rule": barred.rule, "limit": barred.limit}
            log.warning("a call out is refused: %s", barred, extra=told)
        return error

    def answered(self, leg_id: LegId) -> None:
        """A leg is up."""
        self.book.answered(leg_id, self._moment())
        self._plan()

    def ended(self, leg_id: LegId) -> None:
        """A leg is over."""
        self.book.ended(leg_id, self._moment())

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on; what was called so before is over."""
        self.ended(name)
        self.book.rename(leg_id, name)

    # ---------------------------------------------------------------- all calls

    def look(self) -> None:
        """Charge running calls, and end those that may not go on."""
        for overrun in self.book.look(self._moment()):
            self._counters.add(f"{OVERRUN}_{overrun.barred.limit}")
            told = {"leg_id": overrun.leg_id, "rule": overrun.barred.rule, "limit": overrun.barred.limit}
            log.warning("a running call may not go on: %s", overrun.barred, extra=told)
            self.on_overrun(overrun)

    def periods(self) -> tuple[str, str]:
        """The present day and month, as accounts name them."""
        return periods_of(self._moment().at)

    def close(self) -> None:
        """No more looks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def gauges(self) -> dict[str, float]:
        """Of every budget the part that is spent. Any thread may ask."""
        spending = self.book.spending(self._moment().at)
        return {f"toll_budget_spent_ratio_{name}": spent / limit for name, (spent, limit) in spending.items()}

    def _moment(self) -> Moment:
        at = datetime.fromtimestamp(self._clock.wall(), UTC).astimezone(self._zone)
        return Moment(self._clock.monotonic(), at)

    def _plan(self) -> None:
        if self._timer is None and self.book.watches:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        self._plan()


def refused(barred: Barred) -> RouteRefused:
    """A call that the rules do not allow."""
    return RouteRefused(barred.cause, str(barred), barred)
