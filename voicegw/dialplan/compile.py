"""Routes made ready to match: patterns compiled, time zones found, causes looked up.

Every condition answers with one method: ``failure(request)`` is None where it holds and else the reason in plain
words. Matching and explaining share it, so that ``route-test`` cannot tell anything but what happens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voicegw.base.causes import HangupCause
from voicegw.call.consent import RecordingPolicy
from voicegw.dialplan.model import WEEKDAYS, MatchBlock, RouteEntry, TextMatch, TimeWindow, reject_cause
from voicegw.dialplan.safe_regex import MAX_TEXT, compile_safe


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """What a route may look at. ``called`` and ``calling`` are user parts; ``at`` carries its time zone."""

    called: str
    calling: str
    at: datetime
    headers: tuple[tuple[str, str], ...] = ()
    trunk: str = ""
    """By which the call came; empty for one of no trunk."""
    original_called: str = ""
    """Whom the caller had dialled, where somebody sent the call on."""
    recorded: bool = False
    """It is a recording session (RFC 7866): others talk, and we are sent what they say."""
    verified: str = ""
    """What became of the caller's signature: ``passed``, ``failed``, ``none``, or "" where nobody looked at it."""
    attestation: str = ""
    """What it attests, where it has passed: ``A``, ``B``, ``C``."""


class Condition(Protocol):
    """One key of a match block."""

    def failure(self, request: RouteRequest) -> str | None:
        """None where the condition holds, else why not."""
        ...


@dataclass(frozen=True, slots=True)
class TextTest:
    """A compiled :class:`TextMatch`."""

    exact: str | None
    prefix: str | None
    pattern: re.Pattern[str] | None
    present: bool | None

    def failure(self, value: str) -> str | None:
        """None where ``value`` passes, else the end of a sentence that begins with the value."""
        if self.exact is not None:
            return None if value == self.exact else f"is not '{self.exact}'"
        if self.prefix is not None:
            return None if value.startswith(self.prefix) else f"does not begin with '{self.prefix}'"
        if self.pattern is not None:
            found = self.pattern.fullmatch(value[:MAX_TEXT])
            return None if found else f"does not match the pattern {self.pattern.pattern}"
        if self.present:
            return None if value else "is empty"
        return "is not empty" if value else None


@dataclass(frozen=True, slots=True)
class NumberCondition:
    """On the called or the calling number."""

    which: str
    test: TextTest

    def failure(self, request: RouteRequest) -> str | None:
        value = request.called if self.which == "called" else request.calling
        reason = self.test.failure(value)
        return reason and f"the {self.which} number '{value}' {reason}"


@dataclass(frozen=True, slots=True)
class TrunkCondition:
    """On the trunk that a call came by."""

    test: TextTest

    def failure(self, request: RouteRequest) -> str | None:
        reason = self.test.failure(request.trunk)
        return reason and f"the trunk '{request.trunk}' {reason}"


@dataclass(frozen=True, slots=True)
class SignatureCondition:
    """On the caller's signature (STIR). What it attests counts where it has passed, else anybody could claim it."""

    verified: tuple[str, ...] = ()
    attestation: tuple[str, ...] = ()

    def failure(self, request: RouteRequest) -> str | None:
        found = request.verified or "none"
        if self.verified and found not in self.verified:
            return f"the caller's signature has '{found}' and not {' or '.join(self.verified)}"
        attested = request.attestation if found == "passed" else ""
        if self.attestation and attested not in self.attestation:
            return f"the caller's signature attests '{attested}' and not {' or '.join(self.attestation)}"
        return None


@dataclass(frozen=True, slots=True)
class OriginalCondition:
    """On the number that the caller had dialled before the call was sent on."""

    test: TextTest

    def failure(self, request: RouteRequest) -> str | None:
        reason = self.test.failure(request.original_called)
        return reason and f"the number dialled at first, '{request.original_called}', {reason}"


@dataclass(frozen=True, slots=True)
class HeaderCondition:
    """On a SIP header; names compare without case (RFC 3261 §7.3.1)."""

    name: str
    test: TextTest

    def failure(self, request: RouteRequest) -> str | None:
        values = [value for name, value in request.headers if name.lower() == self.name.lower()]
        if self.test.present is not None:
            if bool(values) == self.test.present:
                return None
            return f"the header {self.name} was {'not ' if self.test.present else ''}sent"
        if not values:
            return f"the header {self.name} was not sent"
        reasons = [self.test.failure(value) for value in values]
        if None in reasons:
            return None
        return f"the header {self.name} '{values[0]}' {reasons[0]}"


