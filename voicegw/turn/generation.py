"""One reply in the making, and the rule for refusing it: by id, never by hoping a cancellation arrived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import GenerationId


class GenerationState(Enum):
    """PENDING is inaudible; COMMITTED may be heard; DROPPED is dead whatever still arrives from it."""

    PENDING = "pending"
    COMMITTED = "committed"
    FINISHED = "finished"
    DROPPED = "dropped"


class GenerationTrigger(Enum):
    """What happens to a reply."""

    COMMIT = "commit"
    FINISH = "finish"
    DROP = "drop"


GENERATION_TABLE: TransitionTable[GenerationState, GenerationTrigger] = TransitionTable(
    "generation",
    {
        (GenerationState.PENDING, GenerationTrigger.COMMIT): GenerationState.COMMITTED,
        (GenerationState.PENDING, GenerationTrigger.DROP): GenerationState.DROPPED,
        (GenerationState.COMMITTED, GenerationTrigger.FINISH): GenerationState.FINISHED,
        (GenerationState.COMMITTED, GenerationTrigger.DROP): GenerationState.DROPPED,
    },
)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a reply was made from. A reply is audible only on an equal basis (DESIGN §4)."""

    transcript: str
    context_version: int
    tools_version: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """A reply: its id, what it was made from, and whether it may be heard."""

    id: GenerationId
    basis: Basis
    state: GenerationState = GenerationState.PENDING

    def after(self, trigger: GenerationTrigger) -> Generation:
        """The generation after ``trigger``; raises IllegalTransition."""
        return replace(self, state=GENERATION_TABLE.next(self.state, trigger))

    def matches(self, basis: Basis) -> bool:
        """Whether it may be committed now."""
        return self.state is GenerationState.PENDING and self.basis == basis
