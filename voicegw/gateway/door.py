"""Calls that were refused before they became calls: which of them are told, so that each leaves a record.

A record costs a row of the store, and whoever floods us must not fill it: of known addresses so many a second are
told, of all strangers together a few; the rest is counted. A record also costs several times what the refusal does:
while calls are refused for want of time, their records wait until there is some, and the next 503 goes out instead.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.events import LegEvent, LegInvited, LegRefused
from voicegw.gateway.invitation import read_invitation
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.token_bucket import Rate, TokenBucket
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.sip.address import Address
from voicegw.sip.events import InviteRefused
from voicegw.sip.parties import number_of

KNOWN: Final = Rate(5.0, 200.0)
"""Records a second of trunks, phones and others who had a call with us."""
STRANGERS: Final = Rate(1 / 30, 20.0)
"""Records a second of everybody else: 2,880 a day at most."""
_COPIES: Final = 512
"""Call-IDs remembered: an INVITE that was refused without a transaction comes again until its ACK does."""
_NO_LEG: Final = LegId("")
_MOST_HELD: Final = 512
"""Refusals that wait for their record; more are counted only."""
_RELEASED: Final = 50
"""At one check of the load, ten of which make a second."""


class _Held(NamedTuple):
    """A refusal that waits for its record, why it was, and when."""

    event: InviteRefused
    cause: HangupCause
    at: float


class Door:
    """``tell`` gets a LegRefused for each call that is to be recorded."""

    def __init__(
        self, driver: SipDriver, desk: TrunkDesk, tell: Callable[[LegEvent], None], counters: Counters
    ) -> None:
        self._driver = driver
        self._desk = desk
        self._tell = tell
        self._counters = counters
        self._known = TokenBucket(KNOWN, 0.0)
        self._strangers = TokenBucket(STRANGERS, 0.0)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._held: deque[_Held] = deque()

    def turned_away(self, event: InviteRefused) -> None:
        """The user agent had no room for a call, or did not believe who called."""
        call_id = event.request.headers.get("Call-ID") or ""
        if not self._is_news(call_id) or not self._may_tell(event.source):
            return
        held = _Held(event, self._cause(event.status), self._driver.now)
        if event.status != 503 or not self._driver.is_pressed:
            self._tell_of(held)
        elif len(self._held) < _MOST_HELD:
            self._held.append(held)
        else:
            self._counters.add("calls_refused_unrecorded")

    def release(self) -> None:
        """Tell of some that have waited, if there is time for it."""
        for _ in range(min(_RELEASED, len(self._held))):
            if self._driver.is_pressed:
                return
            self._tell_of(self._held.popleft())

    def close(self) -> None:
        """Tell of all that wait."""
        while self._held:
            self._tell_of(self._held.popleft())

    def _tell_of(self, held: _Held) -> None:
        event = held.event
        try:
            trunk = self._desk.table.of_call(event.source.host, number_of(event.request.uri))
            invited = read_invitation(_NO_LEG, event.request, has_offer=bool(event.request.body), trunk=trunk)
        except RemoteProtocolError:
            return
        ago_s = self._driver.now - held.at
        self._tell(LegRefused(_NO_LEG, invited, held.cause, event.source.host, ago_s))

    def refused(self, invited: LegInvited, cause: HangupCause, source: Address) -> None:
        """A call of nobody whose calls are taken, or of a trunk that has no line left."""
        if self._is_news(invited.sip_call_id) and self._may_tell(source):
            self._tell(LegRefused(invited.leg_id, invited, cause, source.host))

    def _cause(self, status: int) -> HangupCause:
        if status != 503:
            return HangupCause.CALLER_UNPROVEN
        return HangupCause.DRAINING if self._driver.agent.draining else HangupCause.OVERLOADED

    def _is_news(self, call_id: str) -> bool:
        if call_id in self._seen:
            return False
        self._seen[call_id] = None
        if len(self._seen) > _COPIES:
            self._seen.popitem(last=False)
        self._counters.add("calls_refused_at_door")
        return True

    def _may_tell(self, source: Address) -> bool:
        bucket = self._known if self._driver.guard.is_known(source) else self._strangers
        if bucket.take(self._driver.now):
            return True
        self._counters.add("calls_refused_unrecorded")
        return False
