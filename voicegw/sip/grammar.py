"""The small pieces of SIP grammar that every header and URI is made of: tokens, quotes, lists, parameters, hosts.

Text is latin-1 throughout: one character is one byte of the wire, so what a peer wrote goes back bit for bit.
Every scan is linear in its input, because a datagram may be 64 kB of quotes and angle brackets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from msgspec import Struct

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.memo import remembered

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
MAX_PARAMS = 128
"""Parameters of one value, semicolons in quotes included: thousands cost a quarter of a second to read."""
_TOKEN = re.compile(TOKEN)
# A string that is never closed runs to the end of the text instead of failing: a failing match would be tried again
# at every later quote, which is quadratic.
_QUOTED = r'"(?:[^"\\]|\\.?)*+(?:"|\Z)'
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_SPLITTERS = {
    separator: re.compile(rf"{_QUOTED}|<[^>]*+(?:>|\Z)|{separator}", re.DOTALL) for separator in (",", ";")
}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNFIT = re.compile(r"[\r\n]|(?<!\\)\x00|[^\x00-\xff]")
_NEEDS_BACKSLASH = re.compile(r'(["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f])')
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_.])?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_PLAIN_PARAM = re.compile(rf"({TOKEN})(?:=([!#-+\--:=?-~]*))?")
"""Without blanks, quotes and anything that could end it: nearly all that come."""
_ENDS_PARAM = re.compile(r'[\s;,"<>]')
_DOTTED = re.compile(r"[0-9.]+")
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)[ \t]*(?::[ \t]*([0-9]*))?")


def is_token(text: str) -> bool:
    """Tell whether ``text`` is a token (RFC 3261 §25.1)."""
    return _TOKEN.fullmatch(text) is not None


def is_fit(text: str) -> bool:
    """Tell whether ``text`` may stand in a header value: no CR, no LF, latin-1, NUL only as a quoted pair.

    The parser and every setter share this rule, so whatever was received can be copied into an answer.
    """
    return (text.isascii() and text.isprintable()) or _UNFIT.search(text) is None


def require_fit(text: str, what: str) -> str:
    """Return ``text``; raise LocalError where it could break out of its header line (header injection)."""
    if not is_fit(text):
        raise LocalError(f"{what} may not hold CR, LF, NUL or characters beyond latin-1: {text[:60]!r}")
    return text


def to_wire(text: str) -> str:
    """Turn text for people into the latin-1 view of its UTF-8 bytes, the form that headers are kept in."""
    return text.encode("utf-8", "replace").decode("latin-1")


def from_wire(text: str) -> str:
    """Turn a header's text into text for people: UTF-8 where it is valid, else as it stands."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def split_list(text: str, separator: str = ",") -> list[str]:
    """Split at a comma or semicolon that is outside quotes and angle brackets; parts are stripped, may be empty."""
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    start = 0
    for match in _SPLITTERS[separator].finditer(text):
        if match.group() == separator:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    parts.append(text[start:].strip())
    return parts


def match_quoted(text: str) -> tuple[str, str] | None:
    """Return (content unquoted, rest) where ``text`` starts with a quoted string, else None."""
    match = _QUOTED_STRING.match(text)
    if match is None:
        return None
    return re.sub(r"\\(.)", r"\1", match.group(1), flags=re.DOTALL), text[match.end() :]


def unquote(text: str) -> str:
    """Return the content of a quoted string, or ``text`` itself where it is not one."""
    quoted = match_quoted(text)
    return quoted[0] if quoted is not None and not quoted[1] else text


def quote(text: str) -> str:
    """Return ``text`` as a quoted string."""
    return '"' + _NEEDS_BACKSLASH.sub(r"\\\1", text) + '"'


def unescape(text: str) -> str:
    """Resolve %HH escapes (RFC 3261 §19.1.2); a percent sign without two hex digits stays."""
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text) if "%" in text else text


