"""Who is shown every SIP message as it is on the wire: for the ladder of a call."""

from __future__ import annotations

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


NOBODY: Final[Tap] = _Nobody()
