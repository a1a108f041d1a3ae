"""Where the live events of this node stand in the stream that nodes share.

The events of a node have numbers of its own, in the order in which they were handed out. Of each it is remembered
up to where the shared stream had been read then; of a fact of this node, its own place when it comes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from voicegw.base.ids import CallId

Place = tuple[int, int]


def numbers_of(place: str) -> Place:
    """As the shared stream writes it: ``12-0``, or ``12``."""
    first, _, second = place.partition("-")
    return int(first), int(second or 0)


class SharedPlaces:
    """Empty, and of no effect, where nothing is shared."""

    def __init__(self) -> None:
        self.is_shared = False
        self._reached: Place | None = None
        self._places: deque[tuple[int, Place]] = deque()
        self._untold: dict[tuple[CallId, int], Sequence[int]] = {}

    @property
    def suffix(self) -> str:
        """What an id says of it."""
        return "" if self._reached is None else f"@{self._reached[0]}.{self._reached[1]}"

    def read(self, event_id: str) -> Place | None:
        """The place in the id of any node; None where it has none."""
        first, dot, second = event_id.partition("@")[2].partition(".")
        if self._reached is None or not dot or not (_is_number(first) and _is_number(second)):
            return None
        return int(first), int(second)

    def reach(self, place: Place) -> None:
        """The stream has been read up to there."""
        self._reached = place

    def note(self, numbers: Sequence[int], fact: tuple[CallId, int] | None, oldest: int) -> None:
        """These events are handed out; ``fact``: of this node, whose place is not known yet. ``oldest`` is kept."""
        if not self.is_shared:
            return
        if fact is not None:
            self._untold[fact] = numbers
        elif self._reached is not None:
            self._places += [(number, self._reached) for number in numbers]
        while self._places and self._places[0][0] < oldest:
            self._places.popleft()
        if self._untold and next(iter(self._untold.values()))[-1] < oldest:
            del self._untold[next(iter(self._untold))]

    def settle(self, call_id: CallId, seq: int) -> None:
        """A fact of this node has come back."""
        numbers = self._untold.pop((call_id, seq), ())
        if self._reached is not None:
            self._places += [(number, self._reached) for number in numbers]

    def after(self, place: Place) -> tuple[Collection[int], bool]:
        """The events that a watcher who had read up to there has not seen; True where some may be gone."""
        behind = {number for number, at in self._places if at > place}
        for numbers in self._untold.values():
            behind.update(numbers)
        return behind, not any(at <= place for _, at in self._places)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18
