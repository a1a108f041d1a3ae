"""The file of an agent that a language model speaks for (``kind: llm``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from voicegw.agents.ladder_model import LadderModel
from voicegw.agents.tools.config import ToolConfig
from voicegw.dialplan.checked import StrictModel


class TextsModel(StrictModel):
    """What is said without a model."""

    no_input: str = "Are you still there?"
    asr_down: str = "I am sorry, I cannot hear you at the moment. You can use the keypad."
    failed: str = "I am sorry, I cannot help you with that at the moment."
    goodbye: str = "Goodbye."
    approval: str = "One moment please, a colleague has to confirm that."
    still_asking: str = "I am still waiting for my colleague. Thank you for your patience."


class LimitsModel(StrictModel):
    """Bounds of a conversation; 0 tokens or money is no bound."""

    max_tool_rounds: int = Field(default=4, ge=1, le=20)
    max_no_input: int = Field(default=3, ge=1, le=10)
    no_input_ms: int = Field(default=7000, ge=1000, le=60_000)
    max_tokens_per_answer: int = Field(default=400, ge=20, le=4000)
    max_history_tokens: int = Field(default=8000, ge=500)
    max_tokens_per_call: int = Field(default=0, ge=0)
    max_money_per_call: float = Field(default=0.0, ge=0.0)


class ConsentModel(StrictModel):
    """A question before the model has the call; plain text is short for ``prompt``."""

    prompt: str = Field(min_length=1)
    refused: Literal["continue", "goodbye"] = "continue"
    """What a no means: go on without a recording, or end the call."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"prompt": value} if isinstance(value, str) else value


class LanguageModel(StrictModel):
    """Another language in which the agent may go on."""

    voice: str = ""
    texts: TextsModel | None = None
    """Default: those of the agent, whatever language they are in."""
    hints: tuple[str, ...] = ()
    ladder: LadderModel | None = None
    """The way down for callers who speak it, with a menu and a person of its own, and without the script. Default:
    the agent's own, in the agent's own language."""


class LlmAgentFile(StrictModel):
    """``models`` are names from the configuration, best first; ``fallback`` is a script for when none answers.

    ``hints`` are sentences that callers may say, for recognisers that take phrases. ``lexicon`` is a file of
    pronunciations beside this one.
    """

    kind: Literal["llm"]
    name: str
    language: str = "en-US"
    voice: str = ""
    languages: dict[str, LanguageModel] = Field(default_factory=dict)
    """Further ones, by BCP 47 tag; a caller may change to them in the middle of the call."""
    lexicon: str = ""
    models: tuple[str, ...] = Field(min_length=1)
    instructions: str = Field(min_length=1)
    greeting: str = Field(min_length=1)
    texts: TextsModel = TextsModel()
    limits: LimitsModel = LimitsModel()
    tools: tuple[ToolConfig, ...] = ()
    hints: tuple[str, ...] = ()
    disclosure: str = ""
    """Said first, word for word, and not to be talked over: that no person speaks here."""
    consent: ConsentModel | None = None
    """Asked next: may the call be recorded?"""
    recording: Literal["always", "after_consent", "never"] | None = None
    """Default: always, or after_consent where consent is asked for."""
    fallback: str = ""
    ladder: LadderModel = LadderModel()
