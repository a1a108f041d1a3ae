"""Who may open one more call: limits for each address, and for strangers who do not acknowledge (RFC 5390).

A stranger's INVITE may come from a forged address. Its call is half open until the ACK, as a TCP connection is, and
the remedy is the same: a bounded number of those, the oldest of which makes room.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from voicegw.sip.address import Address
from voicegw.sip.events import SipCallHandle


class Peers(Protocol):
    """What is known of addresses."""

    def is_known(self, source: Address) -> bool:
        """Whether an address has shown that it is not forged, or is trusted."""
        ...

    def acquaint(self, source: Address) -> None:
        """A call with this address is up, or we call it."""
        ...

    def part(self, source: Address) -> None:
        """That call is over."""
        ...


class Everybody:
    """Peers without strangers: for closed networks and tests."""

    def is_known(self, _source: Address) -> bool:
        return True

    def acquaint(self, _source: Address) -> None:
        return None

    def part(self, _source: Address) -> None:
        return None


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How much one address may hold at once."""

    per_source: int = 1000
    """Calls from one address."""
    per_stranger: int = 10
    """Calls from one unknown address."""
    transactions_per_source: int = 36_000
    """Server transactions; each outlives its request by 32 s."""
    transactions_per_stranger: int = 200
    """The same for an unknown address."""
    half_open: int = 30
    """Calls of all strangers that are not acknowledged yet."""
    patience_s: float = 1.0
    """How long a half-open call is safe after our answer, in seconds: the round trip of any honest caller."""


class Admission:
    """Counts calls by address. Every ``opened`` is followed by exactly one ``ended``."""

    def __init__(self, limits: AdmissionLimits, peers: Peers) -> None:
        self.limits = limits
        """Of calls and requests from now on; who has more already keeps them."""
        self._peers = peers
        self._calls: Counter[str] = Counter()
        self._half_open: dict[SipCallHandle, float] = {}
        """When each was answered, or infinity; strangers only, oldest call first."""
        self._met: dict[SipCallHandle, Address] = {}
        """Calls that ``peers`` was told of."""

    @property
    def half_open(self) -> int:
        """Calls of strangers that are not acknowledged."""
        return len(self._half_open)

    def has_room(self, source: Address, transactions: int) -> bool:
        """Whether this address, with so many server transactions, may have one more call."""
        limits, calls = self.limits, self._calls.get(source.host, 0)
        if self._peers.is_known(source):
            return calls < limits.per_source and transactions < limits.transactions_per_source
        return calls < limits.per_stranger and transactions < limits.transactions_per_stranger

    def must_make_room(self, source: Address) -> bool:
        """Whether a call of this address has to wait until a half-open one is gone."""
        return len(self._half_open) >= self.limits.half_open and not self._peers.is_known(source)

    def overdue(self, now: float) -> SipCallHandle | None:
        """The oldest half-open call that was answered long enough ago to be given up."""
        latest = now - self.limits.patience_s
        return next((handle for handle, answered in self._half_open.items() if answered <= latest), None)

    def opened(self, handle: SipCallHandle, source: Address) -> None:
        """An INVITE from this address became a call."""
        self._calls[source.host] += 1
        if not self._peers.is_known(source):
            self._half_open[handle] = float("inf")

    def answered(self, handle: SipCallHandle, now: float) -> None:
        """Our 2xx is out."""
        if handle in self._half_open:
            self._half_open[handle] = now

    def met(self, handle: SipCallHandle, peer: Address) -> None:
        """The peer acknowledged our answer, or it is we who call it."""
        self._half_open.pop(handle, None)
        if handle not in self._met:
            self._met[handle] = peer
            self._peers.acquaint(peer)

    def ended(self, handle: SipCallHandle, source: Address | None) -> None:
        """The call is over; ``source`` is where its INVITE came from, None if it was ours."""
        self._half_open.pop(handle, None)
        if source is not None:
            self._calls[source.host] -= 1
            if self._calls[source.host] <= 0:
                del self._calls[source.host]
        if (peer := self._met.pop(handle, None)) is not None:
            self._peers.part(peer)
