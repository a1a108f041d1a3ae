"""Keys that come by two ways count once: a leg's keys are those of the way by which the first one came.

Some PBXs send every key press as a telephone event (RFC 4733) and as INFO; a caller who presses 5 means it once.
"""

from __future__ import annotations

from enum import Enum

from voicegw.base.ids import LegId


class KeyWay(Enum):
    """How a key press came."""

    RTP = "telephone event, or tone"
    INFO = "SIP INFO"


class KeyWays:
    """The way of each leg that has had a key."""

    def __init__(self) -> None:
        self._ways: dict[LegId, KeyWay] = {}

    def counts(self, leg_id: LegId, way: KeyWay) -> bool:
        """Whether a key that came this way is to be told."""
        return self._ways.setdefault(leg_id, way) is way

    def forget(self, leg_id: LegId) -> None:
        """The leg is over."""
        self._ways.pop(leg_id, None)