@dataclass(frozen=True, slots=True)
class Window:
    """A compiled :class:`TimeWindow`; minutes count from local midnight."""

    days: frozenset[int]
    from_minute: int
    to_minute: int
    dates: tuple[tuple[date, date], ...]
    zone: tzinfo
    text: str

    def open_at(self, at: datetime) -> bool:
        """Whether the window is open; a window over midnight belongs to the day on which it begins."""
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.from_minute < self.to_minute:
            return self._day(local.date()) and self.from_minute <= minute < self.to_minute
        if minute >= self.from_minute:
            return self._day(local.date())
        return minute < self.to_minute and self._day(local.date() - timedelta(days=1))

    def _day(self, day: date) -> bool:
        on_date = not self.dates or any(first <= day <= last for first, last in self.dates)
        return on_date and day.weekday() in self.days


@dataclass(frozen=True, slots=True)
class TimeCondition:
    """Any of the windows is open."""

    windows: tuple[Window, ...]

    def failure(self, request: RouteRequest) -> str | None:
        if any(window.open_at(request.at) for window in self.windows):
            return None
        local = request.at.astimezone(self.windows[0].zone)
        shown = f"{WEEKDAYS[local.weekday()]} {local:%Y-%m-%d %H:%M}"
        return f"the time {shown} is outside {' and '.join(window.text for window in self.windows)}"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is said before the answer or the refusal. ``language`` and ``voice`` are for one with no agent."""

    text: str
    language: str = "en-US"
    voice: str = ""


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A route ready to match; ``line`` is in the file.

    ``agent`` is empty where it rejects or records; ``language`` is that of those who are recorded, else empty.
    """

    name: str
    line: int
    conditions: tuple[Condition, ...]
    agent: str
    cause: HangupCause
    sip_status: int
    recording: RecordingPolicy | None = None
    announcement: Announcement | None = None
    language: str = ""

    def failures(self, request: RouteRequest) -> Iterator[str]:
        """Every reason why the route does not take the call, in plain words; none where it does."""
        if request.recorded and self.agent:
            yield "others are recorded in it (SIPREC), and an agent would have nobody to talk with"
        if self.language and not request.recorded:
            yield "it is a call and not a recording session (SIPREC)"
        for condition in self.conditions:
            if (reason := condition.failure(request)) is not None:
                yield reason


def compile_route(entry: RouteEntry, line: int, default_zone: str) -> CompiledRoute:
    """Compile one route; raises ``ValueError`` for an unknown time zone or an impossible date."""
    cause, status = (HangupCause.ROUTE_REJECTED, 0)
    if entry.reject is not None:
        cause, status = reject_cause(entry.reject)
    conditions = tuple(_conditions(entry.match, default_zone))
    recording = RecordingPolicy(entry.recording) if entry.recording is not None else None
    said = entry.announce
    announcement = Announcement(said.text, said.language, said.voice) if said is not None else None
    return CompiledRoute(
        entry.name,
        line,
        conditions,
        entry.agent or "",
        cause,
        status,
        recording,
        announcement,
        entry.record.language if entry.record is not None else "",
    )


def find_zone(name: str) -> tzinfo:
    """The IANA time zone; raises ``ValueError`` where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"'{name}' is not a time zone of this machine"
        raise ValueError(f"{message}\nfix: use an IANA name such as Europe/London, or install tzdata") from None


def _conditions(match: MatchBlock, default_zone: str) -> Sequence[Condition]:
    conditions: list[Condition] = []
    if match.called:
        conditions.append(NumberCondition("called", _text_test(match.called)))
    if match.calling:
        conditions.append(NumberCondition("calling", _text_test(match.calling)))
    if match.trunk:
        conditions.append(TrunkCondition(_text_test(match.trunk)))
    if match.verified or match.attestation:
        conditions.append(SignatureCondition(match.verified, match.attestation))
    if match.original_called:
        conditions.append(OriginalCondition(_text_test(match.original_called)))
    conditions += [HeaderCondition(name, _text_test(test)) for name, test in match.header.items()]
    if match.time:
        conditions.append(TimeCondition(tuple(_window(window, default_zone) for window in match.time)))
    return conditions


def _text_test(match: TextMatch) -> TextTest:
    pattern = compile_safe(match.regex) if match.regex is not None else None
    return TextTest(match.exact, match.prefix, pattern, match.present)


def _window(window: TimeWindow, default_zone: str) -> Window:
    zone = window.zone or default_zone
    days = frozenset(WEEKDAYS.index(day) for day in window.days)
    text = f"{','.join(window.days)} {window.from_}-{window.to} {zone}"
    dates = tuple(_dates(item) for item in window.dates)
    return Window(days, _minutes(window.from_), _minutes(window.to), dates, find_zone(zone), text)


def _minutes(clock: str) -> int:
    if clock == "24:00":
        return 24 * 60
    parsed = time.fromisoformat(clock)
    return parsed.hour * 60 + parsed.minute


def _dates(item: str) -> tuple[date, date]:
    first, _, last = item.partition("..")
    try:
        return date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise ValueError(f"'{item}' is not in the calendar\nfix: check the day and the month") from None
