"""Whom a peer may send our calls to, by REFER or by 3xx. Nobody, unless the administrator says so.

Whoever can make us call a number of their choice makes us pay for it: toll fraud needs no more than one 302.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import Final

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.sip.grammar import from_wire, unescape
from voicegw.sip.uri import SipUri

_PATTERN: Final = re.compile(r"sips?:(?:([^@\s]+)@)?([^@\s:]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}|\*))?")


class TargetPolicy:
    """An allow-list of SIP URIs. ``*`` stands for any text within the user part, the host or the port.

    ``sip:*@10.0.0.7`` is everybody at that host and port 5060, ``sip:200@10.0.0.7:*`` one user at any port of it.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = tuple(_read(pattern) for pattern in patterns)

    def allows(self, uri: str) -> bool:
        """Whether a peer may name this target; never for what is no SIP URI."""
        try:
            parsed = SipUri.parse(uri)
        except RemoteProtocolError:
            return False
        user, host = from_wire(unescape(parsed.user or "")), parsed.address.lower()
        port = str(parsed.port) if parsed.port not in (None, 5060) else ""
        return any(
            fnmatch.fnmatchcase(user, users) and fnmatch.fnmatchcase(host, hosts) and ports in ("*", port)
            for users, hosts, ports in self._patterns
        )


@lru_cache(maxsize=256)
def policy_of(patterns: tuple[str, ...]) -> TargetPolicy:
    """The same for the same patterns: trunks have few, and calls are many."""
    return TargetPolicy(patterns)


def _read(pattern: str) -> tuple[str, str, str]:
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise ConfigError(f"no pattern of SIP URIs: {pattern!r}", fix="write sip:USER@HOST, * for any of them")
    user, host, port = found.groups()
    # Only the star is special: brackets are those of an IPv6 address, a question mark is a character.
    users = re.sub(r"([\[?])", r"[\1]", user or "")
    return users, host.strip("[]").lower(), "" if port in (None, "5060") else port
