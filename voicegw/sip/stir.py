"""Signed caller identity: Identity (RFC 8224), the PASSporT in it (RFC 8225, RFC 8588), and what a verifier said.

Nothing is verified here. The token is read for the record, and a verdict that the trunk's own network wrote into
``verstat`` (TS 24.229 §7.2A.20) is told apart from one that is missing.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers
from voicegw.sip.uri import TelUri, parse_uri

IDENTITY = "Identity"
MAX_TOKEN = 16_384
_VERDICTS = {
    "tn-validation-passed": "passed",
    "tn-validation-failed": "failed",
    "no-tn-validation": "none",
}


@dataclass(frozen=True, slots=True)
class Passport:
    """What a signed identity claims: attestation ``A``, ``B``, ``C`` or "", origin, and the numbers in it."""

    attestation: str = ""
    origin_id: str = ""
    orig: str = ""
    dest: str = ""


def passport(headers: Headers) -> Passport | None:
    """The claims of the first Identity that can be read; None without one. They are unverified."""
    for value in headers.get_all(IDENTITY):
        token = value.partition(";")[0].strip()
        if len(token) <= MAX_TOKEN and (claims := _claims(token)) is not None:
            return claims
    return None


def verdict(address: NameAddr) -> str:
    """``passed``, ``failed`` or ``none`` by the verstat parameter of an identity; "" where it says nothing.

    It stands in the URI, in the number part of a sip URI, or in the header (implementations do all three).
    """
    found = address.params.get("verstat") or _uri_verstat(address.uri)
    said = found.lower()
    return next((verdict for word, verdict in _VERDICTS.items() if said == word or said.startswith(f"{word}-")), "")


def _uri_verstat(uri: str) -> str:
    try:
        parsed = parse_uri(uri)
    except RemoteProtocolError:
        return ""
    if found := parsed.params.get("verstat"):
        return found
    user = "" if isinstance(parsed, TelUri) else parsed.user or ""
    for part in user.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.lower() == "verstat":
            return value
    return ""


def _claims(token: str) -> Passport | None:
    parts = token.split(".")
    if len(parts) != 3 or not parts[1]:
        return None  # the compact form (RFC 8225 §7) leaves the claims out
    try:
        data = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    return Passport(
        _word(data.get("attest")), _word(data.get("origid")), _number(data.get("orig")), _number(data.get("dest"))
    )


def _word(value: object) -> str:
    return value[:64] if isinstance(value, str) else ""


def _number(value: object) -> str:
    """``{"tn": "…"}`` or, for destinations, ``{"tn": ["…"]}`` (RFC 8225 §5.2.1)."""
    tn = value.get("tn") if isinstance(value, dict) else None
    return _word(tn[0] if isinstance(tn, list) and tn else tn)
