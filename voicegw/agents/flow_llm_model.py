"""The ``llm`` step of a script: a model leads the conversation until it has reached one of the outcomes."""

from __future__ import annotations

from pydantic import Field

from voicegw.agents.flow_fields import FlowModel, Phrase, SlotModel, StepName, Text, VariableName
from voicegw.agents.llm_model import LimitsModel
from voicegw.agents.tools.config import ToolConfig


class CollectedSlot(SlotModel):
    """One value that the model finds out; checked as an answer to an ``ask`` step of the same type would be."""

    description: str = ""
    """For the model: what it is."""
    sensitive: bool = False
    """The value is not written down. Nor is what is said in the whole step, and none of it is recorded: nobody
    knows in which turn of a free conversation it comes."""


class LlmOutcome(FlowModel):
    """One way in which the step may end."""

    goto: StepName
    description: str = ""
    """For the model: when it is this one."""
    needs: tuple[VariableName, ...] = ()
    """The model cannot choose it before it has found these out."""


class LlmStep(FlowModel):
    """Hand the conversation to a model, and take it back."""

    models: tuple[str, ...] = Field(min_length=1)
    """Names from the configuration, best first."""
    instructions: Text
    say: Text | None = None
    """Said first, without waiting for a model; without it the model answers what the caller said last."""
    collect: dict[VariableName, CollectedSlot] = Field(default_factory=dict)
    until: dict[str, LlmOutcome] = Field(min_length=1)
    """Outcomes by name."""
    tools: tuple[ToolConfig, ...] = ()
    max_turns: int = Field(default=12, ge=1, le=100)
    """Turns of the caller without an outcome until the step is given up."""
    on_failure: StepName
    """Where to go when no model answers or the turns are used up."""
    limits: LimitsModel = LimitsModel()
    hints: tuple[Phrase, ...] = ()
    """What callers may say, for recognisers that take phrases."""

    @property
    def sensitive(self) -> bool:
        """Whether something is found out that must not be written down."""
        return any(slot.sensitive for slot in self.collect.values())
