"""Copies of INVITEs that got 503 without a transaction (RFC 3261 §17.1.1.2).

Under load most of what waits in the socket are copies: who hears nothing for half a second asks again. Each is
answered as the first one was, without being parsed, for a sixth of the time. And who has been refused and is gone
gets no call because there is room again when its last copy is read.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from voicegw.sip.address import Address

_MOST: Final = 2048
"""Answers of 400 bytes; the oldest is forgotten first, and its copies are read again."""
_LONGEST_BYTES: Final = 2048
"""An answer has the Via, To, From and Call-ID of its INVITE: of strangers, as long as a datagram."""
_LIFE_S: Final = 32.0
"""64 times T1: nobody repeats an INVITE for longer."""


class RefusedCopies:
    """Knows datagrams by their bytes and their source, as a hash with a key of the process."""

    def __init__(self) -> None:
        self._answers: OrderedDict[int, tuple[float, bytes, Address]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def note(self, data: bytes, source: Address, answer: bytes, destination: Address, now: float) -> None:
        """This datagram got this answer. One that is too long to be kept is made anew for each copy."""
        if len(answer) > _LONGEST_BYTES:
            return
        self._answers[hash((data, source))] = (now + _LIFE_S, answer, destination)
        if len(self._answers) > _MOST:
            self._answers.popitem(last=False)

    def answer_to(self, data: bytes, source: Address, now: float) -> tuple[bytes, Address] | None:
        """What its copy gets, and where that goes; None for what is none."""
        if not self._answers or not data.startswith(b"INVITE "):
            return None
        found = self._answers.get(hash((data, source)))
        return found[1:] if found is not None and now < found[0] else None
