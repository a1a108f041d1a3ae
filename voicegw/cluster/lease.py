"""A lease: something that one node at a time does, and stops doing before another one may begin.

Sans-I/O: it says what is to be asked and when, and is told what came of it. The end of a lease is counted from the
moment *before* the question was sent, so that ours ends no later than the one that Redis keeps; a node that was
paused finds at its next look that its lease is over. The **token** grows with every change of hands: what is done
under a lease can be refused by whoever has seen a greater one.

What a holder does when it cannot keep the lease depends on why. Somebody else has it: it is over. Nobody answers:
the holder stands still. It begins nothing, and undoes nothing, because nobody may have taken its place.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from voicegw.ports.cluster import Hold

_MARGIN: Final = 0.9
"""Of its time, so that clocks that run a little differently do not make two holders."""


class Ask(Enum):
    """What to ask the shared state."""

    TAKE = auto()
    KEEP = auto()


class Lease:
    """One lease of one node."""

    def __init__(self, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        """As the next question asks for it."""
        self._ends: float | None = None
        self._is_frozen = False
        self.token = 0
        """Of our hold; 0 without one."""

    def hold(self, now: float) -> Hold:
        """What we may do at this moment."""
        if self._ends is not None and now < self._ends:
            return Hold.HELD
        return Hold.FROZEN if self._ends is not None or self._is_frozen else Hold.NONE

    def next_question(self) -> Ask:
        """What to ask at the next beat. A lease that ran out may still be ours: nobody else may have wanted it."""
        return Ask.KEEP if self.token else Ask.TAKE

    def taken(self, token: int, asked_at: float) -> None:
        """The answer to TAKE; 0: it is somebody else's."""
        self._is_frozen = False
        if token:
            self.token, self._ends = token, asked_at + self.ttl_s * _MARGIN
        else:
            self.token, self._ends = 0, None

    def kept(self, is_ours: bool, asked_at: float) -> None:
        """The answer to KEEP. One that is not ours any more is asked for anew: frozen until we know whose it is."""
        if is_ours:
            self._ends = asked_at + self.ttl_s * _MARGIN
        else:
            self.token, self._ends, self._is_frozen = 0, None, True

    def given_up(self) -> int:
        """We do not want it any more; the token to give back, or 0."""
        token, self.token, self._ends, self._is_frozen = self.token, 0, None, False
        return token
