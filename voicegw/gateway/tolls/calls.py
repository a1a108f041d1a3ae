"""The words of the toll rules: who wants a call, when, and why it may not be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from voicegw.base.causes import HangupCause


@dataclass(frozen=True, slots=True)
class Payer:
    """On whose behalf a call is placed; empty for what is not known."""

    agent: str = ""
    user: str = ""
    """Of the API, by name."""
    key: str = ""
    """The API key, by its id."""
    caller: str = ""
    """The number of the caller who is to be connected."""


NOBODY = Payer()


@dataclass(frozen=True, slots=True)
class TollCall:
    """A call that is to go by a trunk. ``number``: E.164 with a plus where its country is known."""

    trunk: str
    number: str
    payer: Payer = NOBODY


class Moment(NamedTuple):
    """Now: in monotonic seconds for what lasts, and as a date in the time zone of the rules."""

    now: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Barred:
    """A call that may not be, or may not go on. ``limit`` is the field of the configuration that says so."""

    rule: str
    """Empty: the section itself."""
    limit: str
    why: str
    fix: str = field(default="", compare=False)

    @property
    def cause(self) -> HangupCause:
        """Of the catalogue."""
        if self.limit == "max_call_s":
            return HangupCause.CALL_TOO_LONG
        if self.limit.startswith("spend_"):
            return HangupCause.BUDGET_SPENT
        if self.limit.startswith(("calls_", "new_")):
            return HangupCause.TOLL_LIMIT
        return HangupCause.TOLL_BARRED

    def __str__(self) -> str:
        """For people."""
        where = f"rule {self.rule!r}" if self.rule else "tolls"
        return f"{where}: {self.why}"
