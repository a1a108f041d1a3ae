"""Which headers pass a trunk, in and out: an allow-list, sizes, and never a credential. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from voicegw.gateway.trunk_sections import HeaderSettings
from voicegw.sip.grammar import is_fit, is_token

SECRET: Final = frozenset({"authorization", "proxy-authorization"})
"""What nobody is shown: passwords can be tried on a digest."""
_LISTS_CACHED: Final = 256
"""Every trunk has two."""
NO_PROFILE = HeaderSettings()
"""For calls of no trunk."""


def is_listed(name: str, patterns: Iterable[str]) -> bool:
    """Whether a header is named, by its whole name or by a beginning; in any case."""
    return _Listed.of(tuple(patterns)).has(name.lower())


class _Listed(NamedTuple):
    """An allow-list in lower case."""

    whole: frozenset[str]
    beginnings: tuple[str, ...]

    @staticmethod
    @lru_cache(maxsize=_LISTS_CACHED)
    def of(patterns: tuple[str, ...]) -> _Listed:
        folded = [pattern.lower() for pattern in patterns]
        whole = frozenset(pattern for pattern in folded if not pattern.endswith("*"))
        return _Listed(whole, tuple(pattern[:-1] for pattern in folded if pattern.endswith("*")))

    def has(self, folded: str) -> bool:
        return folded in self.whole or folded.startswith(self.beginnings)


def incoming(profile: HeaderSettings, headers: Mapping[str, str]) -> dict[str, str]:
    """What dialplan and agent may see."""
    kept: dict[str, str] = {}
    listed, most_bytes = _Listed.of(profile.incoming), profile.max_bytes
    for name, value in headers.items():
        if len(kept) >= profile.max_count:
            break
        folded = name.lower()
        if folded not in SECRET and listed.has(folded) and _fits(value, most_bytes):
            kept[name] = value
    return kept


def _fits(text: str, most_bytes: int) -> bool:
    return len(text if text.isascii() else text.encode("utf-8", "replace")) <= most_bytes


def outgoing(profile: HeaderSettings, headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What goes into an INVITE: the trunk's own, then what is allowed of the call's. The trunk's own win."""
    fixed = tuple(profile.fixed.items())
    taken = {name.lower() for name, _ in fixed}
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in taken
        and is_token(name)
        and is_fit(value)
        and "\0" not in value
        and len(value) <= profile.max_bytes
        and is_listed(name, profile.outgoing)
    ]
    return (*fixed, *kept[: max(0, profile.max_count - len(fixed))])
