"""Nonces that a server can check without having kept them, and the few things about them that it must keep.

A nonce is a time, a serial number and a keyed hash over both, the source and the realm (RFC 7616 §5.4). What is
kept is which counts of a nonce were used, for those who proved who they are alone: a flood fills nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections import OrderedDict
from hashlib import blake2s
from typing import Final

MAX_USED: Final = 20_000
"""Nonces in use at once, one a phone; what is pushed out is stale, and its phone asks for another."""
WINDOW: Final = 64
"""Counts this far behind the highest are still taken, once: datagrams overtake one another."""
_STAMP = struct.Struct(">QI")
_MAC_BYTES: Final = 16


class Nonces:
    """Makes and checks nonces for one realm. ``key``: random, 16 bytes or more. Times are monotonic seconds."""

    def __init__(self, key: bytes, realm: str, life_s: float) -> None:
        self._key = key
        self._realm = realm.encode("latin-1")
        self._life_s = life_s
        self._serial = 0
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """Nonce to (highest count, bits of the counts below it), the latest nonce last."""
        self._pushed_out = -1.0
        """When the newest nonce was made whose counts were forgotten before its time."""

    def __len__(self) -> int:
        return len(self._used)

    def make(self, source: str, now: float) -> str:
        """A nonce that nobody had before, for this source."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        stamp = _STAMP.pack(int(now * 1_000_000), self._serial)
        return base64.urlsafe_b64encode(stamp + self._mac(stamp, source)).decode().rstrip("=")

    def made_at(self, nonce: str, source: str) -> float | None:
        """When we made it for this source, or None where we did not."""
        try:
            raw = base64.b64decode(nonce + "=" * (-len(nonce) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        stamp, mac = raw[: _STAMP.size], raw[_STAMP.size :]
        if len(stamp) < _STAMP.size or not hmac.compare_digest(mac, self._mac(stamp, source)):
            return None
        made: int = _STAMP.unpack(stamp)[0]
        return made / 1_000_000

    def use(self, nonce: str, count: int, source: str, now: float) -> bool:
        """Take ``count`` of a nonce, once; False where it is not ours, too old, or used before.

        To be called for those alone whose digest was right.
        """
        made = self.made_at(nonce, source)
        if made is None or not 0 <= now - made <= self._life_s or count < 1:
            return False
        highest, seen = self._used.get(nonce, (0, 0))
        if not highest and made <= self._pushed_out:
            return False
        if count > highest:
            seen = (seen << min(count - highest, WINDOW) | 1) & ((1 << WINDOW) - 1)
            highest = count
        elif highest - count >= WINDOW or seen >> (highest - count) & 1:
            return False
        else:
            seen |= 1 << (highest - count)
        self._used[nonce] = (highest, seen)
        self._used.move_to_end(nonce)
        self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        """Let go of what is too old to be used anyway, and of the longest unused where there is too much."""
        while self._used:
            oldest = next(iter(self._used))
            made = _STAMP.unpack(base64.urlsafe_b64decode(oldest + "==")[: _STAMP.size])[0] / 1_000_000
            if now - made <= self._life_s:
                if len(self._used) <= MAX_USED:
                    return
                self._pushed_out = max(self._pushed_out, made)
            del self._used[oldest]

    def _mac(self, stamp: bytes, source: str) -> bytes:
        said = b"\0".join((stamp, source.encode("latin-1", "replace"), self._realm))
        return blake2s(said, key=self._key[:32], digest_size=_MAC_BYTES).digest()
