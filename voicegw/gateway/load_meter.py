"""When the gateway is overloaded: by how late its event loop runs, and by how long its socket has not been empty.

Both are what a caller feels as post-dial delay. The second is the one that shows under a storm of INVITEs: the loop
turns, but each message has waited in the kernel for long. Refusing early keeps the answered calls good (RFC 6357).

A loop that paused once is no overload: it collected garbage, or waited for a disk, and goes on. One that had no
processor for so long will have none for the next call either, which is refused at first sight.

Who waits for a processor most of the time also needs that much longer for each set-up, and for each refusal behind
them: fewer calls may wait for an answer then, from the first of a storm on.
"""

from __future__ import annotations

CHECK_S = 0.1
"""How often :meth:`LoadMeter.note` is to be called."""
_SUSTAINED = 3
"""Checks in a row: one long pause of the loop is no overload, and is over when it is seen."""
_CALM_S = 0.3
"""So long without a late check, and calls are taken again."""
_STARVED = 2
"""Limits: a pause of so many, most of it without a processor, is overload at once."""
_MOSTLY = 0.75
_SCARCE = 0.5
"""Part of the time without a processor above which fewer set-ups are begun; at all of it, the fewest."""
_FEWEST = 8


class LoadMeter:
    """``limit_s`` is the lateness that callers may feel."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._late_checks = 0
        self._late_at = float("-inf")
        self._emptied_at: float | None = None
        self._waiting = 0.0
        """Part of the time in which the process had no processor, lately."""
        self.overloaded = False

    def is_due(self, late_s: float) -> bool:
        """Whether a check that is ``late_s`` late may not wait for its turn: messages are read before timers run,
        so that those of a pause would be judged by what was before it."""
        return late_s > self.limit_s

    def note(self, now: float, late_s: float, *, backlogged: bool, starved_s: float = 0.0) -> bool:
        """Take a measurement: a check that was due ``late_s`` ago, whether the socket was never empty since, and
        how long since the last one the process could have run but had no processor.

        Returns whether new calls are to be refused.
        """
        self._waiting = (self._waiting + min(1.0, starved_s / (CHECK_S + max(0.0, late_s)))) / 2
        if not backlogged or self._emptied_at is None:
            self._emptied_at = now
        if max(late_s, now - self._emptied_at) > self.limit_s:
            self._late_checks += 1
            self._late_at = now
        else:
            self._late_checks = 0
        if self._late_checks >= _SUSTAINED or self._is_starved(late_s, starved_s):
            self.overloaded = True
        elif now - self._late_at >= _CALM_S:
            self.overloaded = False
        return self.overloaded

    def setups(self, most: int) -> int:
        """How many calls may wait for our answer now, of ``most`` where there is a processor for them."""
        room = (1.0 - self._waiting) / (1.0 - _SCARCE)
        return most if room >= 1.0 else min(most, max(_FEWEST, round(most * room)))

    def _is_starved(self, late_s: float, starved_s: float) -> bool:
        return late_s > _STARVED * self.limit_s and starved_s > _MOSTLY * late_s
