"""A state machine is an enum, one table and a strict lookup: a pair that is not in the table is an error."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from voicegw.base.errors import LocalError

S = TypeVar("S", bound=Hashable)
E = TypeVar("E", bound=Hashable)


class IllegalTransition(LocalError):
    """The event has no row in this state."""


class TransitionTable(Generic[S, E]):
    """A literal table ``{(state, event): next state}``, frozen at import time."""

    def __init__(self, name: str, rows: Mapping[tuple[S, E], S]) -> None:
        self.name = name
        self.rows: Mapping[tuple[S, E], S] = dict(rows)

    def accepts(self, state: S, event: E) -> bool:
        """Whether the pair has a row."""
        return (state, event) in self.rows

    def next(self, state: S, event: E) -> S:
        """The state after ``event`` in ``state``; raises :class:`IllegalTransition` if there is no row."""
        try:
            return self.rows[(state, event)]
        except KeyError:
            raise IllegalTransition(f"{self.name}: no transition for {event} in {state}") from None
