"""What every typed slot can do, and the values that slots make."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Protocol, TypeAlias


class Digits(str):
    """Digits that name something (an account, a postcode): never read out as a number."""

    __slots__ = ()


Value: TypeAlias = bool | int | Decimal | date | time | Digits | str
"""What a slot can hold. :class:`bool` before :class:`int`: True is not 1 to a caller."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A value found in a text. ``certain``: nothing of the text is left that could mean something else."""

    value: Value
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Keypad:
    """How the slot is keyed in. ``hint`` completes "please …"; ``max_digits`` 0: it cannot be."""

    max_digits: int
    hint: str


class Slot(Protocol):
    """A kind of answer. Pure: ``now`` is handed in wherever an answer is relative to it."""

    @property
    def patient(self) -> bool:
        """Whether callers dictate it with pauses inside."""
        ...

    @property
    def keypad(self) -> Keypad:
        """How it is keyed in."""
        ...

    def parse(self, text: str, now: datetime, /) -> Parsed | None:
        """The value in what the caller said; None if there is none. Never raises."""
        ...

    def parse_keys(self, keys: str, now: datetime, /) -> Value | None:
        """The value of keys pressed; None if they make none. Never raises."""
        ...

    def spoken(self, value: Value) -> str:
        """How the agent reads the value back."""
        ...

    def phrases(self) -> tuple[str, ...]:
        """A representative sample of how callers say it, for the recogniser's language model."""
        ...

    def is_complete(self, partial: str, /) -> bool:
        """Whether ``partial`` is a whole answer to which nothing is usually added."""
        ...


def spoken_digits(digits: str) -> str:
    """Digits one by one, in groups of three with a pause between: ``4 2 7, 1 9 6``."""
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return ", ".join(" ".join(group) for group in groups)
