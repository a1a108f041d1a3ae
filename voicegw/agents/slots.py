"""From the kind of answer that a file names to the slot that understands it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time

from voicegw.agents.entities.choice import ChoiceSlot
from voicegw.agents.entities.dates import DateSlot
from voicegw.agents.entities.digits import DigitsSlot
from voicegw.agents.entities.numbers import NumberSlot
from voicegw.agents.entities.slot import Slot
from voicegw.agents.entities.text import TextSlot
from voicegw.agents.entities.times import TimeSlot
from voicegw.agents.entities.yes_no import YesNoSlot
from voicegw.agents.flow_fields import SlotModel
from voicegw.agents.flow_model import AskStep

_BELONGS = {
    "length": "digits",
    "min_length": "digits",
    "max_length": "digits",
    "minimum": "number",
    "maximum": "number",
    "decimals": "number",
    "earliest": "time",
    "latest": "time",
    "past": "date",
    "options": "choice",
    "examples": "text",
}


def slot_problems(ask: SlotModel) -> Iterator[tuple[str, str, str]]:
    """What contradicts itself: key, message and fix."""
    for key, owner in _BELONGS.items():
        if getattr(ask, key) is not None and ask.type != owner:
            yield key, f"'{key}' belongs to type {owner}, not {ask.type}", f"remove it, or use type: {owner}"
    if isinstance(ask, AskStep) and ask.corrects and ask.type != "yes_no":
        yield "corrects", f"'corrects' belongs to type yes_no, not {ask.type}", "remove it"
    if ask.type == "choice" and not ask.options:
        yield "type", "a choice needs 'options'", "add options: {red: [red, crimson], blue: [blue]}"
    low, high = _lengths(ask)
    if low > high or (ask.length and (ask.min_length or ask.max_length)):
        yield "type", f"the lengths {low} to {high} contradict each other", "give 'length', or both bounds in order"
    if ask.minimum is not None and ask.maximum is not None and ask.minimum > ask.maximum:
        yield "minimum", "'minimum' is above 'maximum'", "exchange them"
    if _earliest(ask) > _latest(ask):
        yield "earliest", "'earliest' is after 'latest'", "exchange them"


def build_slot(ask: SlotModel) -> Slot:
    """The slot of a model that has no :func:`slot_problems`."""
    if ask.type == "digits":
        return DigitsSlot(*_lengths(ask))
    if ask.type == "number":
        return NumberSlot(ask.minimum, ask.maximum, not ask.decimals)
    if ask.type == "date":
        return DateSlot(past=bool(ask.past))
    if ask.type == "time":
        return TimeSlot(_earliest(ask), _latest(ask))
    if ask.type == "choice":
        return ChoiceSlot(ask.options or {})
    return YesNoSlot() if ask.type == "yes_no" else TextSlot(ask.examples or ())


def _lengths(ask: SlotModel) -> tuple[int, int]:
    return ask.length or ask.min_length or 1, ask.length or ask.max_length or 20


def _earliest(ask: SlotModel) -> time:
    return time.fromisoformat(ask.earliest) if ask.earliest else TimeSlot().earliest


def _latest(ask: SlotModel) -> time:
    return time.fromisoformat(ask.latest) if ask.latest else TimeSlot().latest
