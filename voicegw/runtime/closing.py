"""How long the record of a call that is over stays open for what is still to be told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voicegw.base.clock import Clock

CLOSING_S: Final = 2.0
"""How long it waits for the media worker's last words (statistics, the recording's name)."""
SETTLING_S: Final = 0.5
"""How long it waits for the last messages of the signalling: the answer to a BYE, the ACK of a refusal."""
_LOOK_S: Final = 0.05
"""Nobody tells that they have come: it is looked after so often."""


class Closing:
    """``pending``: something is still to come; ``settled``: nothing more is said on the wire. ``finish`` is then
    asked, again and again, to end what goes on until that moment, and says whether it has."""

    def __init__(
        self,
        clock: Clock,
        pending: Callable[[], bool],
        settled: Callable[[], bool],
        finish: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._pending = pending
        self._settled = settled
        self._finish = finish
        self._began_at: float | None = None

    def begin(self) -> None:
        """Nobody is in the call any more."""
        self._began_at = self._clock.monotonic()

    @property
    def over(self) -> bool:
        """Whether the record can be closed."""
        if self._began_at is None:
            return False
        waited_s = self._clock.monotonic() - self._began_at
        if waited_s >= CLOSING_S:
            return True
        if self._pending() or not (waited_s >= SETTLING_S or self._settled()):
            return False
        return self._finish()

    def get_timer(self) -> float | None:
        """When :attr:`over` is to be looked at again, or None."""
        if self._began_at is None:
            return None
        now = self._clock.monotonic()
        if now < self._began_at + SETTLING_S and not self._settled():
            return now + _LOOK_S
        return self._began_at + CLOSING_S
