"""Digits as they are pressed, collected into an answer. Pure: digits and now in, a whole answer out.

Keys pressed before the agent asks are kept (type-ahead): regular callers know the menu.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeypadPolicy:
    """When digits make an answer: ``max_digits`` keys, the ``terminator``, or ``inter_digit_ms`` of no key.

    ``max_digits`` 0 ignores keys; an empty ``terminator`` has none.
    """

    max_digits: int
    terminator: str
    inter_digit_ms: int


MAX_TYPE_AHEAD = 32


class Keypad:
    """The keys of one caller."""

    def __init__(self) -> None:
        self._policy: KeypadPolicy | None = None
        self._digits = ""
        self._deadline: float | None = None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._deadline

    def expect(self, policy: KeypadPolicy, now: float) -> str | None:
        """Begin to collect under ``policy``; returns the answer if type-ahead already holds it."""
        self._policy = policy if policy.max_digits else None
        if self._policy is None:
            self.clear()
            return None
        ahead, self._digits = self._digits, ""
        for index, digit in enumerate(ahead):
            answer = self.press(digit, now)
            if answer is not None:
                self._digits = ahead[index + 1 :]
                return answer
        return None

    def ignore(self) -> None:
        """Nothing is asked now; keys are kept as type-ahead."""
        self._policy = None
        self._deadline = None

    def clear(self) -> None:
        """Forget all keys."""
        self._digits = ""
        self._deadline = None

    def press(self, digit: str, now: float) -> str | None:
        """Take a key (0-9, *, #, A-D); returns the answer when it is complete. A lone terminator is ignored."""
        policy = self._policy
        if policy is None:
            self._digits = (self._digits + digit)[:MAX_TYPE_AHEAD]
            return None
        if digit == policy.terminator:
            return self._take() if self._digits else None
        self._digits += digit
        if len(self._digits) >= policy.max_digits:
            return self._take()
        self._deadline = now + policy.inter_digit_ms / 1000
        return None

    def handle_timer(self, now: float) -> str | None:
        """The answer, if the caller has stopped pressing keys."""
        if self._deadline is None or now < self._deadline:
            return None
        return self._take()

    def _take(self) -> str:
        digits, self._digits = self._digits, ""
        self._deadline = None
        return digits
