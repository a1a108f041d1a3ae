"""The grammar of authentication headers: a scheme and parameters, some of them quoted (RFC 3261 §20.7, §20.44).

Values are kept without their quotes; what was escaped inside them is resolved, and escaped again when written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.grammar import TOKEN, is_fit, is_token, match_quoted, quote, split_list

MAX_PARAMS = 32
"""More parameters than any extension adds; a header of 64 kB is not worth a dictionary."""
_NEW_SCHEME = re.compile(rf"({TOKEN})[ \t]+(?={TOKEN}[ \t]*=)")
_UNQUOTED = frozenset({"algorithm", "qop", "nc", "stale", "userhash", "charset"})
"""In credentials and, but for qop, in challenges: these stand without quotes (RFC 7616 §3.3, §3.4)."""


@dataclass(frozen=True, slots=True)
class AuthHeader:
    """One challenge or one set of credentials. Parameters in the order of the header, names in lower case."""

    scheme: str
    params: Mapping[str, str]

    @property
    def is_digest(self) -> bool:
        """The only scheme that SIP has (RFC 8760 §2)."""
        return self.scheme.lower() == "digest"

    def get(self, name: str) -> str:
        """The value of a parameter, empty without it."""
        return self.params.get(name, "")

    def is_true(self, name: str) -> bool:
        """Whether a flag is set, such as ``stale``; some peers quote it."""
        return self.get(name).strip().lower() == "true"


def parse_auth(line: str) -> list[AuthHeader]:
    """Read a header line: one set of credentials, or challenges, of which HTTP allows several in a line.

    RemoteProtocolError for what is none, and for a parameter that stands twice: two readers would take two values.
    """
    if not is_fit(line):
        raise RemoteProtocolError("control character in an authentication header")
    found: list[tuple[str, dict[str, str]]] = []
    for part in split_list(line):
        if not part:
            continue
        start = _NEW_SCHEME.match(part)
        if start is not None:
            found.append((start.group(1), {}))
            part = part[start.end() :]
        elif not found:
            raise RemoteProtocolError(f"no authentication scheme: {line[:60]!r}")
        name, value = _parse_param(part)
        params = found[-1][1]
        if name in params or len(params) >= MAX_PARAMS:
            raise RemoteProtocolError(f"authentication parameter repeated or too many: {name[:40]!r}")
        params[name] = value
    return [AuthHeader(scheme, params) for scheme, params in found]


def _parse_param(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name, value = name.strip().lower(), value.strip()
    if not equals or not is_token(name):
        raise RemoteProtocolError(f"bad authentication parameter {text[:60]!r}")
    if not value.startswith('"'):
        if re.search(r'[\s"]', value) is not None:
            raise RemoteProtocolError(f"bad authentication value {text[:60]!r}")
        return name, value
    quoted = match_quoted(value)
    if quoted is None or quoted[1].strip():
        raise RemoteProtocolError(f"bad quotes in {text[:60]!r}")
    return name, quoted[0]


def write_auth(header: AuthHeader, *, quoted: frozenset[str] = frozenset()) -> str:
    """Write a header value. ``quoted``: parameters that stand in quotes here though most do without."""
    parts = [
        f"{name}={value}" if name in _UNQUOTED and name not in quoted else f"{name}={quote(value)}"
        for name, value in header.params.items()
    ]
    return f"{header.scheme} {', '.join(parts)}"
