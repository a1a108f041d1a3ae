"""Remember what short texts parse to: each From, To, Contact and URI comes three times and more in a call.

Parsed values are frozen, so one may be handed out again. Errors are not remembered, and neither are long texts, so
that a flood of either cannot fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

ENTRIES = 1024
LONGEST = 256

V = TypeVar("V")


def remembered(parse: Callable[[str], V]) -> Callable[[str], V]:
    """Return ``parse`` with a memory for the latest short texts."""
    known = lru_cache(maxsize=ENTRIES)(parse)

    def look_up(text: str) -> V:
        return known(text) if len(text) <= LONGEST else parse(text)

    return look_up
