"""All that changes in a scripted call, in one place, so that it can be kept and brought back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from voicegw.agents.actions import Ending, Say
from voicegw.agents.questions import Question
from voicegw.agents.template import Variable


@dataclass(slots=True)
class FlowState:
    """Where the session stands."""

    variables: dict[str, Variable]
    collected: dict[str, str] = field(default_factory=dict)
    started: bool = False
    position: int = 0
    """The step that is asked or comes next."""
    return_to: int | None = None
    """Where to go after a detour that corrects one variable."""
    question: Question | None = None
    """What the caller was asked; None while the steps are walked."""
    ending: Ending | None = None
    no_inputs: int = 0
    no_matches: int = 0
    asr_down: bool = False
    content: tuple[Say, ...] = ()
    """What was said last and is worth repeating: no apologies."""
    greeting: Say | None = None
    heard_all: bool = False
    early: bool = False
    """The call is not answered yet."""
    language: str = ""
    """What the call has changed to; empty for the agent's own."""

    def copy(self) -> FlowState:
        """A state of its own; everything inside but the dicts is immutable."""
        return replace(self, variables=dict(self.variables), collected=dict(self.collected))
