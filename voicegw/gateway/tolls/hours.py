"""Hours of the week as one line of text: ``mon-fri 08:00-18:00``."""

from __future__ import annotations

import re
from typing import Final

from voicegw.dialplan.compile import Window, find_zone
from voicegw.dialplan.model import WEEKDAYS

_LINE: Final = re.compile(r"(?P<days>[a-z]{3}(?:[-,][a-z]{3})*)\s+(?P<from>\d\d?:\d\d)\s*-\s*(?P<to>\d\d?:\d\d)")
_DAY_MINUTES: Final = 24 * 60


def read_hours(text: str, zone: str) -> Window:
    """The window of a line; one that ends before it begins runs over midnight. Raises ValueError."""
    found = _LINE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no hours")
    days = frozenset(day for part in found["days"].split(",") for day in _days(part, text))
    start, end = _minutes(found["from"], text), _minutes(found["to"], text)
    return Window(days, start, end, (), find_zone(zone), f"{text.strip()} {zone}")


def _days(part: str, text: str) -> list[int]:
    known: tuple[str, ...] = WEEKDAYS
    first, dash, last = part.partition("-")
    if first not in known or (dash and last not in known):
        raise ValueError(f"{text!r} names no day of the week")
    start = known.index(first)
    span = (known.index(last) - start) % 7 if dash else 0
    return [(start + offset) % 7 for offset in range(span + 1)]


def _minutes(clock: str, text: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    if minutes > 59 or hours * 60 + minutes > _DAY_MINUTES:
        raise ValueError(f"{text!r} has no time of day")
    return hours * 60 + minutes
