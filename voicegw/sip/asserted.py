"""Who is really calling: P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID and Privacy.

RFC 3325, RFC 3323 and, for Remote-Party-ID, the draft that PBXs went on using. What is here was *said*; whether it
is believed is the trunk's business (RFC 3325 §6). A value that cannot be read is left out: no call fails by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import NO_PARAMS, Params, is_token, split_list
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers

ASSERTED = "P-Asserted-Identity"
PREFERRED = "P-Preferred-Identity"
REMOTE_PARTY = "Remote-Party-ID"
PRIVACY = "Privacy"
ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"
"""From of a caller who is not shown (RFC 3323 §4.1.1.3)."""
_HIDING = frozenset({"user", "id", "header", "full"})
"""``full`` is what Remote-Party-ID says; the others are RFC 3323's and RFC 3325's."""


@dataclass(frozen=True, slots=True)
class RemoteParty:
    """One value of Remote-Party-ID. ``screened``: the network checked it; ``hidden``: it is not to be shown."""

    address: NameAddr
    party: str = "calling"
    screened: bool = False
    hidden: bool = False

    @classmethod
    def parse(cls, value: str) -> RemoteParty:
        """Parse one value; RemoteProtocolError for what is none."""
        read = NameAddr.parse(value)
        params = read.params
        return cls(
            NameAddr(read.uri, read.display_name),
            (params.get("party") or "calling").lower(),
            (params.get("screen") or "no").lower() == "yes",
            (params.get("privacy") or "off").lower() not in ("off", "none"),
        )

    def __str__(self) -> str:
        params: Params = NO_PARAMS.with_("party", self.party).with_("screen", "yes" if self.screened else "no")
        params = params.with_("privacy", "full" if self.hidden else "off")
        return str(NameAddr(self.address.uri, self.address.display_name, params))


def identities(headers: Headers, name: str) -> tuple[NameAddr, ...]:
    """The values of P-Asserted-Identity or P-Preferred-Identity: at most a sip and a tel URI (RFC 3325 §9.1)."""
    return tuple(_readable(headers.values(name)))[:2]


def remote_parties(headers: Headers) -> tuple[RemoteParty, ...]:
    """The values of Remote-Party-ID."""
    found = []
    for line in headers.get_all(REMOTE_PARTY):
        for value in split_list(line):
            try:
                found.append(RemoteParty.parse(value))
            except RemoteProtocolError:
                continue
    return tuple(found)


def privacy(headers: Headers) -> frozenset[str]:
    """What the caller wants hidden: the words of Privacy in lower case (RFC 3323 §4.2)."""
    words = (word.strip().lower() for line in headers.get_all(PRIVACY) for word in line.split(";"))
    return frozenset(word for word in words if word)


def is_withheld(headers: Headers) -> bool:
    """Whether the caller does not want to be shown: by Privacy, by Remote-Party-ID or by an anonymous From."""
    if privacy(headers) & _HIDING:
        return True
    if any(one.hidden for one in remote_parties(headers) if one.party == "calling"):
        return True
    try:
        sender = NameAddr.parse(headers.get("From") or "")
    except RemoteProtocolError:
        return False
    return is_anonymous(sender.uri)


def is_anonymous(uri: str) -> bool:
    """Whether a URI is nobody's: ``anonymous.invalid``, or the user ``anonymous`` (RFC 3323 §4.1.1.3)."""
    _, _, rest = uri.lower().partition(":")
    user, at, host = rest.partition("@")
    place = (host if at else rest).partition(";")[0].partition(":")[0]
    return place == "anonymous.invalid" or (bool(at) and user.partition(";")[0] == "anonymous")


def privacy_value(words: tuple[str, ...]) -> str:
    """The value of Privacy; raises LocalError for what is no word."""
    for word in words:
        if not is_token(word):
            raise LocalError(f"not a word of Privacy: {word[:40]!r}")
    return ";".join(words)


def _readable(values: tuple[str, ...]) -> Iterator[NameAddr]:
    for value in values:
        try:
            yield NameAddr.parse(value)
        except RemoteProtocolError:
            continue
