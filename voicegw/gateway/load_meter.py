"""When the gateway is overloaded: by how late its event loop runs, and by how long its socket has not been empty.

Both are what a caller feels as post-dial delay. The second is the one that shows under a storm of INVITEs: the loop
turns, but each message has waited in the kernel for long. Refusing early keeps the answered calls good (RFC 6357).
"""

from __future__ import annotations

CHECK_S = 0.1
"""How often :meth:`LoadMeter.note` is to be called."""
_SUSTAINED = 3
"""Checks in a row: one long pause of the loop is no overload, and is over when it is seen."""
_CALM_S = 0.3
"""So long without a late check, and calls are taken again."""


class LoadMeter:
    """``limit_s`` is the lateness that callers may feel."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._late_checks = 0
        self._late_at = float("-inf")
        self._emptied_at: float | None = None
        self.overloaded = False

    def note(self, now: float, late_s: float, *, backlogged: bool) -> bool:
        """Take a measurement: a check that was due ``late_s`` ago, and whether the socket was never empty since.

        Returns whether new calls are to be refused.
        """
        if not backlogged or self._emptied_at is None:
            self._emptied_at = now
        if max(late_s, now - self._emptied_at) > self._limit_s:
            self._late_checks += 1
            self._late_at = now
        else:
            self._late_checks = 0
        if self._late_checks >= _SUSTAINED:
            self.overloaded = True
        elif now - self._late_at >= _CALM_S:
            self.overloaded = False
        return self.overloaded