def check_host(host: str) -> str:
    """Return ``host``; raise RemoteProtocolError unless it is a name, an IPv4 literal or an IPv6 reference."""
    if host.startswith("["):
        literal = host[1:-1]
        valid = host.endswith("]") and "%" not in literal and _is_ipv6(literal)
    elif _DOTTED.fullmatch(host):
        valid = _IPV4.fullmatch(host) is not None
    else:
        valid = _NAME.fullmatch(host) is not None
    if not valid:
        raise RemoteProtocolError(f"bad host {host[:60]!r}")
    return host


def _is_ipv6(literal: str) -> bool:
    try:
        ipaddress.IPv6Address(literal)
    except ValueError:
        return False
    return True


def parse_port(text: str) -> int:
    """Return a port number from 1 to 65535; a larger one would make ``sendto`` raise OverflowError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise RemoteProtocolError(f"bad port {text[:20]!r}")
    return int(text)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Parse ``host[:port]``; an IPv6 address keeps its brackets."""
    return _known_host_port(text)


def _host_port(text: str) -> tuple[str, int | None]:
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise RemoteProtocolError(f"bad host and port {text[:60]!r}")
    port = None if match.group(2) is None else parse_port(match.group(2))
    return check_host(match.group(1)), port


_known_host_port = remembered(_host_port)


class Params(Struct, frozen=True, gc=False):
    """Parameters in order, values verbatim: ``;lr;tag=x``. Names compare without case; a flag has value None."""

    items: tuple[tuple[str, str | None], ...] = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of ``name``; None also for a flag, which ``in`` tells apart."""
        key = name.lower()
        for item, value in self.items:
            if item.lower() == key:
                return value
        return default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in [item.lower() for item, _ in self.items]

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def with_(self, name: str, value: str | None = None) -> Params:
        """Return a copy with ``name`` set once, in its old place or at the end; LocalError for an unfit value."""
        if not is_token(name) or (value is not None and not _fits_param(value)):
            raise LocalError(f"not a parameter: {name[:40]!r}={value!r}")
        key = name.lower()
        kept: list[tuple[str, str | None]] = []
        done = False
        for item in self.items:
            if item[0].lower() != key:
                kept.append(item)
            elif not done:
                kept.append((item[0], value))
                done = True
        return Params((*kept, (name, value)) if not done else tuple(kept))

    def without(self, name: str) -> Params:
        """Return a copy that has no ``name``."""
        return Params(tuple(item for item in self.items if item[0].lower() != name.lower()))

    def __str__(self) -> str:
        return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self.items)


NO_PARAMS = Params()


def _fits_param(value: str) -> bool:
    """Header parameters: token, host or quoted string (generic-param); what could end the parameter is refused."""
    if not is_fit(value):
        return False
    if value.startswith('"'):
        quoted = match_quoted(value)
        return quoted is not None and not quoted[1]
    return _ENDS_PARAM.search(value) is None


def parse_params(text: str) -> Params:
    """Parse the header parameters behind a value: "" or text that starts with a semicolon (RFC 3261 §7.3.1).

    Empty ones (``;tag=1;``) are common and harmless: they are left out.
    """
    text = text.strip()
    if not text:
        return Params()
    if text.count(";") > MAX_PARAMS:
        raise RemoteProtocolError("too many parameters")
    first, *rest = split_list(text, ";")
    if first:
        raise RemoteProtocolError(f"expected parameters, not {text[:60]!r}")
    return Params(tuple([_parse_param(part) for part in rest if part]))


def _parse_param(text: str) -> tuple[str, str | None]:
    plain = _PLAIN_PARAM.fullmatch(text)
    if plain is not None:
        return plain.group(1), plain.group(2)
    name, equals, value = text.partition("=")
    name = name.rstrip()
    if not is_token(name):
        raise RemoteProtocolError(f"bad parameter {text[:60]!r}")
    if not equals:
        return name, None
    value = value.lstrip()
    if not _fits_param(value):
        raise RemoteProtocolError(f"bad value of parameter {name[:40]!r}")
    return name, value
