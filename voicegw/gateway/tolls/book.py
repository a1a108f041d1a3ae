"""The rules at work: which call of ours may begin, and which one may not go on. Pure: no clock, no task.

Whoever places a call asks :meth:`TollBook.begin` with the leg that it is, tells when that is answered and over, and
asks :meth:`TollBook.look` every second or so while there are calls that cost money or may only last so long.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from voicegw.base.ids import LegId
from voicegw.gateway.tolls.calls import Barred, Moment, TollCall
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.gateway.tolls.ledger import Account, Ledger
from voicegw.gateway.tolls.permits import Permit, Permits
from voicegw.gateway.tolls.window import Known, Windows
from voicegw.ports.cluster import Line

MICROS: Final = 1_000_000
TOLL_LINE: Final = "toll/"
"""Before the rule and whose call it is, in the name of a line that all nodes share."""
_SPANS: Final = (("calls_per_minute", 60.0, "minute"), ("calls_per_hour", 3600.0, "hour"))
_LAST_WORDS_S: Final = 10.0
"""So long before the next increment a call is told to end that cannot pay for it."""
CUT_S: Final = 30
"""Whoever was told that a call is to end has so long to end it."""


@dataclass(frozen=True, slots=True)
class Overrun:
    """A running call that may not go on. ``ends``: it is to end; ``cut``: it should have, and is cut off now."""

    leg_id: LegId
    barred: Barred
    ends: bool
    cut: bool = False


@dataclass(slots=True)
class _Running:
    """A call of ours. ``keys``: whose it is, by each of its rules."""

    call: TollCall
    keys: list[tuple[Permit, str]]
    increment_s: int
    price: int
    """Of one increment, in millionths."""
    counted: set[tuple[str, str]]
    """The rules that have counted it, each by whose it is; those of its ways before this one, too."""
    answered: float | None = None
    paid: int = 0
    """Increments."""
    told: set[str] = field(default_factory=set)
    """The rules whose end of it was told."""
    cut: tuple[float, Barred] | None = None
    """When it is cut off, should it go on."""


class _Limits:
    """What one rule counts."""

    def __init__(self, rule: TollRule) -> None:
        self.windows = {
            name: Windows(getattr(rule, name), span_s) for name, span_s, _ in _SPANS if getattr(rule, name)
        }
        self.news = Windows(rule.new_numbers_per_hour, 3600.0) if rule.new_numbers_per_hour else None
        self.known = Known()


class TollBook:
    """``ledger`` outlives a change of the rules."""

    def __init__(self, config: TollConfig, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self._running: dict[LegId, _Running] = {}
        self._at_once: Counter[tuple[str, str]] = Counter()
        self._permits = Permits(config)
        self._limits = {rule.name: _Limits(rule) for rule in config.rules}

    def use(self, config: TollConfig) -> None:
        """Other rules from now on. A rule that is as it was goes on counting; running calls keep the prices and
        rules that they began with."""
        before = {permit.rule: self._limits[permit.rule.name] for permit in self._permits.rules}
        self._permits = Permits(config)
        self._limits = {rule.name: before.get(rule) or _Limits(rule) for rule in config.rules}

    @property
    def config(self) -> TollConfig:
        """The rules in force."""
        return self._permits.config

    @property
    def watches(self) -> bool:
        """Whether there is a call that :meth:`look` has to look at."""
        return any(one.answered is not None for one in self._running.values())

    # ---------------------------------------------------------------- before a call

    def judge(self, call: TollCall, moment: Moment) -> Barred | None:
        """Why a call may not be placed now, None where it may; nothing is counted."""
        return self._judge(call, moment, frozenset())

    def begin(self, leg_id: LegId, call: TollCall, moment: Moment) -> Barred | None:
        """Place a call if it may be. A leg that was begun goes another way, by another trunk or to somebody else:
        that is no other call to the rules that counted it, and it stays begun where the new way is barred."""
        before = self._running.get(leg_id)
        counted = frozenset(before.counted) if before is not None else frozenset()
        if (barred := self._judge(call, moment, counted)) is not None:
            return barred
        number = self._permits.number_of(call)
        keys = self._keys(call, number)
        self.ended(leg_id, moment)
        running = _Running(call, keys, self.config.increment_s, self._price_of(call, number), set(counted))
        self._running[leg_id] = running
        for permit, key in keys:
            self._at_once[permit.rule.name, key] += 1
            self._count(permit.rule, key, number, moment.now, counted)
            running.counted.add((permit.rule.name, key))
        return None

    def lines(self, leg_id: LegId) -> tuple[Line, ...]:
        """Of what other nodes have to be asked: places among calls at once."""
        running = self._running.get(leg_id)
        if running is None:
            return ()
        limited = [(permit.rule, key) for permit, key in running.keys if permit.rule.calls_at_once]
        return tuple(Line(f"{TOLL_LINE}{rule.name}/{key}", rule.calls_at_once) for rule, key in limited)

    # ---------------------------------------------------------------- a call

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on."""
        if (running := self._running.pop(leg_id, None)) is not None:
            self._running[name] = running

    def call_of(self, leg_id: LegId) -> TollCall | None:
        """What was begun with this leg."""
        running = self._running.get(leg_id)
        return running.call if running is not None else None

    def answered(self, leg_id: LegId, moment: Moment) -> None:
        """From now on it costs money."""
        running = self._running.get(leg_id)
        if running is not None and running.answered is None:
            running.answered = moment.now
            self._pay(running, moment)

    def ended(self, leg_id: LegId, moment: Moment) -> None:
        """It is over; one that is not known, or not by a trunk, leaves nothing."""
        running = self._running.pop(leg_id, None)
        if running is None:
            return
        self._pay(running, moment)
        for permit, key in running.keys:
            self._at_once[permit.rule.name, key] -= 1
            if self._at_once[permit.rule.name, key] <= 0:
                del self._at_once[permit.rule.name, key]

    def look(self, moment: Moment) -> Sequence[Overrun]:
        """Charge what has been talked, and find the calls that may not go on."""
        self.ledger.forget(frozenset(periods_of(moment.at)))
        found: list[Overrun] = []
        for leg_id, running in self._running.items():
            if running.answered is not None:
                self._pay(running, moment)
                found += self._overruns(leg_id, running, moment)
        return found

    def spending(self, at: datetime) -> dict[str, tuple[float, float]]:
        """By ``rule`` and the field that limits it: what is spent by all together or whoever spent most, and the
        limit; in the currency."""
        found: dict[str, tuple[float, float]] = {}
        day, month = periods_of(at)
        for rule in self.config.rules:
            for name, limit, period in (("day", rule.spend_per_day, day), ("month", rule.spend_per_month, month)):
                if limit:
                    found[f"{rule.name}/{name}"] = self.ledger.highest(rule.name, period) / MICROS, limit
        return found

    # ---------------------------------------------------------------- inside

    def _keys(self, call: TollCall, number: str) -> list[tuple[Permit, str]]:
        place = self._permits.place_of(number)
        return [
            (permit, permit.key(call, number, place)) for permit in self._permits.rules if permit.fits(call, number)
        ]

    def _judge(self, call: TollCall, moment: Moment, counted: frozenset[tuple[str, str]]) -> Barred | None:
        number = self._permits.number_of(call)
        place = self._permits.place_of(number)
        if (barred := self._permits.judge_kind(number, place)) is not None:
            return barred
        for permit, key in self._keys(call, number):
            rule = permit.rule
            barred = (
                permit.judge(call, number, place, moment)
                or (None if (rule.name, key) in counted else self._judge_calls(rule, key, moment))
                or self._judge_news(rule, key, number, moment)
                or self._judge_money(rule, key, self._price_of(call, number), moment.at)
            )
            if barred is not None:
                return barred
        return None

    def _judge_calls(self, rule: TollRule, key: str, moment: Moment) -> Barred | None:
        limits, whose = self._limits[rule.name], _whose(rule, key)
        for name, _, unit in _SPANS:
            window = limits.windows.get(name)
            if window is not None and not window.has_room(key, moment.now):
                return _barred(rule, name, f"more than {window.limit} calls{whose} within a {unit}")
        if rule.calls_at_once and self._at_once[rule.name, key] >= rule.calls_at_once:
            return _barred(rule, "calls_at_once", f"more than {rule.calls_at_once} calls{whose} at once")
        return None

    def _judge_news(self, rule: TollRule, key: str, number: str, moment: Moment) -> Barred | None:
        limits = self._limits[rule.name]
        if limits.news is None or (key, number) in limits.known or limits.news.has_room(key, moment.now):
            return None
        why = f"more than {limits.news.limit} new numbers{_whose(rule, key)} within an hour"
        return _barred(rule, "new_numbers_per_hour", why)

    def _price_of(self, call: TollCall, number: str) -> int:
        """Of one increment."""
        return round(self._permits.price_of(call, number) * MICROS * self.config.increment_s / 60)

    def _judge_money(self, rule: TollRule, key: str, price: int, at: datetime) -> Barred | None:
        """Whether there is money for so much more."""
        day, month = periods_of(at)
        for name, limit, period in (
            ("spend_per_day", rule.spend_per_day, day),
            ("spend_per_month", rule.spend_per_month, month),
        ):
            if limit and self.ledger.spent(Account(rule.name, key, period)) + price > round(limit * MICROS):
                return _barred(rule, name, f"the {limit:g} {self.config.currency} for {period} are spent")
        return None

    def _count(
        self, rule: TollRule, key: str, number: str, now: float, counted: frozenset[tuple[str, str]]
    ) -> None:
        limits = self._limits[rule.name]
        if (rule.name, key) not in counted:
            for window in limits.windows.values():
                window.note(key, now)
        if limits.news is not None:
            if (key, number) not in limits.known:
                limits.news.note(key, now)
            limits.known.note((key, number))

    def _pay(self, running: _Running, moment: Moment) -> None:
        """Every increment that has begun; an answered call has begun its first."""
        if running.answered is None:
            return
        lasted = max(0.0, moment.now - running.answered)
        due = max(1, math.ceil(lasted / running.increment_s))
        amount, running.paid = (due - running.paid) * running.price, max(due, running.paid)
        if amount <= 0:
            return
        for permit, key in running.keys:
            if permit.rule.has_budget:
                for period in periods_of(moment.at):
                    self.ledger.charge(Account(permit.rule.name, key, period), amount)

    def _overruns(self, leg_id: LegId, running: _Running, moment: Moment) -> list[Overrun]:
        if running.cut is not None and moment.now >= running.cut[0]:
            overdue, running.cut = running.cut[1], None
            return [Overrun(leg_id, overdue, ends=True, cut=True)]
        found = []
        for permit, key in running.keys:
            rule = permit.rule
            if rule.name in running.told:
                continue
            too_long = self._too_long(rule, running, moment.now)
            barred = too_long or self._unpaid(rule, key, running, moment)
            if barred is None:
                continue
            running.told.add(rule.name)
            ends = too_long is not None or rule.when_spent == "end"
            found.append(Overrun(leg_id, barred, ends))
            if ends and running.cut is None:
                running.cut = moment.now + CUT_S, barred
        return found

    def _unpaid(self, rule: TollRule, key: str, running: _Running, moment: Moment) -> Barred | None:
        """Why the next increment cannot be paid for, once it is near."""
        assert running.answered is not None, "only answered calls are looked at"
        next_at = running.answered + running.paid * running.increment_s
        if not running.price or moment.now < next_at - _LAST_WORDS_S:
            return None
        return self._judge_money(rule, key, running.price, moment.at)

    def _too_long(self, rule: TollRule, running: _Running, now: float) -> Barred | None:
        assert running.answered is not None, "only answered calls are looked at"
        if not rule.max_call_s or now - running.answered < rule.max_call_s:
            return None
        return _barred(rule, "max_call_s", f"a call may last {rule.max_call_s} s")


def _whose(rule: TollRule, key: str) -> str:
    return f" of {rule.each} {key!r}" if rule.each else ""


def _barred(rule: TollRule, limit: str, why: str) -> Barred:
    return Barred(rule.name, limit, why, f"change {limit!r} of the rule {rule.name!r} in tolls.rules")


def periods_of(at: datetime) -> tuple[str, str]:
    """The day and the month, as accounts name them."""
    return f"{at:%Y-%m-%d}", f"{at:%Y-%m}"
