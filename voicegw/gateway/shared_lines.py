"""Lines that a leg takes of a pool: of its trunk, which all nodes share, of the number called, of toll rules.

The desk counts what this node has of a trunk and decides at once. What is counted over all nodes has to be asked
for; where nothing is limited, nothing is asked and no call waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.tolls.book import TOLL_LINE
from voicegw.gateway.tolls.calls import Barred
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.ports.cluster import Line, LinePool
from voicegw.sip.uri import escape_user

_TRUNK, _NUMBER = "trunk/", "number/"
_LONGEST: Final = 200
"""Characters of a name."""


class SharedLines:
    """Belongs to the desk. Without a ``pool`` nothing is counted; ``per_number`` 0: numbers have no limit.
    ``alone``: the pool is this node's own. Lines of trunks and toll rules are counted elsewhere then."""

    def __init__(self, pool: LinePool | None = None, per_number: int = 0, *, alone: bool = False) -> None:
        self._pool = pool
        self._alone = alone
        self.per_number = per_number
        """Of calls from now on; those that came while there was no limit are not counted."""
        self._holders: dict[LegId, str] = {}

    def wanted(self, trunk: Trunk | None, called: str = "", tolls: Sequence[Line] = ()) -> tuple[Line, ...]:
        """What a leg needs; ``called`` for a call in, ``tolls`` for one out: places among calls at once."""
        if self._pool is None:
            return ()
        lines = [] if self._alone else [Line(_word(line.name), line.limit) for line in tolls]
        if trunk is not None and trunk.settings.max_calls and not self._alone:
            lines.append(Line(_TRUNK + trunk.name, trunk.settings.max_calls))
        if called and self.per_number:
            lines.append(Line(_NUMBER + _word(called), self.per_number))
        return tuple(lines)

    async def take(self, leg_id: LegId, lines: Sequence[Line]) -> None:
        """Take one of each; raises RouteRefused where one is full. :meth:`release` may be called meanwhile."""
        assert self._pool is not None, "where nothing is wanted nothing is taken"
        self._holders[leg_id] = leg_id
        full = await self._pool.take(leg_id, lines)
        if not full:
            return
        self._holders.pop(leg_id, None)
        name = full.partition("/")[2]
        if full.startswith(TOLL_LINE):
            rule = name.partition("/")[0]
            barred = Barred(rule, "calls_at_once", "as many calls at once as it allows, over all nodes")
            raise RouteRefused(barred.cause, str(barred), barred)
        if full.startswith(_TRUNK):
            raise RouteRefused(HangupCause.TRUNK_FULL, f"trunk {name}: all lines are taken")
        raise RouteRefused(HangupCause.NUMBER_FULL, f"number {name}: as many calls as it may have")

    def release(self, leg_id: LegId) -> None:
        """The leg is over; one that has taken nothing gives nothing back."""
        holder = self._holders.pop(leg_id, None)
        if holder is not None and self._pool is not None:
            self._pool.free(holder)

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on."""
        if (holder := self._holders.pop(leg_id, None)) is not None:
            self._holders[name] = holder


def _word(text: str) -> str:
    """What a peer has written, as part of a name: escapes can spell anything, line ends among it."""
    return escape_user(text)[:_LONGEST]
