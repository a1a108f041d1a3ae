"""What a language model filled in, held against the same kinds of answers that callers are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal, TypeAlias

from voicegw.agents.entities.numbers import NumberSlot
from voicegw.agents.entities.slot import Slot, Value
from voicegw.agents.flow_fields import SlotModel
from voicegw.agents.tools.canonical import Json

Kind: TypeAlias = Literal["yes_no", "digits", "number", "date", "time", "choice", "text"]

_HOW: Mapping[Kind, str] = {
    "yes_no": "true or false",
    "digits": "digits only",
    "number": "a number",
    "date": "YYYY-MM-DD",
    "time": "HH:MM, 24 hours",
    "choice": "one of the options",
    "text": "",
}
_JSON: Mapping[Kind, list[str]] = {"yes_no": ["boolean", "string"], "number": ["number", "string"]}


def value_schema(model: SlotModel, description: str) -> dict[str, object]:
    """JSON Schema of one value. Numbers and truth may come as text: small models write them so."""
    how = "; ".join(part for part in (description, _HOW[model.type]) if part)
    schema: dict[str, object] = {"type": [*_JSON.get(model.type, ["string"]), "null"], "description": how}
    if model.options:
        schema["enum"] = [*model.options, None]
    return schema


def checked_value(model: SlotModel, slot: Slot, given: Json, now: datetime) -> Value | None:
    """The value of a kind; None where nothing was given. Raises ValueError with what is wrong, for the model."""
    if given is None or given == "":
        return None
    value = _exact(model, slot, given, now)
    if value is None and isinstance(given, str):
        parsed = slot.parse(given, now)
        value = parsed.value if parsed else None
    if value is None:
        raise ValueError(f"{given!r} is not allowed here: {_HOW[model.type] or 'text'}{_bounds(model)}")
    return value


def _exact(model: SlotModel, slot: Slot, given: Json, now: datetime) -> Value | None:
    """As the schema asks for it; None for anything else, and for what is out of bounds."""
    if isinstance(given, bool):
        return given if model.type == "yes_no" else None
    if isinstance(given, int | float):
        return slot.fit(Decimal(str(given))) if isinstance(slot, NumberSlot) else None
    if not isinstance(given, str):
        return None
    match model.type:
        case "date":
            return _date(model, given, now.date())
        case "time":
            return _time(given)
        case "digits":
            return slot.parse_keys("".join(char for char in given if char not in " -./"), now)
        case "text":
            return given
        case "choice":
            return given if given in (model.options or {}) else None
        case _:
            return None


def _date(model: SlotModel, text: str, today: date) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    if day < today and not model.past:
        raise ValueError(f"{text} is over; today is {today.isoformat()}")
    return day


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        return None


def _bounds(model: SlotModel) -> str:
    bounds = {
        "at least": model.minimum,
        "at most": model.maximum,
        "digits exactly": model.length,
        "digits at least": model.min_length,
        "digits at most": model.max_length,
    }
    told = [f"{name} {bound}" for name, bound in bounds.items() if bound is not None]
    return f" ({', '.join(told)})" if told else ""
