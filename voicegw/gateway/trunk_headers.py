"""Which headers pass a trunk, in and out: an allow-list, sizes, and never a credential. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from voicegw.gateway.trunk_sections import HeaderSettings
from voicegw.sip.grammar import is_fit, is_token

SECRET: Final = frozenset({"authorization", "proxy-authorization"})
"""What nobody is shown: passwords can be tried on a digest."""
NO_PROFILE = HeaderSettings()
"""For calls of no trunk."""


def is_listed(name: str, patterns: Iterable[str]) -> bool:
    """Whether a header is named, by its whole name or by a beginning; in any case."""
    folded = name.lower()
    return any(
        folded.startswith(pattern[:-1].lower()) if pattern.endswith("*") else folded == pattern.lower()
        for pattern in patterns
    )


def incoming(profile: HeaderSettings, headers: Mapping[str, str]) -> dict[str, str]:
    """What dialplan and agent may see."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if len(kept) >= profile.max_count:
            break
        fits = len(value.encode("utf-8", "replace")) <= profile.max_bytes
        if fits and name.lower() not in SECRET and is_listed(name, profile.incoming):
            kept[name] = value
    return kept


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
