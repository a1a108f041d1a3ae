"""How many calls a minute may come to one number, and from one number."""

from __future__ import annotations

from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegInvited
from voicegw.gateway.tolls.window import Windows
from voicegw.gateway.trunk_table import RouteRefused

MINUTE_S: Final = 60
_LONGEST: Final = 64
"""Characters of a number that count: a caller may fill a datagram with it, and ten thousand of them are kept."""
RETRY: Final = (("Retry-After", str(MINUTE_S)),)


class NumberRates:
    """0: no limit. Callers who do not show a number are nobody's number; numbers are compared as they came."""

    def __init__(self, to_number: int = 0, from_number: int = 0) -> None:
        self._to: Windows | None = None
        self._from: Windows | None = None
        self.change(to_number, from_number)

    def change(self, to_number: int, from_number: int) -> None:
        """Other limits; calls that were counted stay so, as many as the old limit let be remembered."""
        self._to, self._from = _limited(self._to, to_number), _limited(self._from, from_number)

    def judge(self, invited: LegInvited, now: float) -> RouteRefused | None:
        """Count a call in; why it is refused, None where it is not."""
        called, calling = invited.called[:_LONGEST], invited.calling[:_LONGEST]
        pairs = [(self._to, called, "to"), (self._from, calling, "from")]
        asked = [(windows, number, way) for windows, number, way in pairs if windows is not None and number]
        for windows, number, way in asked:
            if not windows.has_room(number, now):
                return RouteRefused(
                    HangupCause.NUMBER_RATE, f"more than {windows.limit} calls {way} {number!r} within a minute"
                )
        for windows, number, _ in asked:
            windows.note(number, now)
        return None


def _limited(windows: Windows | None, limit: int) -> Windows | None:
    if windows is None or not limit:
        return Windows(limit, MINUTE_S) if limit else None
    windows.change(limit)
    return windows
