"""Signed caller identity: Identity (RFC 8224), the PASSporT in it (RFC 8225, RFC 8588), and what a verifier said.

Nothing is verified here (:mod:`voicegw.stir` does that). The token is read for the record, and a verdict that the
trunk's own network wrote into ``verstat`` (TS 24.229 §7.2A.20) is told apart from one that is missing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers
from voicegw.sip.uri import TelUri, parse_uri

IDENTITY = "Identity"
MAX_TOKEN = 16_384
_ATTESTATIONS = ("Attestation-Info", "P-Attestation-Indicator")
_ORIGINS = ("Origination-Id", "P-Origination-ID")
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


@dataclass(frozen=True, slots=True)
class Word:
    """What another network found out before us: ``passed``, ``failed``, ``none``, or "" where it does not say."""

    verdict: str = ""
    attestation: str = ""
    origination_id: str = ""


def passport(headers: Headers) -> Passport | None:
    """The claims of an Identity that can be read; None without one. They are unverified.

    Of several it is the one that attests least: who verified one of them has said nothing of the others.
    """
    found = []
    for value in headers.get_all(IDENTITY):
        token = value.partition(";")[0].strip()
        if len(token) <= MAX_TOKEN and (claims := _claims(token)) is not None:
            found.append(claims)
    return max(found, key=lambda claims: claims.attestation, default=None)


def word_of(headers: Headers, identities: Iterable[NameAddr | None]) -> Word:
    """What the network wrote into the first of its ``identities`` that has a verstat, and beside it.

    None to read: the network is not believed. The attestation stands in Attestation-Info (TS 24.229 §7.2.18), in
    P-Attestation-Indicator, or behind the verdict itself; networks differ.
    """
    known = [one for one in identities if one is not None]
    said = next((text for one in known if (text := _verstat(one))), "")
    if not known:
        return Word()
    beside = next((value for name in _ATTESTATIONS if (value := _letter(headers.get(name)))), "")
    origin = next((value for name in _ORIGINS if (value := (headers.get(name) or "").strip())), "")
    return Word(_verdict(said), beside or _letter(said.rpartition("passed-")[2]), _word(origin))


def verdict(address: NameAddr) -> str:
    """``passed``, ``failed`` or ``none`` by the verstat parameter of an identity; "" where it says nothing.

    It stands in the URI, in the number part of a sip URI, or in the header (implementations do all three).
    """
    return _verdict(_verstat(address))


def _verdict(said: str) -> str:
    return next((verdict for word, verdict in _VERDICTS.items() if said == word or said.startswith(f"{word}-")), "")


def _verstat(address: NameAddr) -> str:
    return (address.params.get("verstat") or _uri_verstat(address.uri)).lower()


def _letter(text: str | None) -> str:
    letter = (text or "").strip().strip('"').upper()
    return letter if letter in ("A", "B", "C") else ""


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
        _letter(_word(data.get("attest"))),
        _word(data.get("origid")),
        _number(data.get("orig")),
        _number(data.get("dest")),
    )


def _word(value: object) -> str:
    return value[:64] if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def _number(value: object) -> str:
    """``{"tn": "…"}`` or, for destinations, ``{"tn": ["…"]}`` (RFC 8225 §5.2.1)."""
    tn = value.get("tn") if isinstance(value, dict) else None
    return _word(tn[0] if isinstance(tn, list) and tn else tn)
