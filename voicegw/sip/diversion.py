"""Whom a call was meant for before it came here, and why it was sent on: Diversion and History-Info.

RFC 5806 (Diversion, newest first) and RFC 7044 (History-Info, oldest first, numbered by ``index``); RFC 7544
relates one to the other. A value that cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import NO_PARAMS, is_token, quote, split_list, unescape, unquote
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers
from voicegw.sip.reason import SIP, parse_reason
from voicegw.sip.uri import SipUri

T = TypeVar("T")
DIVERSION: Final = "Diversion"
HISTORY: Final = "History-Info"
MAX_ENTRIES: Final = 30
"""More are not read: a call that was sent on that often is a loop, and that is for Max-Forwards."""
_INDEX = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,30}")
_BY_CAUSE: Final = {
    302: "unconditional",
    404: "unknown",
    408: "no-answer",
    480: "deflection",
    486: "user-busy",
    487: "deflection",
    503: "unavailable",
}
"""The words of RFC 5806 for causes of RFC 4458 §2.1, as RFC 7544 pairs them."""


@dataclass(frozen=True, slots=True)
class Diversion:
    """One value of Diversion: who sent the call on, and why."""

    address: NameAddr
    reason: str = "unknown"
    counter: int = 1
    hidden: bool = False

    def __post_init__(self) -> None:
        if any(character in self.reason for character in "\r\n\0"):
            raise LocalError("a reason may not hold CR, LF or NUL")

    @classmethod
    def parse(cls, value: str) -> Diversion:
        """Parse one value; RemoteProtocolError for what is none."""
        read = NameAddr.parse(value)
        params = read.params
        counter = params.get("counter") or "1"
        return cls(
            NameAddr(read.uri, read.display_name),
            unquote(params.get("reason") or "").replace("\0", "").strip().lower() or "unknown",
            int(counter) if re.fullmatch(r"[0-9]{1,2}", counter) else 1,
            (params.get("privacy") or "off").strip('"').lower() not in ("off", "none"),
        )

    def __str__(self) -> str:
        params = NO_PARAMS.with_("reason", self.reason if is_token(self.reason) else quote(self.reason))
        params = params.with_("counter", str(self.counter))
        if self.hidden:
            params = params.with_("privacy", "full")
        return str(NameAddr(self.address.uri, self.address.display_name, params))


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One value of History-Info: a target that the call had, under its index.

    ``cause`` says why the call was sent there (RFC 4458 §2.1), ``left_with`` the status with which that target was
    left (a Reason inside its URI); 0 where untold. ``via``: ``rc``, ``mp`` or ``np``, how it was found, and
    ``parent`` from which entry (§10.1.2). ``hidden``: not to be shown.
    """

    address: NameAddr
    index: str
    cause: int = 0
    left_with: int = 0
    via: str = ""
    parent: str = ""
    hidden: bool = False

    def __post_init__(self) -> None:
        for index in (self.index, self.parent or self.index):
            if _INDEX.fullmatch(index) is None:
                raise LocalError(f"not an index: {index[:40]!r}")
        if self.via not in ("", "rc", "mp", "np"):
            raise LocalError(f"not a way to find a target: {self.via[:20]!r}")

    @classmethod
    def parse(cls, value: str) -> HistoryEntry:
        """Parse one value; RemoteProtocolError for what is none."""
        read = NameAddr.parse(value)
        index = read.params.get("index") or ""
        if _INDEX.fullmatch(index) is None:
            raise RemoteProtocolError(f"History-Info without an index: {value[:60]!r}")
        via = next((kind for kind in ("rc", "mp", "np") if kind in read.params), "")
        parent = read.params.get(via) or "" if via else ""
        uri, cause, left_with, hidden = _without_embedded(read.uri)
        readable = parent if _INDEX.fullmatch(parent) else ""
        return cls(NameAddr(uri, read.display_name), index, cause, left_with, via, readable, hidden)

    @property
    def place(self) -> tuple[int, ...]:
        """The index for sorting: 1.2 comes before 1.10."""
        return tuple(int(part) for part in self.index.split("."))

    def __str__(self) -> str:
        """``cause`` is a parameter of the URI, the Reason and Privacy are headers inside it (§10.1.4)."""
        uri = f"{self.address.uri};cause={self.cause}" if self.cause else self.address.uri
        embedded = [f"Reason=SIP%3Bcause%3D{self.left_with}"] if self.left_with else []
        embedded += ["Privacy=history"] if self.hidden else []
        params = NO_PARAMS.with_("index", self.index)
        if self.via:
            params = params.with_(self.via, self.parent or None)
        whole = f"{uri}?{'&'.join(embedded)}" if embedded else uri
        return str(NameAddr(whole, self.address.display_name, params))


def diversions(headers: Headers) -> tuple[Diversion, ...]:
    """All values of Diversion, the latest first (RFC 5806 §4)."""
    return tuple(_read(Diversion.parse, headers.get_all(DIVERSION)))


def history(headers: Headers) -> tuple[HistoryEntry, ...]:
    """All values of History-Info by their index: the oldest target first."""
    return tuple(sorted(_read(HistoryEntry.parse, headers.get_all(HISTORY)), key=lambda entry: entry.place))


def why(cause: int) -> str:
    """The word of RFC 5806 for a cause of History-Info."""
    return _BY_CAUSE.get(cause, "unknown")


def _read(parse: Callable[[str], T], lines: Iterable[str]) -> Iterator[T]:
    for value in [value for line in lines for value in split_list(line) if value][:MAX_ENTRIES]:
        try:
            yield parse(value)
        except RemoteProtocolError:
            continue


def _without_embedded(uri: str) -> tuple[str, int, int, bool]:
    """The URI without cause and embedded headers, the cause, the status in a Reason, and whether it is hidden."""
    try:
        parsed = SipUri.parse(uri)
    except RemoteProtocolError:
        return uri, 0, 0, False
    embedded = {name.lower(): unescape(value) for name, value in parsed.headers}
    cause = parsed.params.get("cause") or ""
    bare = SipUri(
        parsed.host, parsed.user, parsed.port, parsed.params.without("cause"), parsed.scheme, parsed.password
    )
    number = int(cause) if re.fullmatch(r"[1-6][0-9]{2}", cause) else 0
    return str(bare), number, _status_in(embedded.get("reason", "")), "privacy" in embedded


def _status_in(reason: str) -> int:
    for value in split_list(reason):
        try:
            read = parse_reason(value)
        except RemoteProtocolError:
            continue
        if read.protocol == SIP:
            return read.cause
    return 0
