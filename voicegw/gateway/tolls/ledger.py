"""What was spent by rule, by whom, and in which day or month: this node's part, and what other nodes have told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

_MOST: Final = 20_000
"""Accounts kept; a day's and a month's for each rule and whoever it counts apart."""


class Account(NamedTuple):
    """``key``: whose, by what the rule counts apart; ``period``: 2026-11-23, or 2026-11."""

    rule: str
    key: str
    period: str


class Ledger:
    """Amounts are millionths of the currency, so that sums are exact."""

    def __init__(self) -> None:
        self._own: dict[Account, int] = {}
        self._others: Mapping[Account, int] = {}
        self._changed: set[Account] = set()

    def spent(self, account: Account) -> int:
        """By all nodes that are known of."""
        return self._own.get(account, 0) + self._others.get(account, 0)

    def highest(self, rule: str, period: str) -> int:
        """Of all that a rule counts apart. Any thread may ask."""
        accounts = {*tuple(self._own), *tuple(self._others)}
        found = (self.spent(one) for one in accounts if one.rule == rule and one.period == period)
        return max(found, default=0)

    def charge(self, account: Account, amount: int) -> None:
        """This node spent so much more."""
        self._own[account] = self._own.get(account, 0) + amount
        self._changed.add(account)

    def take_changes(self) -> dict[Account, int]:
        """This node's amounts that were changed since this was asked last; :meth:`keep` those that nobody could
        store."""
        changed, self._changed = self._changed, set()
        return {account: self._own[account] for account in changed if account in self._own}

    def keep(self, accounts: Iterable[Account]) -> None:
        """These are still to be stored."""
        self._changed.update(accounts)

    def restore(self, own: Mapping[Account, int]) -> None:
        """What this node had spent before it was started anew; more has been spent meanwhile, perhaps."""
        for account, amount in own.items():
            self._own[account] = self._own.get(account, 0) + amount

    def hear(self, others: Mapping[Account, int]) -> None:
        """What the other nodes have spent, all of it."""
        self._others = others

    def forget(self, periods: frozenset[str]) -> None:
        """Keep accounts of these periods only, where there are too many."""
        if len(self._own) > _MOST:
            self._own = {account: amount for account, amount in self._own.items() if account.period in periods}
