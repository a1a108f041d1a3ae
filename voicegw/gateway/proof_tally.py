"""What came of our challenges, by address: who answers them wrongly again and again, and who never answers them.

Who guesses passwords does the one, who walks through names the other; a phone with an old password does a little of
the first, and a phone whose answers are lost a little of the second. So both are counted, both counts go down with
time, and an address from which somebody has proven who they are may do more of both: behind NAT that is a house.

Whether a user exists makes no difference to anything here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, assert_never

from voicegw.gateway.guard_config import GuardConfig
from voicegw.sip.digest_server import Trial
from voicegw.sip.failures import subscriber

_MOST_SOURCES: Final = 10_000
"""Of each table; the address that was heard of longest ago is forgotten first."""
_MOST_OPEN: Final = 10_000
"""Challenges that may still be answered: 50 s of what all strangers together may send."""


class _Counts:
    """Of one address, as they were at ``at``."""

    __slots__ = ("at", "unanswered", "wrong")

    def __init__(self, now: float) -> None:
        self.wrong = self.unanswered = 0.0
        self.at = now


class ProofTally:
    """Counts, and says when it is too much. Times are monotonic seconds.

    A source is an IPv4 address, or the /64 that one IPv6 subscriber has.
    """

    def __init__(self, config: GuardConfig) -> None:
        self._config = config
        self._counts: OrderedDict[str, _Counts] = OrderedDict()
        self._proven: OrderedDict[str, float] = OrderedDict()
        """When somebody was last who they said they are. Not among the counts: no flood may push this out."""
        self._open: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def use(self, config: GuardConfig) -> None:
        """Other limits from now on, also for what was counted before."""
        self._config = config

    def note(self, trial: Trial, host: str, question: tuple[str, str], now: float) -> bool:
        """One more request that was to be proven; whether its source has gone too far with it.

        ``question`` is what a request has in common with its copies and with the one that answers the challenge,
        and not with those that ask for another name: Call-ID and To (RFC 3261 §22.1).
        """
        source = subscriber(host)
        asked = hash((source, *question))
        if trial is Trial.ASKED:
            return self._asked(source, asked, now)
        self._answered(source, asked)
        match trial:
            case Trial.WRONG:
                counts = self._current(source, now)
                counts.wrong += 1
                return counts.wrong > self._config.wrong_answers * self._patience(source, now)
            case Trial.RIGHT:
                self._proven[source] = now
                self._proven.move_to_end(source)
                _shorten(self._proven, _MOST_SOURCES)
            case Trial.STALE:
                pass  # the password was right, and the next answer will be
            case _:
                assert_never(trial)
        return False

    def forget(self, host: str) -> None:
        """Begin anew with an address, as after a pardon."""
        self._counts.pop(subscriber(host), None)

    def _asked(self, source: str, asked: int, now: float) -> bool:
        """A copy of a request is no other challenge: where our answers are lost, phones send a dozen of them."""
        if asked in self._open:
            return False
        self._open[asked] = None
        _shorten(self._open, _MOST_OPEN)
        counts = self._current(source, now)
        counts.unanswered += 1
        return counts.unanswered > self._config.unanswered * self._patience(source, now)

    def _answered(self, source: str, asked: int) -> None:
        if asked in self._open:
            del self._open[asked]
            if (counts := self._counts.get(source)) is not None:
                counts.unanswered = max(0.0, counts.unanswered - 1)

    def _current(self, source: str, now: float) -> _Counts:
        """The counts of a source, less what has been forgotten of them since."""
        counts = self._counts.setdefault(source, _Counts(now))
        passed_s = max(0.0, now - counts.at)
        forgotten = passed_s * self._patience(source, now) / self._config.answer_forgotten_s
        counts.wrong = max(0.0, counts.wrong - forgotten)
        counts.unanswered = max(0.0, counts.unanswered - forgotten)
        counts.at = now
        self._counts.move_to_end(source)
        _shorten(self._counts, _MOST_SOURCES)
        return counts

    def _patience(self, source: str, now: float) -> float:
        proven = self._proven.get(source)
        lately = proven is not None and now - proven < self._config.acquainted_s
        return self._config.proven_patience if lately else 1.0


def _shorten(
    table: OrderedDict[int, None] | OrderedDict[str, float] | OrderedDict[str, _Counts], most: int
) -> None:
    while len(table) > most:
        table.popitem(last=False)
