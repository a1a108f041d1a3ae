"""One of a few options, each with the words callers use for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from voicegw.agents.entities.slot import Keypad, Parsed, Value
from voicegw.agents.entities.words import numeral, ordinal_numeral, tokens, without_fillers
from voicegw.agents.intents import IntentMatcher

_LEADS = ("", "the {}", "{} please", "i'd like {}", "i want {}", "i said {}")


class ChoiceSlot:
    """``options``: value → what callers say for it (the value itself is always understood)."""

    __slots__ = ("_matcher", "_options", "keypad", "patient")

    def __init__(self, options: Mapping[str, tuple[str, ...]]) -> None:
        self._options = {name: (name.replace("_", " "), *words) for name, words in options.items()}
        self._matcher = IntentMatcher(self._options)
        self.patient = False
        names = tuple(self._options)
        keys = [f"press {i} for {self.spoken(name)}" for i, name in enumerate(names[:9], 1)]
        self.keypad = Keypad(1, ", or ".join([", ".join(keys[:-1]), keys[-1]]) if len(keys) > 1 else keys[0])

    def parse(self, text: str, _now: datetime, /) -> Parsed | None:
        """See :class:`~voicegw.agents.entities.slot.Slot`; "the second one" counts too."""
        if found := self._matcher.match(text):
            return Parsed(found.name, certain=found.score >= 0.8)
        words = [word for word in without_fillers(tokens(text)) if word not in ("option", "number")]
        if len(words) > 1 and words[-1] == "one":
            del words[-1]
        position = ordinal_numeral(words, 0) or numeral(words, 0)
        if position and position[1] == len(words):
            return self._at(position[0])
        return None

    def _at(self, number: int) -> Parsed | None:
        names = tuple(self._options)
        return Parsed(names[number - 1], certain=False) if 1 <= number <= len(names) else None

    def parse_keys(self, keys: str, _now: datetime, /) -> Value | None:
        """The number of the option."""
        found = self._at(int(keys)) if keys.isascii() and keys.isdigit() else None
        return found.value if found else None

    def spoken(self, value: Value) -> str:
        """The first wording of the option."""
        return str(value).replace("_", " ")

    def phrases(self) -> tuple[str, ...]:
        """All wordings, alone and led in."""
        wordings = [" ".join(tokens(word)) for words in self._options.values() for word in words]
        return tuple(dict.fromkeys(lead.format(word) if lead else word for word in wordings for lead in _LEADS))

    def is_complete(self, partial: str, /) -> bool:
        """Exactly one of the wordings."""
        said = " ".join(without_fillers(tokens(partial)))
        return any(said == " ".join(tokens(word)) for words in self._options.values() for word in words)
