"""The guard of a node and those of the others: whom one ignores, all ignore, but for those whom a node trusts."""

from __future__ import annotations

import logging

from voicegw.base.clock import Clock
from voicegw.base.metrics import Counters
from voicegw.cluster.bans import SharedBans
from voicegw.cluster.counters import ClusterCounter
from voicegw.gateway.guard import Ban, BanReason, Guard
from voicegw.ports.cluster import Notice

log = logging.getLogger(__name__)


class GuardTogether:
    """Joins both from its making on; lives in the runtime's loop."""

    def __init__(self, guard: Guard, bans: SharedBans, clock: Clock, counters: Counters) -> None:
        self._guard = guard
        self._bans = bans
        self._clock = clock
        self._counters = counters
        guard.on_own, guard.on_pardon = self._banned, bans.lift
        bans.on_news = self._heard

    def _banned(self, ban: Ban) -> None:
        left_s = ban.until - self._clock.monotonic()
        self._bans.ban(ban.host, ban.reason.name.lower(), self._clock.wall() + left_s)

    def _heard(self, notice: Notice) -> None:
        """A ban, or its end; also those that this node learns of when it starts."""
        extra = {"source": notice.host, "node": notice.by}
        if notice.lifted:
            if self._guard.forgive(notice.host):
                log.info("a SIP source is heard again on the word of another node", extra=extra)
            return
        left_s = notice.until - self._clock.wall()
        if self._guard.shun(notice.host, _reason(notice.reason), self._clock.monotonic(), left_s):
            self._counters.add(ClusterCounter.BANS_TAKEN)
        else:
            log.info("a SIP source that another node ignores is heard here", extra=extra)


def _reason(name: str) -> BanReason:
    return BanReason.__members__.get(name.upper(), BanReason.ELSEWHERE)
