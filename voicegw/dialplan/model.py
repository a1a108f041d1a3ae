"""The dialplan as the administrator writes it.

Order is priority, all keys of ``match`` must hold (AND), and the first route that matches wins.
``docs/dialplan.md`` is the reference with examples.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from voicegw.base.causes import HangupCause, Side
from voicegw.dialplan.checked import StrictModel, did_you_mean
from voicegw.dialplan.safe_regex import compile_safe

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Verified: TypeAlias = Literal["passed", "failed", "none"]
Attestation: TypeAlias = Literal["A", "B", "C"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:\.\.\d{4}-\d\d-\d\d)?")


class TextMatch(StrictModel):
    """A condition on a number or a header value; plain text is short for ``exact``."""

    exact: str | None = None
    """The whole text."""
    prefix: str | None = None
    """How the text begins."""
    regex: str | None = None
    """A pattern for the whole text; a safe subset of Python's."""
    present: bool | None = None
    """Whether there is any text at all (for headers: whether the header was sent)."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"exact": str(value)} if isinstance(value, str | int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> TextMatch:
        given = [key for key in ("exact", "prefix", "regex", "present") if getattr(self, key) is not None]
        if len(given) != 1:
            found = "none of them" if not given else " and ".join(given)
            raise ValueError(f"needs one of exact, prefix, regex, present, but has {found}\nfix: keep one")
        return self

    @field_validator("regex")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is not None:
            compile_safe(value)
        return value


class TimeWindow(StrictModel):
    """A weekly window. ``22:00`` to ``06:00`` runs over midnight and belongs to the day on which it begins."""

    days: tuple[Weekday, ...] = WEEKDAYS
    """``mon``, or a range ``mon-fri``; default every day."""
    from_: str = Field(default="00:00", alias="from")
    """Local time of day at which the window opens (inclusive)."""
    to: str = "24:00"
    """Local time of day at which it closes (exclusive)."""
    dates: tuple[str, ...] = ()
    """``2026-12-25`` or ``2026-12-24..2026-12-26``: only on these; default every date."""
    zone: str | None = None
    """IANA name such as ``Europe/London``; default the ``time_zone`` of the file."""

    @field_validator("dates", mode="before")
    @classmethod
    def _one_or_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("days", mode="before")
    @classmethod
    def _ranges(cls, value: object) -> object:
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list | tuple):
            return value
        days: list[object] = []
        for item in value:
            days += _day_range(item) if isinstance(item, str) else [item]
        return days

    @field_validator("from_", "to")
    @classmethod
    def _clock(cls, value: str) -> str:
        if not _CLOCK.fullmatch(value) or value > "24:00":
            raise ValueError(f"'{value}' is not a time of day\nfix: write it as 09:00, at most 24:00")
        return value.zfill(5)

    @field_validator("dates")
    @classmethod
    def _dates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            if not _DATE.fullmatch(item):
                raise ValueError(f"'{item}' is not a date\nfix: write 2026-12-25 or 2026-12-24..2026-12-26")
        return value


def _day_range(item: str) -> list[str]:
    """``fri-mon`` → fri, sat, sun, mon; anything else as it is."""
    first, dash, last = (part.strip() for part in item.lower().partition("-"))
    known: tuple[str, ...] = WEEKDAYS
    if not dash or first not in known or last not in known:
        return [item.lower()]
    start, span = known.index(first), (known.index(last) - known.index(first)) % 7
    return [known[(start + i) % 7] for i in range(span + 1)]


class MatchBlock(StrictModel):
    """All conditions of a route; a key that is absent always holds."""

    called: TextMatch | None = None
    """User part of the called URI."""
    calling: TextMatch | None = None
    """User part of the caller's URI."""
    trunk: TextMatch | None = None
    """Name of the trunk that the call came by; empty for a call of no trunk."""
    verified: tuple[Verified, ...] = ()
    """What became of the caller's signature: one of these must be so; ``none`` also where nobody looked at it."""
    attestation: tuple[Attestation, ...] = ()
    """What a signature attests that has been verified: one of these, ``A``, ``B``, ``C``. Claims do not count."""
    original_called: TextMatch | None = None
    """The number that the caller had dialled, where somebody sent the call on (Diversion, History-Info)."""
    header: dict[str, TextMatch] = Field(default_factory=dict)
    """By header name, in any case; one value of several is enough."""
    time: tuple[TimeWindow, ...] = ()
    """One window or a list of which one must be open."""

    @field_validator("time", "verified", "attestation", mode="before")
    @classmethod
    def _one_or_list(cls, value: object) -> object:
        return [value] if isinstance(value, dict | str) else value


