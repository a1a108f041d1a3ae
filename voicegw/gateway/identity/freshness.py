"""How long an answer of a web server may be kept (RFC 9111 §4.2, §5.2), bounded by what we keep at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_MAX_AGE = re.compile(r'(?:s-maxage|max-age)\s*=\s*"?(\d{1,10})"?')
_NOT_KEPT = ("no-store", "no-cache")
LEAST_S = 60.0
"""Kept for so long whatever the server says: a certificate is the same for every call of that minute."""


def keep_s(headers: Mapping[str, str], wall: float, default_s: float, most_s: float) -> float:
    """Seconds; names of ``headers`` in lower case."""
    control = headers.get("cache-control", "").lower()
    if any(word.strip().partition("=")[0] in _NOT_KEPT for word in control.split(",")):
        return min(LEAST_S, most_s)
    if (found := _MAX_AGE.search(control)) is not None:
        return min(max(LEAST_S, float(found[1]) - _age(headers)), most_s)
    expires = seconds_of_date(headers.get("expires", ""))
    seconds = default_s if expires is None else expires - wall
    return min(max(LEAST_S, seconds), most_s)


def seconds_of_date(text: str) -> float | None:
    """A date of HTTP or SIP (RFC 3261 §20.17) in seconds since 1970; None for what is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _age(headers: Mapping[str, str]) -> float:
    text = headers.get("age", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
