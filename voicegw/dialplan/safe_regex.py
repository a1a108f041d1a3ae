"""Regular expressions that cannot be made to run for ever.

Python's engine backtracks, so ``(a+)+`` on a long number hangs the process. Dialplan patterns need only a small
part of the language; this reads that part, works out an upper bound on the ways to match, and refuses what
exceeds it. The text is cut to :data:`MAX_TEXT` characters before matching, which is what makes the bound hold.
"""

from __future__ import annotations

import re
import warnings

MAX_TEXT = 256
"""Characters of a number or header value that a pattern sees."""
MAX_PATTERN = 200
MAX_WAYS = 100_000
"""About ten milliseconds of backtracking at worst."""


def compile_safe(pattern: str) -> re.Pattern[str]:
    """Compile ``pattern``, to be used with ``fullmatch``; raises ``ValueError`` with the reason in plain words."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    ways = _Bound(pattern).alternatives()
    if ways > MAX_WAYS:
        raise ValueError(f"the pattern could try {ways:,} ways to match; use fewer '*' and '+', or a prefix")
    return compiled


class _Bound:
    """Recursive descent over a pattern that :func:`re.compile` accepted; multiplies the choices."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def alternatives(self) -> int:
        total = self._sequence()
        while self._peek() == "|":
            self._at += 1
            total += self._sequence()
        return total

    def _sequence(self) -> int:
        ways = 1
        while self._peek() not in ("", "|", ")"):
            inner = self._atom()
            ways *= self._repeat(inner)
            ways = min(ways, 10**12)
        return ways

    def _atom(self) -> int:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            self._skip_class()
        elif char == "\\" and self._take() in "123456789":
            raise ValueError("back-references are not allowed")
        return 1

    def _group(self) -> int:
        if self._text.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            raise ValueError("only plain groups (...) and (?:...) are allowed")
        ways = self.alternatives()
        self._at += 1
        return ways

    def _skip_class(self) -> None:
        if self._peek() == "^":
            self._at += 1
        if self._peek() == "]":
            self._at += 1
        while self._peek() not in ("]", ""):
            self._at += 2 if self._peek() == "\\" else 1
        self._at += 1

    def _repeat(self, inner: int) -> int:
        low, high = self._quantifier()
        if high == 1:
            return inner if low == 1 else inner + 1
        if inner > 1:
            raise ValueError("a repeated group must not have choices or repetitions inside")
        return high - low + 1

    def _quantifier(self) -> tuple[int, int]:
        bounds = {"*": (0, MAX_TEXT), "+": (1, MAX_TEXT), "?": (0, 1)}.get(self._peek())
        if bounds:
            self._at += 1
        elif match := re.compile(r"\{(\d*)(,?)(\d*)\}").match(self._text, self._at):
            low, comma, high = match.groups()
            bounds = (int(low or 0), min(int(high or MAX_TEXT), MAX_TEXT) if comma else int(low or 0))
            self._at = match.end()
        if bounds and self._peek() in ("?", "+"):
            self._at += 1
        return bounds or (1, 1)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        self._at += 1
        return char
