"""The section ``tolls``: whom calls of ours may reach by trunks, when, how often, and for how much.

That a trunk carries a number at all is said by its own ``carries``; this is what holds besides, for every trunk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.errors import ConfigError
from voicegw.dialplan.compile import Window, find_zone
from voicegw.gateway.tolls.hours import read_hours
from voicegw.gateway.tolls.places import KINDS, is_region

EACH: Final = ("", "trunk", "agent", "user", "key", "caller", "country", "number")
WHEN_SPENT: Final = ("end", "finish")
_MOST: Final = 10_000
_PATTERN: Final = re.compile(r"\+?[0-9]+\*?|\*|\+\*")
_FIX_PATTERN: Final = "write +49* or +4930123456"


@dataclass(frozen=True, slots=True)
class TollRule:
    """One rule. It is for calls that fit every list of its first part; an empty list fits all. 0 is no limit."""

    name: str
    """What answers, records and metrics call it."""
    trunks: tuple[str, ...] = ()
    """Calls by these trunks."""
    agents: tuple[str, ...] = ()
    """Calls and transfers of these agents."""
    users: tuple[str, ...] = ()
    """Calls that these users of the API ordered, and legs of theirs as supervisors."""
    keys: tuple[str, ...] = ()
    """Calls ordered with these API keys, by their id."""
    numbers: tuple[str, ...] = ()
    """Calls to these numbers: patterns such as +1*."""

    allowed: tuple[str, ...] = ()
    """Nothing but these numbers may be called; patterns."""
    denied: tuple[str, ...] = ()
    """These may not; patterns."""
    countries: tuple[str, ...] = ()
    """Nothing but these countries, as in ISO 3166-1: DE, AT. A number of no country is in none of them."""
    denied_countries: tuple[str, ...] = ()
    """These may not be called."""
    denied_kinds: tuple[str, ...] = ()
    """Kinds of numbers that may not be called, as ``tolls.denied_kinds``."""
    hours: tuple[str, ...] = ()
    """Only then: ``mon-fri 08:00-18:00``, in the time zone of ``tolls``."""

    each: str = ""
    """Whose calls are counted apart: trunk, agent, user, key, caller (who called us), country or number; empty:
    all together."""
    calls_per_minute: int = 0
    """In any 60 s."""
    calls_per_hour: int = 0
    """In any 3,600 s."""
    calls_at_once: int = 0
    """Ringing ones count. Over all nodes of a cluster."""
    new_numbers_per_hour: int = 0
    """Numbers that were not called lately: a burst of them is how fraud begins."""
    max_call_s: int = 0
    """The longest call from its answer on, in seconds."""
    spend_per_day: float = 0.0
    """By ``tolls.prices``, from midnight to midnight in the time zone of ``tolls``; over all nodes that share a
    store."""
    spend_per_month: float = 0.0
    """The same for a calendar month."""
    when_spent: str = "end"
    """What becomes of running calls then: end (with an announcement where an agent talks) or finish. New ones are
    refused."""

    def __post_init__(self) -> None:
        where = f"the rule {self.name!r} of tolls"
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", self.name):
            raise ConfigError(f"{where} has no name that can be one", fix="letters, digits, '-', '_' and '.'")
        for name in ("numbers", "allowed", "denied"):
            check_patterns(f"{where}: {name}", getattr(self, name))
        for region in (*self.countries, *self.denied_countries):
            if not is_region(region):
                raise ConfigError(f"{where}: there is no country {region!r}", fix="two letters: DE, GB, US")
        check_kinds(where, self.denied_kinds)
        if self.each not in EACH:
            raise ConfigError(f"{where}: each cannot be {self.each!r}", fix=f"one of: {', '.join(EACH[1:])}")
        if self.when_spent not in WHEN_SPENT:
            raise ConfigError(f"{where}: when_spent cannot be {self.when_spent!r}", fix="take end or finish")
        for name in ("calls_per_minute", "calls_per_hour", "calls_at_once", "new_numbers_per_hour"):
            if not 0 <= getattr(self, name) <= _MOST:
                raise ConfigError(f"{where}: {name} is out of range", fix=f"from 1 to {_MOST}, or 0 for no limit")
        for name in ("max_call_s", "spend_per_day", "spend_per_month"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{where}: {name} is less than 0", fix="leave it out for no limit")
        for hours in self.hours:
            try:
                read_hours(hours, "UTC")
            except ValueError as error:
                raise ConfigError(f"{where}: {error}", fix="write mon-fri 08:00-18:00") from None

    @property
    def has_budget(self) -> bool:
        """Whether money is counted for it."""
        return bool(self.spend_per_day or self.spend_per_month)

    @property
    def needs_countries(self) -> bool:
        """Whether the plan of numbers is needed to decide by it."""
        return bool(self.countries or self.denied_countries or self.denied_kinds) or self.each == "country"


@dataclass(frozen=True, slots=True)
class TollConfig:
    """For calls by trunks; what is dialled within the house is nobody's toll."""

    denied_kinds: tuple[str, ...] = ("premium_rate", "satellite", "international_network")
    """Kinds of numbers that nobody may call by any trunk: premium_rate, shared_cost, satellite (+870, +881),
    international_network (+878, +882, +883, +888: no country's), personal_number, pager, uan, voicemail, voip,
    mobile, fixed_line, fixed_line_or_mobile, toll_free, unknown (in no plan of numbers)."""
    home: str = ""
    """The country, as DE, of numbers that are dialled without a country code; empty: those have no country and no
    kind."""
    time_zone: str = "UTC"
    """IANA name, of hours, days and months."""
    currency: str = "EUR"
    """For people; nothing is converted."""
    prices: dict[str, float] = field(default_factory=dict)
    """Of a minute, by patterns of numbers; the longest match counts: ``"+49*": 0.01``."""
    other_price: float = 0.0
    """Of a minute to a number that is in no pattern."""
    increment_s: int = 60
    """A call is paid for in whole pieces of so many seconds, from its answer on."""
    rules: tuple[TollRule, ...] = ()
    """All that are for a call have to agree with it."""

    def __post_init__(self) -> None:
        check_kinds("tolls", self.denied_kinds)
        if self.home and not is_region(self.home):
            raise ConfigError(f"tolls.home: there is no country {self.home!r}", fix="two letters: DE, GB, US")
        try:
            find_zone(self.time_zone)
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            raise ConfigError(f"tolls.time_zone: {message}", fix=fix) from None
        check_patterns("tolls.prices", tuple(self.prices))
        if self.other_price < 0 or any(price < 0 for price in self.prices.values()):
            raise ConfigError("tolls: a price is less than 0", fix="leave it out where nothing is paid")
        if not 1 <= self.increment_s <= 3600:
            raise ConfigError(f"tolls.increment_s is {self.increment_s}", fix="take 60, or from 1 to 3600")
        names = [rule.name for rule in self.rules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigError(f"tolls has two rules {sorted(twice)[0]!r}", fix="a name for each")
        costly = next((rule for rule in self.rules if rule.has_budget), None)
        if costly is not None and not (self.prices or self.other_price):
            raise ConfigError(
                f"the rule {costly.name!r} of tolls limits what is spent, and nothing has a price",
                fix='add prices: {"+49*": 0.01}, or other_price',
            )

    @property
    def has_budgets(self) -> bool:
        """Whether money is counted."""
        return any(rule.has_budget for rule in self.rules)

    def windows(self, rule: TollRule) -> tuple[Window, ...]:
        """The hours of a rule, ready to be asked."""
        return tuple(read_hours(hours, self.time_zone) for hours in rule.hours)


def check_patterns(where: str, patterns: tuple[str, ...]) -> None:
    """Raises ConfigError for what is no pattern of numbers."""
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ConfigError(f"{where}: {pattern!r} is no number and no pattern of numbers", fix=_FIX_PATTERN)


def check_kinds(where: str, kinds: tuple[str, ...]) -> None:
    """Raises ConfigError for an unknown kind of numbers."""
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"{where}: there is no kind of numbers {kind!r}", fix=f"one of: {', '.join(KINDS)}")
