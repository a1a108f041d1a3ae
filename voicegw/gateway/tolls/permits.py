"""What may be called at all, whatever was called before: numbers, countries, kinds, hours."""

from __future__ import annotations

from typing import Final

from voicegw.dialplan.compile import Window
from voicegw.gateway.tolls.calls import Barred, Moment, TollCall
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.gateway.tolls.places import NOWHERE, Place, place_of, with_country_code
from voicegw.gateway.trunk_numbers import longest_match

_LONGEST: Final = 64
"""Characters; a caller may write thousands."""


class Permit:
    """One rule, made ready."""

    def __init__(self, rule: TollRule, windows: tuple[Window, ...]) -> None:
        self.rule = rule
        self._windows = windows

    def fits(self, call: TollCall, number: str) -> bool:
        """Whether the rule is for this call; ``number`` is its number in E.164."""
        rule, payer = self.rule, call.payer
        return (
            (not rule.trunks or call.trunk in rule.trunks)
            and (not rule.agents or payer.agent in rule.agents)
            and (not rule.users or payer.user in rule.users)
            and (not rule.keys or payer.key in rule.keys)
            and (not rule.numbers or _named(rule.numbers, call.number, number))
        )

    def judge(self, call: TollCall, number: str, place: Place, moment: Moment) -> Barred | None:
        """Why it may not be called, None where it may."""
        rule = self.rule
        if rule.allowed and not _named(rule.allowed, call.number, number):
            return self._barred("allowed", f"{number} is none of the numbers that may be called")
        if _named(rule.denied, call.number, number):
            return self._barred("denied", f"{number} may not be called")
        if rule.countries and place.country not in rule.countries:
            return self._barred("countries", f"{number} is in {place.country or 'no country that is known'}")
        if place.country and place.country in rule.denied_countries:
            return self._barred("denied_countries", f"{number} is in {place.country}")
        if place.kind and place.kind in rule.denied_kinds:
            return self._barred("denied_kinds", f"{number} is of the kind {place.kind}")
        if self._windows and not any(window.open_at(moment.at) for window in self._windows):
            shown = " or ".join(window.text for window in self._windows)
            return self._barred("hours", f"such calls are made {shown} only")
        return None

    def key(self, call: TollCall, number: str, place: Place) -> str:
        """Whose call it is, among those that the rule counts apart: as much of it as every store takes as a key."""
        whose = self._whose(call, number, place)[:_LONGEST]
        return whose if whose.isprintable() else "".join(filter(str.isprintable, whose))

    def _whose(self, call: TollCall, number: str, place: Place) -> str:
        payer = call.payer
        match self.rule.each:
            case "trunk":
                return call.trunk
            case "agent":
                return payer.agent
            case "user":
                return payer.user
            case "key":
                return payer.key
            case "caller":
                return payer.caller
            case "country":
                return place.country
            case "number":
                return number
            case _:
                return ""

    def _barred(self, limit: str, why: str) -> Barred:
        return Barred(self.rule.name, limit, why, f"change {limit!r} of the rule {self.rule.name!r} in tolls.rules")


class Permits:
    """All rules of a configuration."""

    def __init__(self, config: TollConfig) -> None:
        self.config = config
        self.rules = tuple(Permit(rule, config.windows(rule)) for rule in config.rules)
        self._looks = bool(config.denied_kinds) or any(rule.needs_countries for rule in config.rules)

    def number_of(self, call: TollCall) -> str:
        """In E.164 where that can be had."""
        return with_country_code(call.number, self.config.home)

    def place_of(self, number: str) -> Place:
        """Of a number in E.164; nowhere where no rule asks for it."""
        return place_of(number, self.config.home) if self._looks else NOWHERE

    def judge_kind(self, number: str, place: Place) -> Barred | None:
        """What holds for every call."""
        if not place.kind or place.kind not in self.config.denied_kinds:
            return None
        why = f"{number} is of the kind {place.kind}, which nobody may call"
        return Barred("", "denied_kinds", why, f"take {place.kind} out of tolls.denied_kinds")

    def price_of(self, call: TollCall, number: str) -> float:
        """Of a minute; ``number`` is that of the call in E.164."""
        prices = self.config.prices
        best, price = -1, self.config.other_price
        for pattern, amount in prices.items():
            fit = max(longest_match((pattern,), form) for form in (number, call.number))
            if fit > best:
                best, price = fit, amount
        return price


def _named(patterns: tuple[str, ...], dialled: str, number: str) -> bool:
    return any(longest_match(patterns, form) >= 0 for form in (dialled, number))
