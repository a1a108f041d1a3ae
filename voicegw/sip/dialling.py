"""What people write when they want to have somebody called: a number or a URI."""

from __future__ import annotations

import re
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.uri import TelUri, parse_uri

TRUNK_GROUP: Final = "tgrp"
"""The parameter of a tel URI that names the trunk (RFC 4904 §4)."""
_SEPARATORS = re.compile(r"[ ().\-/]")
_DIGITS = re.compile(r"[0-9]+")


def plain(number: str) -> str:
    """Without visual separators, where it is a number at all."""
    bare = _SEPARATORS.sub("", number)
    return bare if _DIGITS.fullmatch(bare.lstrip("+")) else number


def call_target(text: str, trunk: str = "") -> str:
    """What somebody wants to call, as a URI: a number becomes a tel URI, by ``trunk`` where one is named.

    Raises RemoteProtocolError for what is neither a number nor a URI that can be called.
    """
    bare = plain(text.strip())
    if _DIGITS.fullmatch(bare.lstrip("+")):
        text = f"tel:{bare}"
    parsed = parse_uri(text)
    if not trunk:
        return str(parsed)
    if isinstance(parsed, TelUri):
        return str(TelUri(parsed.number, parsed.params.without(TRUNK_GROUP).with_(TRUNK_GROUP, trunk)))
    raise RemoteProtocolError(f"a trunk is named for a number, not for {text[:60]!r}")
