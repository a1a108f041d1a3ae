"""Data of the calling program for the called one: User-to-User (RFC 7433, RFC 7434)."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.grammar import NO_PARAMS, is_token, parse_params, split_list, unquote
from voicegw.sip.message import Headers

USER_TO_USER = "User-to-User"
MAX_OCTETS = 128
"""What an ISDN network carries (RFC 7434 §3)."""


@dataclass(frozen=True, slots=True)
class UserToUser:
    """One value. ``data`` are the octets; how they were written is of no account."""

    data: bytes
    purpose: str = "isdn-uui"
    content: str = "isdn-uui"

    def __post_init__(self) -> None:
        if not (is_token(self.purpose) and is_token(self.content)):
            raise LocalError("purpose and content of User-to-User are single words")

    @classmethod
    def parse(cls, value: str) -> UserToUser:
        """Parse one value. Old gateways write hexadecimal digits and say nothing about it (RFC 7433 §4.1)."""
        text, semicolon, rest = _split(value)
        params = parse_params(semicolon + rest)
        encoding = (params.get("encoding") or "hex").lower()
        if encoding != "hex" or text.startswith('"'):
            data = unquote(text).encode("latin-1")
        else:
            try:
                data = bytes.fromhex(text)
            except ValueError:
                data = text.encode("latin-1")
        purpose, content = params.get("purpose") or "isdn-uui", params.get("content") or "isdn-uui"
        if not (is_token(purpose) and is_token(content)):
            raise RemoteProtocolError("bad parameters of User-to-User")
        return cls(data, purpose, content)

    @property
    def text(self) -> str:
        """The data as text for people; without the first octet where that names the protocol (Q.931 table 4-26)."""
        data = self.data[1:] if self.data[:1] in (b"\x00", b"\x04") else self.data
        return data.decode("utf-8", "replace")

    def __str__(self) -> str:
        params = NO_PARAMS.with_("encoding", "hex").with_("purpose", self.purpose).with_("content", self.content)
        return f"{self.data.hex()}{params}"


def user_to_user(headers: Headers) -> tuple[UserToUser, ...]:
    """All values that can be read."""
    found = []
    for value in (value for line in headers.get_all(USER_TO_USER) for value in split_list(line) if value):
        try:
            found.append(UserToUser.parse(value))
        except RemoteProtocolError:
            continue
    return tuple(found)


def _split(value: str) -> tuple[str, str, str]:
    parts = split_list(value.strip(), ";")
    return parts[0], ";" if parts[1:] else "", ";".join(parts[1:])
