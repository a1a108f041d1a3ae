"""Failures are rationed: a source that fails too often is not listened to for a while."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailureLimits:
    """How many failures a source has, and how soon they come back."""

    at_once: int = 10
    """A person who mistypes a password, and a phone that was set up wrong, fail a few times in a row."""
    regained_s: float = 6.0
    """Seconds until one more is allowed: ten a minute are too few to guess anything."""
    max_sources: int = 4096
    """Sources that are remembered; the one that failed longest ago is forgotten first."""


class FailureRation:
    """Counts failures by source, as a bucket that fills up again. Successes and strangers cost nothing."""

    def __init__(self, limits: FailureLimits) -> None:
        self.limits = limits
        self._failed: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Source to (failures that still count, when that was)."""

    def __len__(self) -> int:
        return len(self._failed)

    def wait_s(self, source: str, now: float) -> float:
        """How long this source is not listened to; 0 where it is."""
        excess = self._count(source, now) - self.limits.at_once + 1
        return max(0.0, excess * self.limits.regained_s)

    def fail(self, source: str, now: float) -> None:
        """One more failure."""
        name = subscriber(source)
        self._failed[name] = (self._count(source, now) + 1, now)
        self._failed.move_to_end(name)
        while len(self._failed) > self.limits.max_sources:
            self._failed.popitem(last=False)

    def _count(self, source: str, now: float) -> float:
        count, since = self._failed.get(subscriber(source), (0.0, now))
        return max(0.0, count - (now - since) / self.limits.regained_s)


def subscriber(host: str) -> str:
    """What fails together: an IPv4 address, or the /64 that one IPv6 subscriber has."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host, 64), strict=False))
