"""The PASSporT (RFC 8225): a JSON token in three parts that says who calls whom, when, and who vouches for it.

Kinds: the plain one, ``shaken`` (RFC 8588) and ``div`` (RFC 8946). Only ES256 is read, as STIR allows no other
(RFC 8225 §8): a token that names ``none`` or RSA is refused before anything is computed.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Final

from voicegw.stir.faults import Fault, IdentityFault
from voicegw.stir.identity_header import IdentityHeader
from voicegw.stir.numbers import MAX_NUMBER, is_canonical

PLAIN: Final = ""
SHAKEN: Final = "shaken"
DIV: Final = "div"
KINDS: Final = (PLAIN, SHAKEN, DIV)
ALGORITHM: Final = "ES256"
MAX_DESTINATIONS: Final = 32
_ATTESTATIONS = ("A", "B", "C")
_ORIGIN_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SIGNATURE_BYTES = 64
_LATEST = 1 << 40


@dataclass(frozen=True, slots=True)
class Passport:
    """What a token says. Nothing of it is believed before its signature and its signer are checked."""

    kind: str
    orig: str
    dest: tuple[str, ...]
    iat: int
    """When it was signed, seconds since 1970."""
    x5u: str
    """Where the signer's certificate is."""
    signed: bytes
    """What the signature is over."""
    signature: bytes
    """r and s, 32 bytes each (RFC 7518 §3.4)."""
    attestation: str = ""
    """Of ``shaken``: A (their customer, and the number is theirs), B (their customer), C (only passed on)."""
    origination_id: str = ""
    """Of ``shaken``: a UUID that helps to find where the call came from."""
    diverted: str = ""
    """Of ``div``: the number that sent the call on."""


@dataclass(frozen=True, slots=True)
class Believed:
    """What the request says that a compact token leaves out. ``date``: of its Date header, seconds since 1970."""

    orig: str
    dest: str
    date: int | None = None


def read_passport(identity: IdentityHeader, believed: Believed) -> Passport:
    """Read the token; IdentityFault says what is wrong with it."""
    if identity.is_compact:
        header, payload = _rebuilt(identity, believed)
    else:
        header, payload = identity.header, identity.payload
    head, claims = _json_object(header, "header"), _json_object(payload, "payload")
    kind = _check_head(head, identity)
    signature = _decoded(identity.signature, "signature")
    if len(signature) != _SIGNATURE_BYTES:
        raise _invalid(f"a signature of {len(signature)} bytes; ES256 has {_SIGNATURE_BYTES}")
    orig, dest, iat = _parties(claims)
    attestation, origination_id = _shaken(claims) if kind == SHAKEN else ("", "")
    return Passport(
        kind,
        orig,
        dest,
        iat,
        identity.info,
        f"{header}.{payload}".encode("ascii"),
        signature,
        attestation,
        origination_id,
        _number(claims.get("div"), "div") if kind == DIV else "",
    )


def canonical_json(value: object) -> bytes:
    """The one serialisation that both sides compute alike (RFC 8225 §9): keys sorted, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _rebuilt(identity: IdentityHeader, believed: Believed) -> tuple[str, str]:
    """The parts that a compact token leaves out (RFC 8224 §7)."""
    if identity.extension != PLAIN:
        # What an extension claims stands nowhere in the request, so the compact form cannot be checked.
        raise _invalid(f"a compact token of kind {identity.extension[:20]!r}")
    if believed.date is None:
        raise IdentityFault(Fault.STALE, "a compact token without a Date header")
    head = {"alg": ALGORITHM, "typ": "passport", "x5u": identity.info}
    claims = {"dest": {"tn": [believed.dest]}, "iat": believed.date, "orig": {"tn": believed.orig}}
    return encoded(canonical_json(head)), encoded(canonical_json(claims))


def _check_head(head: dict[str, object], identity: IdentityHeader) -> str:
    if head.get("alg") != ALGORITHM or identity.algorithm not in ("", ALGORITHM):
        raise IdentityFault(Fault.UNTRUSTED, "signed by another algorithm than ES256")
    if head.get("typ") != "passport":
        raise _invalid("its typ is not passport")
    if head.get("x5u") != identity.info:
        raise _invalid("info and x5u name different certificates")
    kind = head.get("ppt", PLAIN)
    if kind not in KINDS or not isinstance(kind, str):
        raise IdentityFault(Fault.MISSING, "a kind of PASSporT that is not verified here")  # §6.2, step 1
    if identity.extension not in ("", kind):
        raise _invalid("the ppt of the header is another one than that of the token")
    if "crit" in head:
        raise _invalid("extensions that must be understood (crit)")
    return kind


def _parties(claims: dict[str, object]) -> tuple[str, tuple[str, ...], int]:
    orig, dest, iat = _number(claims.get("orig"), "orig"), claims.get("dest"), claims.get("iat")
    numbers = dest.get("tn") if isinstance(dest, dict) else None
    numbers = [numbers] if isinstance(numbers, str) else numbers
    if not isinstance(numbers, list) or not 0 < len(numbers) <= MAX_DESTINATIONS:
        raise _invalid("no number in dest")
    if not isinstance(iat, int) or isinstance(iat, bool) or not 0 <= iat < _LATEST:
        raise _invalid("no time in iat")
    return orig, tuple(_number({"tn": one}, "dest") for one in numbers), iat


def _shaken(claims: dict[str, object]) -> tuple[str, str]:
    attestation, origination_id = claims.get("attest"), claims.get("origid")
    if attestation not in _ATTESTATIONS or not isinstance(attestation, str):
        raise _invalid("attest is none of A, B and C")
    if not isinstance(origination_id, str) or not _ORIGIN_ID.fullmatch(origination_id):
        raise _invalid("origid is no UUID")
    return attestation, origination_id.lower()


def _number(value: object, claim: str) -> str:
    """Of ``{"tn": "12025550100"}``. Names (``uri``) have no certificate of ours to vouch for them."""
    number = value.get("tn") if isinstance(value, dict) else None
    if isinstance(number, list) and len(number) == 1:
        number = number[0]  # RFC 8946 has the array in div, too
    if not isinstance(number, str) or len(number) > MAX_NUMBER or not is_canonical(number):
        raise _invalid(f"no canonical number in {claim}")
    return number


def _json_object(part: str, what: str) -> dict[str, object]:
    try:
        value = json.loads(_decoded(part, what), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise _invalid(f"the {what} is no JSON") from None
    if not isinstance(value, dict):
        raise _invalid(f"the {what} is no JSON object")
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A key that stands twice is read differently by different programs: signed for one, shown by another."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _decoded(part: str, what: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _invalid(f"the {what} is no base64url") from None


def _invalid(message: str) -> IdentityFault:
    return IdentityFault(Fault.INVALID, message)
