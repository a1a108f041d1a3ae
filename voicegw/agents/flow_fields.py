"""What the models of a script are made of: texts, conditions, names and the kinds of answers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator

from voicegw.agents.expression import Expression, parse_expression
from voicegw.agents.template import Template, parse_template
from voicegw.dialplan.checked import StrictModel

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _text(value: object) -> Template:
    if isinstance(value, Template):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be text")
    return parse_template(str(value))


def _condition(value: object) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a condition\nfix: write for example status == 'open'")
    return parse_expression(str(value))


def _variable(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"'{value}' is not a variable name\nfix: letters, digits and _ only, no digit first")
    return value


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError(f"'{value}' is not a time of day\nfix: write it as 09:00")
    return value


def _phrase(value: str) -> str:
    if not any(char.isalnum() for char in value):
        raise ValueError("an empty phrase\nfix: write what a caller would say, or remove the line")
    return value


Text = Annotated[Template, PlainValidator(_text)]
Condition = Annotated[Expression, PlainValidator(_condition)]
VariableName = Annotated[str, AfterValidator(_variable)]
Clock = Annotated[str, AfterValidator(_clock)]
Phrase = Annotated[str, AfterValidator(_phrase)]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1)]
StepName: TypeAlias = str


class FlowModel(StrictModel):
    """Base: strict, and holds parsed texts."""

    model_config = ConfigDict(arbitrary_types_allowed=True)


class SlotModel(FlowModel):
    """A kind of answer, and its bounds."""

    type: Literal["yes_no", "digits", "number", "date", "time", "choice", "text"]
    length: int | None = Field(default=None, ge=1, le=40)
    """digits: exactly so many."""
    min_length: int | None = Field(default=None, ge=1, le=40)
    """digits: at least so many (1)."""
    max_length: int | None = Field(default=None, ge=1, le=40)
    """digits: at most so many (20)."""
    minimum: Decimal | None = None
    """number: the least that is taken."""
    maximum: Decimal | None = None
    """number: the most that is taken."""
    decimals: bool | None = None
    """number: whether a decimal point may be said (no)."""
    earliest: Clock | None = None
    """time: with ``latest``, the hours in which "three" is looked for (07:00)."""
    latest: Clock | None = None
    """time: (18:59)."""
    past: bool | None = None
    """date: whether a day that is over is taken (no)."""
    options: dict[str, tuple[Phrase, ...]] | None = None
    """choice: value → words that callers use for it."""
    examples: tuple[Phrase, ...] | None = None
    """text: what callers may say, for the recogniser."""
