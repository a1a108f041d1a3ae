"""The words of event subscriptions (RFC 6665): Event, Expires and Subscription-State, read and written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.grammar import Params, parse_params
from voicegw.sip.message import Headers

DEFAULT_S: Final = 3600
"""What a SUBSCRIBE without Expires asks for."""
LEAST_S: Final = 60
LONGEST_S: Final = 7200
_DELTA: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class EventName:
    """The header (§8.2.1): a package, and an id where one dialog has several subscriptions to it."""

    package: str
    id: str = ""

    @classmethod
    def parse(cls, value: str) -> EventName:
        """Parse the header; RemoteProtocolError (489) for none."""
        package, semicolon, rest = value.partition(";")
        if not package.strip():
            raise RemoteProtocolError("no event package", 489)
        return cls(package.strip().lower(), parse_params(semicolon + rest).get("id") or "")

    def __str__(self) -> str:
        return f"{self.package};id={self.id}" if self.id else self.package


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """The header (§8.2.3). ``expires_s`` and ``retry_after_s`` are None where they are not said."""

    state: str
    expires_s: int | None = None
    reason: str = ""
    retry_after_s: int | None = None

    @classmethod
    def parse(cls, value: str) -> SubscriptionState:
        """Parse the header; RemoteProtocolError for none."""
        state, semicolon, rest = value.partition(";")
        if not state.strip():
            raise RemoteProtocolError("no Subscription-State")
        params = parse_params(semicolon + rest)
        return cls(
            state.strip().lower(),
            _seconds_of(params, "expires"),
            (params.get("reason") or "").lower(),
            _seconds_of(params, "retry-after"),
        )

    @property
    def is_over(self) -> bool:
        """Whether no NOTIFY will follow."""
        return self.state == "terminated"

    def __str__(self) -> str:
        expires = "" if self.expires_s is None else f";expires={self.expires_s}"
        reason = f";reason={self.reason}" if self.reason else ""
        retry = "" if self.retry_after_s is None else f";retry-after={self.retry_after_s}"
        return f"{self.state}{expires}{reason}{retry}"


def expires_of(headers: Headers, default: int = DEFAULT_S) -> int:
    """The seconds of Expires; ``default`` without it. RemoteProtocolError for what is no number."""
    text = headers.get("Expires")
    if text is None:
        return default
    if _DELTA.fullmatch(text.strip()) is None:
        raise RemoteProtocolError(f"bad Expires {text[:20]!r}")
    return min(int(text), 2**32 - 1)


def _seconds_of(params: Params, name: str) -> int | None:
    text = (params.get(name) or "").strip()
    return int(text) if _DELTA.fullmatch(text) else None
