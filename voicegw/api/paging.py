"""Pages by key, not by number: the cursor says behind which row to go on, so that new rows shift nothing."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Annotated, TypeVar

import msgspec

from voicegw.api.problems import invalid

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


class NamePosition(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page in a list by name; the id tells equals apart."""

    name: str
    row_id: str = ""


class TimePosition(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page in a list by time."""

    wall_ms: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    row_id: str


class NumberPosition(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page in a numbered list."""

    number: Annotated[int, msgspec.Meta(ge=-1, le=2**53)]


P = TypeVar("P", NamePosition, TimePosition, NumberPosition)


def encode_cursor(position: NamePosition | TimePosition | NumberPosition) -> str:
    """Opaque text for the client."""
    return urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_cursor(cursor: str | None, kind: type[P]) -> P | None:
    """Where to go on; None from the start. Raises 422 for what is no cursor of this list."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = msgspec.json.decode(urlsafe_b64decode(padded), type=kind)
    except (Base64Error, UnicodeEncodeError, msgspec.DecodeError, ValueError):
        raise invalid("cursor", "is no cursor of this list", "send back 'next' of the page before") from None
    if "\0" in getattr(found, "row_id", "") + getattr(found, "name", ""):
        raise invalid("cursor", "is no cursor of this list", "send back 'next' of the page before")
    return found