class Announce(StrictModel):
    """What callers of a route hear before their call is answered or refused; plain text is short for ``text``."""

    text: str = Field(min_length=1)
    language: str = "en-US"
    """BCP 47 tag of a refusal's announcement; that of a call to an agent is in the agent's language."""
    voice: str = ""
    """The synthesiser's name of a voice, for a refusal; empty for its default."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value


class RecordBlock(StrictModel):
    """How a recording session (SIPREC) is taken: nobody of ours speaks in it."""

    language: str = Field(default="en-US", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$")
    """What is spoken, as a BCP 47 tag: whoever is recorded is put down in writing in this language."""


class RouteEntry(StrictModel):
    """One route: a name, conditions and one action. Agents take calls, ``record`` recording sessions."""

    name: str = Field(min_length=1)
    match: MatchBlock = MatchBlock()
    agent: str | None = Field(default=None, min_length=1)
    """Connect to this agent."""
    reject: str | None = None
    """Refuse the call: a cause by name (``busy``) or a SIP status (``486``)."""
    record: RecordBlock | None = None
    """Record what others say to each other (RFC 7866), where a trunk may send that; ``{}`` for all as it comes."""
    recording: Literal["always", "after_consent", "never"] | None = None
    """When calls of this route are recorded, in place of what the agent's file says."""
    announce: Announce | None = None
    """Said in early media: before the agent answers, or before the refusal. It costs the caller nothing."""

    @field_validator("reject")
    @classmethod
    def _known_cause(cls, value: str | None) -> str | None:
        if value is not None:
            reject_cause(value)
        return value

    @model_validator(mode="after")
    def _one_action(self) -> RouteEntry:
        if sum(action is not None for action in (self.agent, self.reject, self.record)) != 1:
            raise ValueError("needs 'agent', 'reject' or 'record'\nfix: keep exactly one of them")
        if self.recording is not None and self.reject is not None:
            raise ValueError("'recording' means nothing where a call is refused\nfix: remove it")
        if self.announce is not None and self.agent is not None and self.announce.model_fields_set - {"text"}:
            raise ValueError("an agent's announcement is in its own voice and language\nfix: give only the text")
        if self.recording == "after_consent" and self.record is not None:
            raise ValueError("nobody can be asked in a recording session\nfix: write always or never")
        if self.announce is not None and self.record is not None:
            raise ValueError("nobody hears an announcement in a recording session\nfix: remove it")
        return self


class DialplanFile(StrictModel):
    """The whole file."""

    time_zone: str = "UTC"
    """IANA zone of time windows that name none."""
    routes: tuple[RouteEntry, ...] = Field(min_length=1)


def reject_cause(text: str) -> tuple[HangupCause, int]:
    """The cause and the SIP status that ``reject: text`` means; raises ``ValueError``."""
    ours = (cause for cause in HangupCause if cause.value.side is not Side.CALLEE or cause is HangupCause.NO_ANSWER)
    by_name = {cause.value.name: cause for cause in ours if cause.value.sip_status >= 400}
    if text in by_name:
        return by_name[text], by_name[text].value.sip_status
    if re.fullmatch(r"[4-6]\d\d", text):
        status = int(text)
        causes = (cause for cause in by_name.values() if cause.value.sip_status == status)
        return next(causes, HangupCause.ROUTE_REJECTED), status
    hint = did_you_mean(text, by_name)
    raise ValueError(f"'{text}' is neither a cause nor a SIP status from 400 to 699\nfix: {hint}")
