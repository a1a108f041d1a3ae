"""Tools that wait for a person: who is asked what, for how long, and what they said.

Nothing runs that nobody waits for any more: an answer counts only while the call still asks. A wish keeps its
answer and its deadline, so a caller who interrupts cannot make the same question be asked twice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey

DEFAULT_S = 45.0
"""As long as a caller can be kept company without an answer."""
LATE = "nobody answered in time"
REFUSED = "a person refused it"


class NothingWaits(LocalError):
    """The wish is decided, given up, or never was."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a wish. ``by`` is empty where nobody answered in time."""

    approved: bool
    by: str = ""

    @property
    def reason(self) -> str:
        """Why it is not run, for the model and for people; empty where it is."""
        if self.approved:
            return ""
        return REFUSED if self.by else LATE


class Asked:
    """One wish before a person. Enter it while a reply waits for the answer."""

    def __init__(
        self, desk: Approvals, call_id: CallId, key: IdempotencyKey, within_s: float, clock: Clock
    ) -> None:
        self.call_id = call_id
        self.key = key
        self.verdict: Verdict | None = None
        self._desk = desk
        self._clock = clock
        self._deadline = clock.monotonic() + within_s
        self._answered = asyncio.Event()

    @property
    def left_s(self) -> float:
        """Seconds until the answer is no."""
        return max(0.0, self._deadline - self._clock.monotonic())

    async def wait(self, patience_s: float) -> Verdict | None:
        """The verdict, or None where there is none after ``patience_s`` and time is left."""
        left_s = self.left_s
        if self.verdict is None and left_s > 0:
            waiting = asyncio.ensure_future(self._answered.wait())
            try:
                await asyncio.wait({waiting}, timeout=min(patience_s, left_s))
            finally:
                waiting.cancel()
        # Not by the clock again: a timer may fire a moment early, and that moment would be waited for in circles.
        if self.verdict is None and left_s <= patience_s:
            self.verdict = Verdict(False)
        return self.verdict

    def answer(self, verdict: Verdict) -> None:
        """A person has decided; the first answer counts."""
        self.verdict = self.verdict or verdict
        self._answered.set()

    def __enter__(self) -> Self:
        self._desk.open(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._desk.close(self)


class Approvals:
    """All wishes of a node that wait at this moment."""

    def __init__(self) -> None:
        self._open: list[Asked] = []

    def open(self, asked: Asked) -> None:
        """A reply waits for the answer."""
        self._open.append(asked)

    def close(self, asked: Asked) -> None:
        """It does not any more. A reply that was dropped may leave after the next one has come."""
        self._open.remove(asked)

    def judge(self, call_id: CallId, key: str, verdict: Verdict) -> None:
        """Answer; raises :class:`NothingWaits`."""
        for asked in self._open:
            if (asked.call_id, asked.key) == (call_id, key) and asked.verdict is None:
                asked.answer(verdict)
                return
        raise NothingWaits("no such tool of this call waits for an answer")
