"""How many calls a minute may come to one number, and from one number."""

from __future__ import annotations

from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegInvited
from voicegw.gateway.tolls.window import Windows
from voicegw.gateway.trunk_table import RouteRefused

MINUTE_S: Final = 60
RETRY: Final = (("Retry-After", str(MINUTE_S)),)


class NumberRates:
    """0: no limit. Callers who do not show a number are nobody's number; numbers are compared as they came."""

    def __init__(self, to_number: int = 0, from_number: int = 0) -> None:
        self._to = Windows(to_number, MINUTE_S) if to_number else None
        self._from = Windows(from_number, MINUTE_S) if from_number else None

    def judge(self, invited: LegInvited, now: float) -> RouteRefused | None:
        """Count a call in; why it is refused, None where it is not."""
        pairs = [(self._to, invited.called, "to"), (self._from, invited.calling, "from")]
        asked = [(windows, number, way) for windows, number, way in pairs if windows is not None and number]
        for windows, number, way in asked:
            if not windows.has_room(number, now):
                return RouteRefused(
                    HangupCause.NUMBER_RATE, f"more than {windows.limit} calls {way} {number!r} within a minute"
                )
        for windows, number, _ in asked:
            windows.note(number, now)
        return None
