"""Texts with holes: ``Your order {{ order | digits }} costs {{ total | money:EUR }}.``

A hole names a variable and filters, nothing more: no calls, no attributes, no code. A text is parsed once, when the
file is read, so that a mistake in it is found then and rendering cannot fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote

from voicegw.agents.entities.dates import spoken_date
from voicegw.agents.entities.numbers import spoken_number
from voicegw.agents.entities.slot import Digits, Value, spoken_digits
from voicegw.agents.entities.times import spoken_time
from voicegw.agents.speakable import CURRENCIES, spoken_money
from voicegw.dialplan.checked import did_you_mean

Variable: TypeAlias = Value | tuple[Value, ...] | None
Variables: TypeAlias = Mapping[str, Variable]

_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TemplateError(ValueError):
    """The text is not a template; says what is wrong and, after ``fix:``, what to write."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One step after a bar; ``argument`` only for money: the currency."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """One ``{{ name | filter }}``."""

    name: str
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text."""

    source: str
    parts: tuple[str | Hole, ...]

    @property
    def names(self) -> frozenset[str]:
        """All variables it reads."""
        return frozenset(part.name for part in self.parts if isinstance(part, Hole))

    def spoken(self, variables: Variables, language: str = "en-US") -> str:
        """For the caller's ear: dates, times and digits as words; what is not known is left out.

        Days and times have words in English only; in another language they stay in figures, which its own reading
        makes into words (:mod:`voicegw.agents.speakable`).
        """
        show = spoken if language.lower().startswith("en") else _in_figures
        return " ".join(self._fill(variables, show).split())

    def plain(self, variables: Variables) -> str:
        """For machines: ISO 8601 dates and times, numbers in figures."""
        return self._fill(variables, plain)

    def url(self, variables: Variables) -> str:
        """Plain, and every value percent-encoded, so that it cannot change the address around it.

        A hole at the very beginning is the configured base address and stays as it is.
        """
        first = self.parts[0] if self.parts else ""
        if not isinstance(first, Hole):
            return self._fill(variables, _quoted)
        rest = Template(self.source, self.parts[1:])
        return Template(self.source, (first,))._fill(variables, plain) + rest._fill(variables, _quoted)

    def value(self, variables: Variables) -> Variable:
        """The value itself, type and all, if the text is one bare hole; else the plain text."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Hole) and not self.parts[0].filters:
            return variables.get(self.parts[0].name)
        return self.plain(variables)

    def _fill(self, variables: Variables, show: Callable[[Variable], str]) -> str:
        return "".join(part if isinstance(part, str) else _render(part, variables, show) for part in self.parts)


def parse_template(source: str) -> Template:
    """Parse; raises :class:`TemplateError`."""
    parts: list[str | Hole] = []
    position = 0
    for match in _HOLE.finditer(source):
        parts += _literal(source[position : match.start()])
        parts.append(_hole(match[1]))
        position = match.end()
    parts += _literal(source[position:])
    return Template(source, tuple(parts))


def _literal(text: str) -> list[str | Hole]:
    for mark in ("{{", "}}", "{%", "%}"):
        if mark in text:
            raise TemplateError(f"'{mark}' without its counterpart\nfix: write {{{{ name }}}}, both ends doubled")
    return [text] if text else []


def _hole(text: str) -> Hole:
    name, *filters = (part.strip() for part in text.split("|"))
    if not _NAME.fullmatch(name):
        raise TemplateError(f"'{name}' is not a variable name\nfix: letters, digits and _ only")
    return Hole(name, tuple(_filter(item) for item in filters))


def _filter(text: str) -> Filter:
    name, _, argument = (part.strip() for part in text.partition(":"))
    if name not in FILTERS:
        raise TemplateError(f"there is no filter '{name}'\nfix: {did_you_mean(name, FILTERS)}")
    if argument and (name != "money" or argument not in CURRENCIES):
        raise TemplateError(f"'{argument}' cannot follow {name}:\nfix: {did_you_mean(argument, CURRENCIES)}")
    return Filter(name, argument)


def _render(hole: Hole, variables: Variables, show: Callable[[Variable], str]) -> str:
    value = variables.get(hole.name)
    for item in hole.filters:
        value = FILTERS[item.name](value, item.argument)
    return show(value)


def spoken(value: Variable) -> str:
    """Any value as words for the caller."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        words = [spoken(item) for item in value]
        return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Digits):
        return spoken_digits(value)
    if isinstance(value, date):
        return spoken_date(value)
    return spoken_time(value) if isinstance(value, time) else str(value)


def _in_figures(value: Variable) -> str:
    """As :func:`spoken`, with nothing in English."""
    if isinstance(value, tuple):
        return ", ".join(_in_figures(item) for item in value)
    return spoken(value) if isinstance(value, Digits) else plain(value)


def plain(value: Variable) -> str:
    """Any value as text for machines."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(plain(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, time):
        return value.isoformat("minutes")
    return value.isoformat() if isinstance(value, date) else str(value)


def _quoted(value: Variable) -> str:
    return quote(plain(value), safe="")


def _as_date(value: Variable, _argument: str) -> Variable:
    try:
        return value if isinstance(value, date) else date.fromisoformat(plain(value)[:10])
    except ValueError:
        return value


def _as_time(value: Variable, _argument: str) -> Variable:
    text = plain(value)
    try:
        return value if isinstance(value, time) else time.fromisoformat(text.partition("T")[2] or text)
    except ValueError:
        return value


def _digits(value: Variable, _argument: str) -> Variable:
    text = plain(value)
    return Digits(text) if text.isascii() and text.isdigit() else _spell(value, "")


def _money(value: Variable, argument: str) -> Variable:
    return spoken_money(plain(value), argument or "USD")


def _number(value: Variable, _argument: str) -> Variable:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", value, re.ASCII):
        value = Decimal(value)
    return spoken_number(value) if isinstance(value, int | Decimal) else value


def _spell(value: Variable, _argument: str) -> Variable:
    return " ".join(plain(value).replace(" ", "").upper())


FILTERS: dict[str, Callable[[Variable, str], Variable]] = {
    "date": _as_date,
    "digits": _digits,
    "money": _money,
    "number": _number,
    "spell": _spell,
    "time": _as_time,
}
