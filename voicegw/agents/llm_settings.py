"""What all calls of an LLM agent share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicegw.agents.ladder_model import LadderModel
from voicegw.agents.llm_model import LimitsModel


@dataclass(frozen=True, slots=True)
class LlmTexts:
    """What is said without asking a model: what must work when none does."""

    greeting: str
    no_input: str = "Are you still there?"
    asr_down: str = "I am sorry, I cannot hear you at the moment. You can use the keypad."
    failed: str = "I am sorry, I cannot help you with that at the moment."
    goodbye: str = "Goodbye."
    approval: str = "One moment please, a colleague has to confirm that."
    still_asking: str = "I am still waiting for my colleague. Thank you for your patience."

    @property
    def all(self) -> tuple[str, ...]:
        """Every text of every call; those about approval are for few, and made when they are needed."""
        return self.greeting, self.no_input, self.asr_down, self.failed, self.goodbye


@dataclass(frozen=True, slots=True)
class LlmLimits:
    """Bounds of a conversation."""

    max_tool_rounds: int = 4
    """A model that asks for tools again and again is stopped and says what it knows."""
    max_no_input: int = 3
    """Unanswered prompts before the agent says goodbye."""
    no_input_ms: int = 7000
    """Silence before a prompt."""
    max_tokens: int = 400
    """Of one answer: about two minutes of speech."""
    max_history_tokens: int = 8000
    """Of the conversation that the model is sent; beyond it the older half is left out, in whole exchanges."""


def limits_of(model: LimitsModel) -> LlmLimits:
    """The bounds of a conversation out of those of a file."""
    return LlmLimits(
        model.max_tool_rounds,
        model.max_no_input,
        model.no_input_ms,
        model.max_tokens_per_answer,
        model.max_history_tokens,
    )


@dataclass(frozen=True, slots=True)
class LlmTongue:
    """What is said without a model in one language, and what callers may say in it.

    ``ladder``: the way down for those who speak it; None for the agent's own, in the agent's own language.
    """

    texts: LlmTexts
    hints: tuple[str, ...] = ()
    ladder: LadderModel | None = None


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """``hints`` help recognisers that take phrases; ``ladder`` is for when no model answers.

    ``languages`` are those that the call may change to besides ``language``.
    """

    language: str
    texts: LlmTexts
    limits: LlmLimits = field(default_factory=LlmLimits)
    hints: tuple[str, ...] = ()
    ladder: LadderModel = field(default_factory=LadderModel)
    languages: Mapping[str, LlmTongue] = field(default_factory=dict)

    def tongue(self, language: str) -> LlmTongue:
        """That of a language, or the agent's own."""
        return self.languages.get(language) or LlmTongue(self.texts, self.hints)
