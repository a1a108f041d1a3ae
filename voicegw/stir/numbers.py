"""Telephone numbers as signatures have them (RFC 8224 §8.3): digits, ``*`` and ``#``, no plus, no separators."""

from __future__ import annotations

import re
from typing import Final

MAX_NUMBER: Final = 64
_SEPARATORS = str.maketrans("", "", "+-.() \t")
_CANONICAL = re.compile(r"[0-9*#]+")


def canonical(number: str) -> str:
    """The canonical form of a number; "" for what is none.

    Which country a number without a plus belongs to is for the caller of this to know: it is taken as it stands.
    """
    bare = number.partition(";")[0].translate(_SEPARATORS)
    return bare if len(bare) <= MAX_NUMBER and is_canonical(bare) else ""


def is_canonical(number: str) -> bool:
    """Whether it is in the form that a signed claim must have (RFC 8225 §5.2.1)."""
    return _CANONICAL.fullmatch(number) is not None
