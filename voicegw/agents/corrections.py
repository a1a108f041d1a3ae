"""What a "no" changes: "no, wednesday", "no, at four", "the account number is wrong"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from voicegw.agents.entities.dates import DateSlot
from voicegw.agents.entities.digits import DigitsSlot
from voicegw.agents.entities.numbers import NumberSlot
from voicegw.agents.entities.slot import Slot, Value
from voicegw.agents.entities.text import TextSlot
from voicegw.agents.entities.times import TimeSlot
from voicegw.agents.entities.words import tokens
from voicegw.agents.similarity import word_similarity

_CLOCK_WORDS = frozenset(
    [
        *["at", "o'clock", "am", "pm", "half", "quarter", "past", "noon", "midday", "midnight"],
        *["morning", "afternoon", "evening"],
    ]
)
_SYNONYMS = {
    DateSlot: ("day", "date"),
    TimeSlot: ("time", "hour"),
    DigitsSlot: ("number", "digits"),
}


def find_corrections(text: str, slots: Mapping[str, Slot], now: datetime) -> dict[str, Value]:
    """The variables that the answer gives a value for.

    A dictated number is full of words that could be times, and a date has numbers in it; so digits go first, a
    time beside anything else must be called one ("at four", "half past"), and a plain number goes last.
    """
    found = {
        name: parsed.value
        for name, slot in slots.items()
        if not isinstance(slot, TextSlot) and (parsed := slot.parse(text, now)) is not None
    }
    if dictated := _of_type(found, slots, DigitsSlot):
        return dictated
    others = len(found) > len(_of_type(found, slots, TimeSlot))
    if others and not _CLOCK_WORDS & set(tokens(text)):
        found = {name: value for name, value in found.items() if not isinstance(slots[name], TimeSlot)}
    if len(found) > len(_of_type(found, slots, NumberSlot)):
        found = {name: value for name, value in found.items() if not isinstance(slots[name], NumberSlot)}
    return found


def _of_type(found: Mapping[str, Value], slots: Mapping[str, Slot], kind: type) -> dict[str, Value]:
    return {name: value for name, value in found.items() if isinstance(slots[name], kind)}


def named_variable(text: str, slots: Mapping[str, Slot]) -> str | None:
    """The one variable that the caller names without giving a value: "the day is wrong"."""
    words = tokens(text)
    named = [name for name, slot in slots.items() if _names(words, name, slot)]
    return named[0] if len(named) == 1 else None


def _names(words: list[str], variable: str, slot: Slot) -> bool:
    labels = (*variable.lower().split("_"), *_SYNONYMS.get(type(slot), ()))
    return any(word_similarity(word, label) > 0.9 for word in words for label in labels)
