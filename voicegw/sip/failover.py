"""What follows when a server fails: the next one, and a while of peace for the one that failed (RFC 3263 §4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voicegw.sip.address import Address
from voicegw.sip.message import Headers

UNAVAILABLE: Final = 503
"""The only answer that sends a request to the next server; every other one is the answer."""
LONGEST_REST_S: Final = 3600.0
"""However long a Retry-After is."""
MAX_LISTED: Final = 256
MAX_PROBES: Final = 12
"""Without an answer to so many in a row, a server is forgotten: nobody may be using it any more."""
_SECONDS = re.compile(r"\s*([0-9]{1,9})")


def retry_after(headers: Headers) -> float | None:
    """The seconds of a Retry-After (RFC 3261 §20.33), at most an hour; None without one, or without a sense."""
    found = _SECONDS.match(headers.get("Retry-After") or "")
    return min(float(found.group(1)), LONGEST_REST_S) if found else None


@dataclass(slots=True)
class _Rest:
    until: float
    probes: int = 0


class Blacklist:
    """Servers that failed, until they have rested and then answered a probe.

    A 503 without Retry-After is an error of one request (RFC 3261 §21.5.4) and lists nobody. ``rest_s`` is for
    servers that were silent or could not be reached.
    """

    def __init__(self, rest_s: float) -> None:
        self.rest_s = rest_s
        self._resting: dict[Address, _Rest] = {}

    def __len__(self) -> int:
        return len(self._resting)

    def __contains__(self, address: Address) -> bool:
        return _server(address) in self._resting

    def listed(self) -> tuple[Address, ...]:
        """The servers that are passed over, the longest listed first."""
        return tuple(self._resting)

    def add(self, address: Address, now: float, rest_s: float | None = None) -> bool:
        """A server failed; ``rest_s`` where it said itself how long it wants peace. True if it was not listed."""
        server = _server(address)
        until = now + (self.rest_s if rest_s is None else min(rest_s, LONGEST_REST_S))
        known = self._resting.get(server)
        if known is not None:
            known.until = max(known.until, until)
            return False
        if len(self._resting) >= MAX_LISTED:
            del self._resting[next(iter(self._resting))]
        self._resting[server] = _Rest(until)
        return True

    def remove(self, address: Address) -> bool:
        """A server answered. True if it was listed."""
        return self._resting.pop(_server(address), None) is not None

    def order(self, addresses: Iterable[Address]) -> list[Address]:
        """Those that may be tried, in their order.

        Where all are listed, all of them, the one whose rest is over first in front: a call to a server that may
        be back is better than no call.
        """
        everybody = list(addresses)
        usable = [address for address in everybody if address not in self]
        return usable or sorted(everybody, key=lambda address: self._resting[_server(address)].until)

    def next_probe(self) -> float | None:
        """When the first rest is over, or None."""
        return min((rest.until for rest in self._resting.values()), default=None)

    def take_probes(self, now: float) -> list[Address]:
        """The servers that are to be asked now whether they are back; each rests again until it answers."""
        due = [address for address, rest in self._resting.items() if rest.until <= now]
        for address in due:
            rest = self._resting[address]
            rest.probes += 1
            rest.until = now + self.rest_s
            if rest.probes > MAX_PROBES:
                del self._resting[address]
        return [address for address in due if address in self._resting]


def _server(address: Address) -> Address:
    """Connections come and go, and several names may lead to one server."""
    return Address(address.host, address.port, address.transport)
