"""Session timers (RFC 4028): both sides learn by regular requests that the other one still knows of the call.

Pure: header values and a policy in, what is agreed and the headers to send out. A call that lost its peer without a
BYE would otherwise stay for ever, and most carriers end calls that nobody refreshes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.sip.grammar import parse_params
from voicegw.sip.message import Headers
from voicegw.sip.reply import Pairs

TIMER: Final = "timer"
"""The option tag (§4)."""
LEAST_S: Final = 90
"""No Min-SE is smaller (§5); a header without one means this."""
LONGEST_S: Final = 2**31 - 1
LATEST_BYE_S: Final = 32
_DELTA = re.compile(r"[0-9]{1,10}")


class Refresher(Enum):
    """Who refreshes, in the words of the transaction that agreed it: its client or its server."""

    UAC = "uac"
    UAS = "uas"


@dataclass(frozen=True, slots=True)
class SessionTimerPolicy:
    """What we want of session timers."""

    session_expires_s: int = 1800
    """The interval that we ask for, RFC 4028 §4 recommends half an hour. 0: only what a peer asks for."""
    min_se_s: int = LEAST_S
    """The shortest interval that we agree to."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if not 2 <= self.min_se_s <= LONGEST_S:
            raise ConfigError(f"min_se_s is {self.min_se_s}", fix=f"take {LEAST_S}, less only in closed networks")
        if self.session_expires_s and not self.min_se_s <= self.session_expires_s <= LONGEST_S:
            fix = "0, or at least min_se_s"
            raise ConfigError(f"session_expires_s is {self.session_expires_s}", fix=fix)


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The header (§4): seconds, and who refreshes if that is said."""

    interval_s: int
    refresher: Refresher | None = None

    @classmethod
    def parse(cls, value: str) -> SessionExpires:
        """Parse the header; RemoteProtocolError for what is none."""
        delta, semicolon, rest = value.partition(";")
        named = (parse_params(semicolon + rest).get("refresher") or "").lower()
        known = [refresher for refresher in Refresher if refresher.value == named]
        if named and not known:
            raise RemoteProtocolError(f"unknown refresher {named[:20]!r}")
        return cls(_seconds(delta), known[0] if known else None)

    def __str__(self) -> str:
        return f"{self.interval_s};refresher={self.refresher.value}" if self.refresher else str(self.interval_s)


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What is agreed. ``ours``: we refresh. ``peer_knows``: the peer supports session timers itself."""

    interval_s: int
    ours: bool
    peer_knows: bool

    @property
    def refresh_s(self) -> float:
        """When a refresh of ours is due, in seconds after the last one: at half of the interval (§10)."""
        return self.interval_s / 2

    @property
    def expiry_s(self) -> float:
        """When a session without a refresh is given up: 32 s, or a third, before its end (§10)."""
        return self.interval_s - min(LATEST_BYE_S, self.interval_s / 3)


def offered(policy: SessionTimerPolicy, current: SessionTimer | None, min_se_s: int) -> Pairs:
    """The headers of an INVITE, re-INVITE or UPDATE of ours (§7.1, §7.4).

    ``current``: what holds in the dialog, or None. ``min_se_s``: the largest Min-SE seen in it, 0 for none. A first
    request leaves the peer the choice who refreshes; later ones say who does.
    """
    wanted = current.interval_s if current is not None else policy.session_expires_s
    if not wanted:
        return ()
    refresher = None if current is None else Refresher.UAC if current.ours else Refresher.UAS
    pairs = (("Session-Expires", str(SessionExpires(max(wanted, min_se_s), refresher))),)
    least = max(min_se_s, policy.min_se_s)
    return (*pairs, ("Min-SE", str(least))) if least != LEAST_S or min_se_s else pairs


def is_too_brief(headers: Headers, policy: SessionTimerPolicy) -> bool:
    """Whether a request is to be refused with 422: only a sender that knows session timers can do better (§9)."""
    wanted = wish(headers)
    return wanted is not None and knows_timer(headers) and wanted.interval_s < policy.min_se_s


def granted(headers: Headers, policy: SessionTimerPolicy) -> tuple[SessionTimer | None, Pairs]:
    """What we agree to in the 2xx to a request with these headers, and the headers that say so (§9, table 2).

    An interval may be lowered to ours, but never below the Min-SE that proxies and the peer have set. Where the
    choice is ours, we refresh: so no call depends on whether the peer's refreshing works.
    """
    wanted, peer_knows = wish(headers), knows_timer(headers)
    if wanted is None and not policy.session_expires_s:
        return None, ()
    least = min_se(headers)
    if wanted is None:
        interval = max(policy.session_expires_s, least)
    else:
        interval = min(wanted.interval_s, max(policy.session_expires_s or wanted.interval_s, least))
    by_peer = peer_knows and wanted is not None and wanted.refresher is Refresher.UAC
    refresher = Refresher.UAC if by_peer else Refresher.UAS
    timer = SessionTimer(max(interval, policy.min_se_s), not by_peer, peer_knows)
    pairs: Pairs = (("Session-Expires", str(SessionExpires(interval, refresher))),)
    return timer, (("Require", TIMER), *pairs) if peer_knows else pairs


def agreed(headers: Headers, policy: SessionTimerPolicy, current: SessionTimer | None) -> SessionTimer | None:
    """What the 2xx to a request of ours agreed (§7.2); None: the session does not expire.

    A peer that does not know session timers never repeats the header: where we watch over it of our own accord, a
    2xx of it means that we go on.
    """
    answer = wish(headers)
    if answer is None:
        return current if current is not None and current.ours and not current.peer_knows else None
    peer_knows = knows_timer(headers)
    return SessionTimer(max(answer.interval_s, policy.min_se_s), answer.refresher is not Refresher.UAS, peer_knows)


def wish(headers: Headers) -> SessionExpires | None:
    """The Session-Expires of a message; None without one, or with one that says nothing."""
    value = headers.get("Session-Expires")
    if value is None:
        return None
    try:
        return SessionExpires.parse(value)
    except RemoteProtocolError:
        return None


def min_se(headers: Headers) -> int:
    """The Min-SE of a message in seconds; 0 where it has none or a broken one."""
    value = headers.get("Min-SE")
    if value is None:
        return 0
    try:
        return _seconds(value.partition(";")[0])
    except RemoteProtocolError:
        return 0


def knows_timer(headers: Headers) -> bool:
    """Whether the sender supports session timers: a 2xx may say so by what it requires."""
    tags = (*headers.values("Supported"), *headers.values("Require"))
    return any(tag.lower() == TIMER for tag in tags)


def _seconds(text: str) -> int:
    match = _DELTA.fullmatch(text.strip())
    if match is None or int(match.group()) > LONGEST_S:
        raise RemoteProtocolError(f"no seconds: {text[:20]!r}")
    return int(match.group())
