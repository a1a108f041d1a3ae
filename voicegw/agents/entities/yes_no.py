"""Agreement and refusal, in the many ways they are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from voicegw.agents.entities.slot import Keypad, Parsed, Value
from voicegw.agents.entities.words import tokens

YES = (
    "yes",
    "yes please",
    "yeah",
    "yep",
    "yup",
    "yes it is",
    "yes that's right",
    "yes that is right",
    "yes that's correct",
    "that's right",
    "that is right",
    "that's correct",
    "that is correct",
    "correct",
    "right",
    "sure",
    "okay",
    "ok",
    "of course",
    "absolutely",
    "exactly",
    "certainly",
    "definitely",
    "fine",
    "that's fine",
    "sounds good",
    "perfect",
    "great",
    "go ahead",
    "please do",
    "i do",
    "i would",
    "yes i do",
    "yes i would",
    "it is",
    "indeed",
)
NO = (
    "no",
    "no thanks",
    "no thank you",
    "nope",
    "nah",
    "no it isn't",
    "no it's not",
    "no that's wrong",
    "no that's not right",
    "that's wrong",
    "that is wrong",
    "that's not right",
    "that is not right",
    "that's not correct",
    "not right",
    "not correct",
    "wrong",
    "incorrect",
    "not really",
    "not at all",
    "i don't",
    "i do not",
    "i don't think so",
    "no i don't",
    "never",
    "negative",
)
COMMON = (
    *("yes", "yes please", "yeah", "yep", "yes it is", "yes that's right", "yes that is right"),
    *("yes that's correct", "that's right", "that is right", "that's correct", "correct", "right", "sure", "okay"),
    *("no", "no thanks", "no thank you", "nope", "no it isn't", "no it's not", "no that's wrong"),
    *("no that's not right", "that's wrong", "that's not right", "wrong", "not really"),
)
"""What the recogniser is told to expect. A rare word in a small model ("negative", "indeed") attracts short
answers that were something else, so the rare ones are understood but not expected."""

_YES_WORDS = frozenset(
    [
        *["yes", "yeah", "yep", "yup", "yet", "yea", "ya", "yah", "aye", "correct", "right", "sure", "okay", "ok"],
        *["absolutely", "exactly", "certainly", "definitely", "fine", "perfect", "great", "indeed", "affirmative"],
    ]
)
_NO_WORDS = frozenset(["no", "nope", "nah", "know", "wrong", "incorrect", "never", "negative", "noh"])
_NEGATIONS = frozenset(
    ["not", "isn't", "don't", "doesn't", "wasn't", "wouldn't", "won't", "can't", "cannot", "never"]
)
_YES_PHRASES = tuple(tuple(phrase.split()) for phrase in YES if " " in phrase)
_NO_PHRASES = tuple(tuple(phrase.split()) for phrase in NO if " " in phrase)
_KEYPAD = Keypad(1, "press 1 for yes, or 2 for no")


@dataclass(frozen=True, slots=True)
class YesNoSlot:
    """True for yes."""

    patient: bool = False
    keypad: Keypad = _KEYPAD

    def parse(self, text: str, _now: datetime, /) -> Parsed | None:
        """See :class:`Slot`. Certain if the answer is nothing but a yes or a no."""
        words = tokens(text)
        verdict = _verdict(words)
        if verdict is None:
            return None
        certain = " ".join(words) in (YES if verdict else NO) or len(words) == 1
        return Parsed(verdict, certain)

    def parse_keys(self, keys: str, _now: datetime, /) -> Value | None:
        """See :class:`Slot`."""
        return {"1": True, "2": False}.get(keys)

    def spoken(self, value: Value) -> str:
        """ "yes" or "no"."""
        return "yes" if value else "no"

    def phrases(self) -> tuple[str, ...]:
        """The common ones only."""
        return COMMON

    def is_complete(self, partial: str) -> bool:
        """A whole phrase."""
        return " ".join(tokens(partial)) in (*YES, *NO)


def _verdict(words: Sequence[str]) -> bool | None:
    """Whole phrases first, then the first word that decides; a negation turns a later yes into a no."""
    if _has(words, _NO_PHRASES):
        return False
    negated = bool(_NEGATIONS & set(words))
    for word in words:
        if word in _NO_WORDS:
            return False
        if word in ("yes", "yeah", "yep", "yup"):
            return True
        if word in _YES_WORDS:
            return not negated
    if _has(words, _YES_PHRASES):
        return not negated
    return None


def _has(words: Sequence[str], phrases: Sequence[tuple[str, ...]]) -> bool:
    joined = f" {' '.join(words)} "
    return any(f" {' '.join(phrase)} " in joined for phrase in phrases)
