"""Which headers pass a trunk, in and out: an allow-list, sizes, and never a credential. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

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
    whole, beginnings = _folded(tuple(patterns))
    folded = name.lower()
    return folded in whole or folded.startswith(beginnings)


@lru_cache(maxsize=_LISTS_CACHED)
def _folded(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    folded = [pattern.lower() for pattern in patterns]
    whole = frozenset(pattern for pattern in folded if not pattern.endswith("*"))
    return whole, tuple(pattern[:-1] for pattern in folded if pattern.endswith("*"))


def incoming(profile: HeaderSettings, headers: Mapping[str, str]) -> dict[str, str]:
    """What dialplan and agent may see."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if len(kept) >= profile.max_count:
            break
        if _fits(value, profile.max_bytes) and name.lower() not in SECRET and is_listed(name, profile.incoming):
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
