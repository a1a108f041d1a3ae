"""Tokens that were believed already: each is good for one call (RFC 8224 §12.1). Pure."""

from __future__ import annotations

import hashlib
from collections import OrderedDict


class Replays:
    """Remembers what was signed and not how: for ES256 anybody can make a second signature of the first (r, -s).

    Bounded: of more than ``entries`` the oldest is forgotten. Only tokens with a good signature come in, so that
    nobody without a certificate can push others out.
    """

    def __init__(self, entries: int, keep_s: float) -> None:
        self._entries = entries
        self._keep_s = keep_s
        self._seen: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def is_new(self, signed: bytes, call_id: str, wall: float) -> bool:
        """Note a token; False where another call had it. A call that comes by two ways keeps its Call-ID."""
        key = hashlib.sha256(signed).digest()
        known = self._seen.get(key)
        if known is not None and known[1] > wall:
            return known[0] == call_id
        self._seen[key] = (call_id, wall + self._keep_s)
        self._seen.move_to_end(key)
        while len(self._seen) > self._entries or self._oldest_is_over(wall):
            self._seen.popitem(last=False)
        return True

    def __len__(self) -> int:
        return len(self._seen)

    def _oldest_is_over(self, wall: float) -> bool:
        return bool(self._seen) and next(iter(self._seen.values()))[1] <= wall
