"""Limits on guessing: a bucket for each address, and a lock-out that grows with each failure for each account.

Pure: ``now`` comes in. Bounded: the least recently used entries go first, so that an attacker with many addresses
cannot fill the memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MAX_ENTRIES = 20_000


def network_of(address: str) -> str:
    """What is limited together: an IPv4 address, or the /64 that one IPv6 subscriber has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """At most ``burst`` at once and ``per_minute`` in the long run, for each name."""

    def __init__(self, burst: int, per_minute: float) -> None:
        self.change(burst, per_minute)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def change(self, burst: int, per_minute: float) -> None:
        """Another limit, from now on; what was used up stays so."""
        self._burst = burst
        self._per_s = per_minute / 60

    def wait_s(self, name: str, now: float) -> float:
        """Take one; 0 where it was there, else the seconds until it is (nothing is taken then)."""
        bucket = self._buckets.pop(name, None) or _Bucket(float(self._burst), now)
        self._buckets[name] = bucket
        if len(self._buckets) > MAX_ENTRIES:
            self._buckets.popitem(last=False)
        bucket.tokens = min(float(self._burst), bucket.tokens + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_s
        bucket.tokens -= 1
        return 0.0


@dataclass(slots=True)
class _Failures:
    count: int = 0
    locked_until: float = 0.0


class LockOut:
    """After ``free`` wrong guesses in a row an account is locked, for twice as long with each further one.

    Names that do not exist are locked like those that do: the lock tells nothing. Lives in memory: a restart
    forgives, and the per-address limit still holds.
    """

    def __init__(self, free: int = 5, first_s: float = 30.0, longest_s: float = 3600.0) -> None:
        self._free = free
        self._first_s = first_s
        self._longest_s = longest_s
        self._names: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, name: str, now: float) -> float:
        """Seconds until the account may try again; 0 when it may."""
        failures = self._names.get(name)
        return max(0.0, failures.locked_until - now) if failures else 0.0

    def failed(self, name: str, now: float) -> None:
        """A wrong guess."""
        failures = self._names.pop(name, None) or _Failures()
        self._names[name] = failures
        if len(self._names) > MAX_ENTRIES:
            self._names.popitem(last=False)
        failures.count += 1
        failures.locked_until = now + self.lock_s(failures.count)

    def lock_s(self, failures: int) -> float:
        """How long an account is locked after so many wrong guesses in a row."""
        if failures < self._free:
            return 0.0
        return min(self._longest_s, self._first_s * 2.0 ** min(failures - self._free, 32))

    def withdraw(self, name: str) -> None:
        """The guess was neither right nor wrong: count one less, and forget nothing else."""
        if failures := self._names.get(name):
            failures.count = max(0, failures.count - 1)

    def succeeded(self, name: str) -> None:
        """The right password: forget the wrong ones."""
        self._names.pop(name, None)


class OnceAMinute:
    """Tells whether something is new, or happened within the last minute already."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, float] = OrderedDict()

    def is_new(self, name: str, now: float) -> bool:
        """Whether it is new; it counts as having happened from then on."""
        last = self._last.get(name)
        if last is not None and now - last < 60:
            return False
        self._last[name] = now
        self._last.move_to_end(name)
        if len(self._last) > MAX_ENTRIES:
            self._last.popitem(last=False)
        return True

    def forget(self, name: str) -> None:
        """It did not happen after all."""
        self._last.pop(name, None)
