"""The settings of redaction: what is taken out of everything that is written down about a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import ConfigError
from voicegw.call.redaction import Redactor, check_patterns
from voicegw.dialplan.safe_regex import compile_safe

_NAME: Final = re.compile(r"[a-z][a-z0-9_ -]*")


@dataclass(frozen=True, slots=True)
class RedactionPattern:
    """Something that must not be written down."""

    name: str
    """What stands in its place, in brackets: ``[name]``."""
    regex: str
    """Found anywhere in a text; the same safe subset of Python's expressions as in the dialplan."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"'{self.name}' is no name of a pattern", fix="lower-case letters, digits, - and _")
        try:
            compile_safe(self.regex)
        except ValueError as error:
            raise ConfigError(f"the pattern '{self.name}': {error}") from None


@dataclass(frozen=True, slots=True)
class PrivacyConfig:
    """Redaction before storage. It cannot be undone: what is taken out was never written."""

    redact_cards: bool = True
    """Card numbers and the codes behind them, spoken, keyed or written."""
    patterns: tuple[RedactionPattern, ...] = ()
    """What else this house must not keep, such as account or patient numbers."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if problem := check_patterns(self._compiled()):
            raise ConfigError(problem, fix="make the pattern more exact")

    def redactor(self) -> Redactor:
        """The memory of one call."""
        return Redactor(self._compiled(), cards=self.redact_cards)

    def _compiled(self) -> dict[str, re.Pattern[str]]:
        return {pattern.name: compile_safe(pattern.regex) for pattern in self.patterns}
