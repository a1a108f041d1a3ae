"""Every counter in one place, so that a name cannot drift between the code that counts and the page that shows.

Single-threaded by design: each process has its own registry and the media worker reports its own as an event.
"""

from __future__ import annotations

from collections import Counter


class Counters:
    """Named monotonic counters."""

    def __init__(self) -> None:
        self._values: Counter[str] = Counter()

    def add(self, name: str, by: int = 1) -> None:
        """Count ``by`` more of ``name``."""
        self._values[name] += by

    def get(self, name: str) -> int:
        """The count so far; 0 for a name that never happened."""
        return self._values[name]

    def snapshot(self) -> dict[str, int]:
        """A copy of all counts, under plain strings: packages name theirs by string enums. Any thread may ask."""
        return {str.__str__(name): count for name, count in dict(self._values).items()}
