"""Which Call-ID a leg has, for whoever tells others of it: also a while after it has ended."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from voicegw.base.ids import LegId

_ENDED: Final = 512
"""Legs that have ended and are known still; the last report of their audio is on its way."""


class CallIds:
    """The last Call-ID of each leg: a call of ours has a new one at its next server, or trunk."""

    def __init__(self) -> None:
        self._known: dict[LegId, str] = {}
        self._ended: OrderedDict[LegId, None] = OrderedDict()

    def follow(self, leg_id: LegId, call_id: str) -> None:
        """The leg has this one from now on."""
        self._known[leg_id] = call_id
        self._ended.pop(leg_id, None)

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """The leg is called something else from now on."""
        if (call_id := self._known.pop(leg_id, None)) is not None:
            self.follow(name, call_id)

    def ended(self, leg_id: LegId) -> None:
        """It is over, and forgotten when so many others have ended as well."""
        if leg_id not in self._known:
            return
        self._ended[leg_id] = None
        if len(self._ended) > _ENDED:
            self._known.pop(self._ended.popitem(last=False)[0], None)

    def of(self, leg_id: LegId) -> str:
        """The Call-ID; "" for a leg that is none of SIP, or is forgotten."""
        return self._known.get(leg_id, "")
