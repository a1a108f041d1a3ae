"""Nonces that a server can check without having kept them, and the few things about them that it must keep.

A nonce is a time, a serial number, a mark of who made it and a keyed hash over these, the source and the realm
(RFC 7616 §5.4). What is kept is which counts of a nonce were used, for those who proved who they are alone: a flood
fills nothing.

Servers that share a key take one another's nonces, so that a challenge of one may be answered at another. Counts
are not shared: what was used at one is not known at the others, nor to the same server after a restart. So a nonce
that another process made is taken for moments only, long enough for the answer to its challenge; after that it is
stale, and the client is given another (§3.3). Against replay (§5.5) that means: one server takes a count once, and
another one that shares its key may take it once more while the nonce is younger than ``FOREIGN_LIFE_S``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2s, sha256
from typing import Final, NamedTuple

MAX_USED: Final = 20_000
"""Nonces in use at once, one a phone; what is pushed out is stale, and its phone asks for another."""
WINDOW: Final = 64
"""Counts this far behind the highest are still taken, once: datagrams overtake one another."""
FOREIGN_LIFE_S: Final = 30.0
"""A nonce of another process is taken for so long: clients answer a challenge at once."""
SKEW_S: Final = 10.0
"""Clocks of servers that share a key may differ by this much: a nonce seems to come from the future."""
_STAMP = struct.Struct(">QII")
_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class SharedNonces:
    """What servers have in common that take one another's nonces."""

    key: bytes = field(repr=False)
    """The same for all of them, and secret: 32 bytes."""
    wall_ahead_s: Callable[[], float]
    """Wall time less monotonic time, in seconds: monotonic times of two machines cannot be compared."""

    def of(self, purpose: str) -> SharedNonces:
        """For one of several uses: what one of them hands out, the others do not take."""
        return SharedNonces(hmac.digest(self.key, purpose.encode(), sha256), self.wall_ahead_s)


class _Stamp(NamedTuple):
    """When (µs, by the clock that all go by), as which and by which process a nonce was made."""

    made_us: int
    serial: int
    maker: int


def _no_shift() -> float:
    return 0.0


class Nonces:
    """Makes and checks nonces for one realm. ``key``: random, 16 bytes or more. Times are monotonic seconds.

    Where others have the same key, ``maker`` is a random number of this process (32 bits) and ``wall_ahead_s``
    leads to the clock that all go by.
    """

    def __init__(
        self,
        key: bytes,
        realm: str,
        life_s: float,
        *,
        maker: int = 0,
        wall_ahead_s: Callable[[], float] = _no_shift,
    ) -> None:
        self._key = key
        self._maker = maker
        self._wall_ahead_s = wall_ahead_s
        self.realm = realm
        """May be changed; those that are out are none of ours then."""
        self.life_s = life_s
        """Of all of them, those that are out among them; may be changed."""
        self._serial = 0
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """Nonce to (highest count, bits of the counts below it), the latest nonce last."""
        self._forgotten_us = -1
        """When the newest nonce was made whose counts were forgotten. One of before that may have been used: it was
        pushed out, or the clock was set back."""

    def __len__(self) -> int:
        return len(self._used)

    def make(self, source: str, now: float) -> str:
        """A nonce that nobody had before, for this source."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        made_us = int((now + self._wall_ahead_s()) * 1_000_000)
        stamp = _STAMP.pack(made_us, self._serial, self._maker)
        return base64.urlsafe_b64encode(stamp + self._mac(stamp, source)).decode().rstrip("=")

    def age_s(self, nonce: str, source: str, now: float) -> float | None:
        """How long ago it was made for this source, by us or one who has our key; None where it was not."""
        stamp = self._stamp(nonce, source)
        return None if stamp is None else self._age_s(stamp, now)

    def _stamp(self, nonce: str, source: str) -> _Stamp | None:
        try:
            raw = base64.b64decode(nonce + "=" * (-len(nonce) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        stamp, mac = raw[: _STAMP.size], raw[_STAMP.size :]
        if len(stamp) < _STAMP.size or not hmac.compare_digest(mac, self._mac(stamp, source)):
            return None
        return _Stamp._make(_STAMP.unpack(stamp))

    def _age_s(self, stamp: _Stamp, now: float) -> float:
        return now + self._wall_ahead_s() - stamp.made_us / 1_000_000

    def _is_in_time(self, stamp: _Stamp, now: float) -> bool:
        life_s = self.life_s if stamp.maker == self._maker else min(self.life_s, FOREIGN_LIFE_S)
        return -SKEW_S <= self._age_s(stamp, now) <= life_s

    def use(self, nonce: str, count: int, source: str, now: float) -> bool:
        """Take ``count`` of a nonce, once; False where it is not ours, too old, or used before.

        To be called for those alone whose digest was right.
        """
        stamp = self._stamp(nonce, source)
        if stamp is None or not self._is_in_time(stamp, now) or count < 1:
            return False
        highest, seen = self._used.get(nonce, (0, 0))
        if not highest and stamp.made_us <= self._forgotten_us:
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
            raw = base64.urlsafe_b64decode(oldest + "=" * (-len(oldest) % 4))
            stamp = _Stamp._make(_STAMP.unpack(raw[: _STAMP.size]))
            if self._age_s(stamp, now) <= self.life_s and len(self._used) <= MAX_USED:
                return
            self._forgotten_us = max(self._forgotten_us, stamp.made_us)
            del self._used[oldest]

    def _mac(self, stamp: bytes, source: str) -> bytes:
        said = b"\0".join((stamp, source.encode("latin-1", "replace"), self.realm.encode("latin-1")))
        return blake2s(said, key=self._key[:32], digest_size=_MAC_BYTES).digest()
