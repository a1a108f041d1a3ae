"""Following 3xx: which Contact is tried next (RFC 3261 §8.1.3.4, §21.3). Pure; a call of ours has one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers
from voicegw.sip.uri import SipUri

MAX_TARGETS: Final = 5
"""So many other targets a call is sent on to, whatever is still listed: more of them go round in circles."""
FOLLOWED: Final = frozenset({300, 301, 302})
"""305 names a proxy, which nobody uses for good reasons, and 380 describes a service in a body."""


class Redirection:
    """The targets of one call: each is tried once, and the best first."""

    def __init__(self, first_target: str, allows: Callable[[str], bool]) -> None:
        """``allows``: whether we may be sent to a URI."""
        self._tried = [SipUri.parse(first_target)]
        self._allows = allows
        self._left: list[str] = []

    def receive(self, headers: Headers) -> None:
        """A 3xx of :data:`FOLLOWED` came: its Contacts go before those of an earlier one."""
        ranked = sorted(_contacts(headers), key=lambda contact: -contact[0])
        self._left = [uri for _, uri in ranked if self._allows(uri)] + self._left

    def next_target(self) -> str | None:
        """Whom to call now; None where nobody is left, or enough have been tried."""
        while self._left and len(self._tried) <= MAX_TARGETS:
            uri = self._left.pop(0)
            parsed = SipUri.parse(uri)
            if not any(parsed.equivalent(tried) for tried in self._tried):
                self._tried.append(parsed)
                return uri
        return None


def _contacts(headers: Headers) -> list[tuple[float, str]]:
    """(q, URI) of each Contact that a call can go to; headers in the URI, which would become ours, are left out."""
    found = []
    for value in headers.values("Contact"):
        try:
            contact = NameAddr.parse(value)
            found.append((_q(contact.params.get("q")), str(replace(SipUri.parse(contact.uri), headers=()))))
        except RemoteProtocolError:
            continue
    return found


def _q(text: str | None) -> float:
    """The preference, 0 to 1 (§20.10); one that is not said or not understood counts as 1."""
    try:
        return min(1.0, max(0.0, float(text))) if text is not None else 1.0
    except ValueError:
        return 1.0
