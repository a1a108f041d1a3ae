"""Passwords at rest: argon2id (RFC 9106). Checking costs tens of milliseconds on purpose: it runs in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")

MIN_LENGTH = 12
MAX_LENGTH = 256
"""Longer ones are refused before they are hashed: a megabyte of password is an attack."""


def weakness(password: str, name: str) -> str | None:
    """What is wrong with a new password, else None. Length beats composition (NIST SP 800-63B §5.1.1)."""
    if len(password) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    if len(password) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters"
    if len(set(password)) < 5:
        return "repeats too few characters"
    if name and name.lower() in password.lower():
        return "must not contain the user's name"
    return None


class Passwords:
    """Hashes and checks in at most two threads: a flood of logins waits and leaves the machine to the calls.

    RFC 9106 §4 second choice: 64 MiB, 3 passes; one lane, since cores belong to calls.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
        self._threads = ThreadPoolExecutor(2, "passwords")
        self._nobody = self._hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        """The encoded hash with its salt and parameters."""
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def check(self, encoded: str | None, password: str) -> bool:
        """Whether the password is right. None (no such user) takes the same time and is always wrong."""
        matches = await self._in_thread(lambda: self._matches(encoded or self._nobody, password))
        return matches and encoded is not None

    def is_dated(self, encoded: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password[: MAX_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
