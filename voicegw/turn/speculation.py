"""Replies prepared before the turn is over, and how much of that work may be in vain.

A reply is prepared at the first likely end of a turn and heard only if the turn ends with the very same words
(:class:`~voicegw.turn.generation.Basis`). What is dropped costs tokens and processor time, never a wrong word; so
the number of attempts is bounded, and a caller who makes nearly all of them vain gets fewer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SpeculationConfig:
    """Whether and how often."""

    enabled: bool = True
    """Off saves the wasted tokens of a paid model at the price of its whole delay in every turn."""
    per_turn: int = 3
    """Attempts in one turn: a caller who pauses after every other word is waited for."""
    spare: int = 6
    """Attempts a call may lose before its rate of success counts."""
    least_success: float = 0.25
    """Below this share of committed attempts, only the first attempt of a turn is made."""


@dataclass(frozen=True, slots=True)
class SpeculationTally:
    """What became of the attempts of a call."""

    started: int = 0
    committed: int = 0
    in_turn: int = 0

    def allows(self, config: SpeculationConfig) -> bool:
        """Whether one more attempt may be made in this turn."""
        if not config.enabled or self.in_turn >= config.per_turn:
            return False
        lost = self.started - self.committed
        unlucky = lost > config.spare and self.committed < config.least_success * self.started
        return self.in_turn == 0 or not unlucky

    def start(self) -> SpeculationTally:
        """One more attempt."""
        return replace(self, started=self.started + 1, in_turn=self.in_turn + 1)

    def commit(self) -> SpeculationTally:
        """The last attempt was right."""
        return replace(self, committed=self.committed + 1)

    def next_turn(self) -> SpeculationTally:
        """A turn is over."""
        return replace(self, in_turn=0)
