"""Keys that are pressed by INFO, as PBXs did before RFC 4733 and some still do (RFC 6086 knows them as legacy)."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from voicegw.sip.bodies import DTMF, DTMF_RELAY

# Blanks are not \s: that takes in line breaks, and 60 kB of those, tried anew at each line, would take ten seconds.
_SIGNAL: Final = re.compile(
    rb"^[ \t]*+signal[ \t]*+=[ \t]*+([0-9A-D*#]{1,2})[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)
_DURATION: Final = re.compile(
    rb"^[ \t]*+duration[ \t]*+=[ \t]*+([0-9]{1,6})[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)
_BARE: Final = re.compile(rb"\s*([0-9A-D*#]{1,2})\s*", re.IGNORECASE)
_EVENTS: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
"""Some write the event code of RFC 4733 in place of the key."""
DEFAULT_MS: Final = 250
KEYS: Final = frozenset("0123456789*#ABCD")
"""What can be sent."""


@dataclass(frozen=True, slots=True)
class InfoKey:
    """A key and how long it was pressed."""

    digit: str
    duration_ms: int = DEFAULT_MS


def read_info_key(content_type: str, body: bytes) -> InfoKey | None:
    """The key that an INFO means; None for what is no key, a hook flash among it."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == DTMF_RELAY:
        signal, duration = _SIGNAL.search(body), _DURATION.search(body)
    elif kind == DTMF:
        signal, duration = _BARE.fullmatch(body), None
    else:
        return None
    if signal is None:
        return None
    text = signal.group(1).decode().upper()
    digit = _EVENTS.get(text, text)
    if len(digit) != 1:
        return None
    return InfoKey(digit, int(duration.group(1)) if duration is not None else DEFAULT_MS)


def write_info_key(key: InfoKey) -> bytes:
    """The body of an INFO of type application/dtmf-relay."""
    return f"Signal={key.digit}\r\nDuration={key.duration_ms}\r\n".encode()


@dataclass(slots=True)
class KeyOrder:
    """Keys that are to be sent; the first ``sent`` of them are through."""

    digits: str
    duration_ms: int
    sent: int = 0

    @property
    def next_key(self) -> InfoKey:
        """The one that is to be pressed now."""
        return InfoKey(self.digits[self.sent], self.duration_ms)


@dataclass(slots=True)
class KeyOrders:
    """The orders of one call, the oldest first. ``free_at``: when the last key and its gap are over."""

    waiting: deque[KeyOrder] = field(default_factory=deque)
    free_at: float = float("-inf")

    @property
    def length(self) -> int:
        """How many keys wait."""
        return sum(len(order.digits) - order.sent for order in self.waiting)
