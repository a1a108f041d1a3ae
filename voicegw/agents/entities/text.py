"""Free text: whatever the caller says is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from voicegw.agents.entities.slot import Keypad, Parsed, Value

_KEYPAD = Keypad(0, "hold the line, and try again in a moment")


@dataclass(frozen=True, slots=True)
class TextSlot:
    """Anything said. ``examples`` help the recogniser, which knows only words that it was told of."""

    examples: tuple[str, ...] = ()
    patient: bool = True
    keypad: Keypad = _KEYPAD

    def parse(self, text: str, _now: datetime, /) -> Parsed | None:
        """See :class:`Slot`."""
        stripped = " ".join(text.split())
        return Parsed(stripped) if stripped else None

    def parse_keys(self, _keys: str, _now: datetime, /) -> Value | None:
        """Keys are no text."""
        return None

    def spoken(self, value: Value) -> str:
        """As it was said."""
        return str(value)

    def phrases(self) -> tuple[str, ...]:
        """The examples."""
        return self.examples

    def is_complete(self, _partial: str, /) -> bool:
        """Never: there may always be more."""
        return False
