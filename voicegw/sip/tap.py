"""Who is shown every SIP message as it is on the wire: for the ladder of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from voicegw.sip.address import Address


class Tap(Protocol):
    """Must be quick and must not fail: it stands in the path of every message, retransmissions included."""

    def received(self, data: bytes, source: Address) -> None:
        """A message that could be read came in."""
        ...

    def sent(self, data: bytes, destination: Address) -> None:
        """A message goes out."""
        ...


class _Nobody:
    def received(self, data: bytes, source: Address) -> None:
        """See :class:`Tap`."""

    def sent(self, data: bytes, destination: Address) -> None:
        """See :class:`Tap`."""


class Taps:
    """Several, in this order. Others may be added and taken out at any time."""

    def __init__(self, taps: Sequence[Tap]) -> None:
        self._taps = tuple(taps)

    def add(self, tap: Tap) -> None:
        """From now on this one is shown everything, too."""
        self._taps = (*self._taps, tap)

    def remove(self, tap: Tap) -> None:
        """From now on it is shown nothing; one that is not there is no error."""
        self._taps = tuple(one for one in self._taps if one is not tap)

    def received(self, data: bytes, source: Address) -> None:
        """See :class:`Tap`."""
        for tap in self._taps:
            tap.received(data, source)

    def sent(self, data: bytes, destination: Address) -> None:
        """See :class:`Tap`."""
        for tap in self._taps:
            tap.sent(data, destination)


NOBODY: Final[Tap] = _Nobody()
