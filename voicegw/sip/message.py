"""SIP messages as immutable values (RFC 3261 §7): headers kept verbatim and in order, the body as bytes.

Header text is latin-1, one character a byte, so that Via, From, To and Call-ID go back exactly as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from voicegw.base.errors import LocalError
from voicegw.sip.grammar import is_token, require_fit, split_list

COMPACT_FORMS = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
"""One-letter names (RFC 3261 §7.3.3 and the SIP parameters registry)."""

_LIST_NAMES = (
    "accept accept-contact accept-encoding accept-language alert-info allow allow-events call-info contact "
    "content-encoding content-language diversion error-info history-info in-reply-to p-asserted-identity "
    "p-preferred-identity path proxy-require reason record-route recv-info reject-contact request-disposition "
    "require route service-route supported unsupported via warning"
)
LIST_HEADERS = frozenset(_LIST_NAMES.split())
"""Headers whose commas separate values. Everything else may hold a comma of its own (Date, Subject, challenges)."""

_LONGEST_NAME = 64
"""Names up to this length are remembered, so that strange ones do not fill the memory."""
_KEYS = {short: name.lower() for short, name in COMPACT_FORMS.items()}


_URI = re.compile(r"[^\0\t\n\r \u0100-\U0010ffff]+")


@lru_cache(maxsize=1024)
def _known_key(name: str) -> str:
    lowered = name.lower()
    return _KEYS.get(lowered, lowered)


def header_key(name: str) -> str:
    """Return the name under which a header is compared: long form, lower case."""
    return _known_key(name) if len(name) <= _LONGEST_NAME else name.lower()


def _key_of_ours(name: str) -> str:
    """The same for a name that we write; LocalError unless it is a token."""
    if not is_token(name):
        raise LocalError(f"not a header name: {name[:40]!r}")
    return header_key(name)


_known_key_of_ours = lru_cache(maxsize=256)(_key_of_ours)
"""Names that agents and dialplans invent are few; one that is none is not remembered."""


class Headers:
    """An immutable, ordered multimap of header lines.

    Names are compared without case and across compact forms. Every method that sets a value raises LocalError for a
    name that is no token and for CR, LF or NUL: text from an API, a dialplan or a model must not add header lines.
    """

    __slots__ = ("_items", "_keys", "_first")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        items = tuple(pairs)
        self._items: tuple[tuple[str, str], ...] = items
        self._keys: tuple[str, ...] = tuple([_checked_key(name, value) for name, value in items])
        self._first: dict[str, tuple[str, str]] | None = None
        """The first line of each name, from the first look-up on: what is only written needs none."""

    @classmethod
    def received(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """Build headers from pairs that the parser has already checked, name and value, line by line."""
        items = tuple(pairs)
        known, longest = _known_key, _LONGEST_NAME
        return cls._of(items, tuple([known(n) if len(n) <= longest else n.lower() for n, _ in items]))

    @classmethod
    def _of(cls, items: tuple[tuple[str, str], ...], keys: tuple[str, ...]) -> Headers:
        headers = cls.__new__(cls)
        headers._items = items
        headers._keys = keys
        headers._first = None
        return headers

    def _look_up(self) -> dict[str, tuple[str, str]]:
        if self._first is None:
            self._first = dict(zip(self._keys[::-1], self._items[::-1], strict=True))
        return self._first

    def get(self, name: str) -> str | None:
        """Return the value of the first line called ``name``, or None."""
        item = (self._first or self._look_up()).get(_known_key(name))
        return None if item is None else item[1]

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all lines called ``name``, one for each line."""
        return self._lines(_known_key(name))

    def _lines(self, key: str) -> tuple[str, ...]:
        first = self._first or self._look_up()
        item = first.get(key)
        if item is None:
            return ()
        if len(first) == len(self._items):
            return (item[1],)
        return tuple([item[1] for item, own in self.keyed() if own == key])

    def values(self, name: str) -> tuple[str, ...]:
        """Return all values of ``name``: lines of a list header are split at commas, empty elements left out."""
        key = _known_key(name)
        lines = self._lines(key)
        if not lines or key not in LIST_HEADERS:
            return lines
        return tuple([value for line in lines for value in split_list(line) if value])

    def with_(self, name: str, value: str) -> Headers:
        """Return a copy in which ``name`` occurs once, at the place of its first line or at the end."""
        item, key = (name, value), _checked_key(name, value)
        if key not in self._keys:
            return Headers._of((*self._items, item), (*self._keys, key))
        place = self._keys.index(key)
        kept = [index for index, own in enumerate(self._keys) if own != key or index == place]
        items = tuple(item if index == place else self._items[index] for index in kept)
        return Headers._of(items, tuple(self._keys[index] for index in kept))

    def add(self, name: str, value: str) -> Headers:
        """Return a copy with one more line at the end."""
        key = _checked_key(name, value)
        return Headers._of((*self._items, (name, value)), (*self._keys, key))

    def prepend(self, name: str, value: str) -> Headers:
        """Return a copy with one more line at the top, where a new Via, Route or Record-Route belongs."""
        key = _checked_key(name, value)
        return Headers._of(((name, value), *self._items), (key, *self._keys))

    def without(self, name: str) -> Headers:
        """Return a copy that has no line called ``name``."""
        key = header_key(name)
        kept = [index for index, own in enumerate(self._keys) if own != key]
        return Headers._of(tuple(self._items[i] for i in kept), tuple(self._keys[i] for i in kept))

    def keyed(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Each line with the name under which it is compared."""
        return zip(self._items, self._keys, strict=True)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and header_key(name) in self._keys

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._keys == other._keys and all(
            mine[1] == theirs[1] for mine, theirs in zip(self._items, other._items, strict=True)
        )

    def __hash__(self) -> int:
        return hash((self._keys, tuple(value for _, value in self._items)))

    def __repr__(self) -> str:
        return f"Headers({list(self._items)!r})"


def _checked_key(name: str, value: str) -> str:
    """The key of a line that we write; LocalError where it would break out of its line."""
    key = _known_key_of_ours(name) if len(name) <= _LONGEST_NAME else _key_of_ours(name)
    if not (value.isascii() and value.isprintable()):
        require_fit(value, name)
    return key


class Request(Struct, frozen=True, gc=False):
    """A request; ``uri`` is the Request-URI as text. LocalError for a method or URI that would break its line."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""

    def __post_init__(self) -> None:
        if not is_token(self.method):
            raise LocalError(f"not a method: {self.method[:40]!r}")
        if _URI.fullmatch(self.uri) is None:
            raise LocalError(f"not a Request-URI: {self.uri[:60]!r}")

    def with_header(self, name: str, value: str) -> Request:
        """Return a copy in which ``name`` occurs once, with this value."""
        return Request(self.method, self.uri, self.headers.with_(name, value), self.body)


class Response(Struct, frozen=True, gc=False):
    """A response; ``reason`` is for people. LocalError for a status outside 100-699 or an unfit reason."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    def __post_init__(self) -> None:
        if not 100 <= self.status <= 699:
            raise LocalError(f"not a status: {self.status}")
        require_fit(self.reason, "reason phrase")


Message: TypeAlias = Request | Response


def serialize(message: Message) -> bytes:
    """Write a message. Names stay as they are; Content-Length is computed and stands once (RFC 3261 §20.14)."""
    match message:
        case Request():
            start = f"{message.method} {message.uri} SIP/2.0"
        case Response():
            start = f"SIP/2.0 {message.status} {message.reason}"
    length = f"Content-Length: {len(message.body)}"
    if "Content-Length" in message.headers:
        lines = [start, *_with_length(message.headers, length)]
    else:
        lines = [start, *[f"{name}: {value}" for name, value in message.headers], length]
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1") + message.body


def _with_length(headers: Headers, length: str) -> Iterator[str]:
    """The lines of a head in which Content-Length keeps its place, once."""
    written = False
    for (name, value), key in headers.keyed():
        if key != "content-length":
            yield f"{name}: {value}"
        elif not written:
            yield length
            written = True
