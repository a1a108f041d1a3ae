"""Who calls, whom they called, whom they had called at first, and why the call came here instead.

The Request-URI says where the call is now; To, P-Called-Party-ID (RFC 7315 §4.2), History-Info and Diversion say
where it has been. Of the caller, From says what anybody may write, and the asserted identity what a trusted network
knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip import asserted
from voicegw.sip.diversion import diversions, history, why
from voicegw.sip.grammar import from_wire, unescape
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers, Request
from voicegw.sip.stir import Passport, passport, word_of
from voicegw.sip.uri import TelUri, dialled, parse_uri
from voicegw.sip.user_to_user import user_to_user

CALLED_PARTY = "P-Called-Party-ID"


@dataclass(frozen=True, slots=True)
class Parties:
    """Texts for people; "" where nothing was said. Numbers are as they were sent, without visual separators."""

    calling: str
    display_name: str
    called: str
    withheld: bool = False
    """The caller does not want to be shown. ``calling`` is filled all the same, where the network told us."""
    asserted: bool = False
    """``calling`` is what a trusted network asserted, not what the caller wrote."""
    original_called: str = ""
    """Whom the caller had dialled, where that is not ``called``."""
    diverted_by: str = ""
    """Who sent the call here."""
    diversion_reason: str = ""
    """Why, in the words of RFC 5806: ``user-busy``, ``no-answer``, ``unconditional``, ``unknown``, …"""
    subaddress: str = ""
    """Of the called line (isub, RFC 3966 §5.1)."""
    verified: str = ""
    """What became of a signed number, with us or in a trusted network: ``passed``, ``failed``, ``none``."""
    attestation: str = ""
    """What the signature attests: ``A``, ``B``, ``C`` (RFC 8588). Only a claim unless ``verified`` is passed."""
    origination_id: str = ""
    """Of the same signature: what its signer can find the origin of the call by."""
    signer: str = ""
    """Whose certificate it is, where we have verified it."""
    identity_fault: str = ""
    """Why we do not believe it."""
    user_to_user: str = ""


NOBODY = Parties("", "", "")
"""Of a call about which nothing is known."""


def read_parties(
    request: Request, *, trusted: bool = False, number_in_to: bool = False, number_in_display_name: bool = False
) -> Parties:
    """Read an INVITE; what cannot be read is as if it were not there.

    ``trusted``: believe identities that the network asserts. ``number_in_to``: the Request-URI has our registered
    name, and the number is elsewhere. ``number_in_display_name``: the caller's number stands beside From.
    """
    headers = request.headers
    sender = _address(headers.get("From"))
    known = _asserted(headers) if trusted else None
    shown = known or sender
    called, subaddress = _called(request, number_in_to=number_in_to)
    calling = number_of(shown.uri) if shown else ""
    if number_in_display_name and known is None and sender and _is_number(sender.display_text):
        calling = sender.display_text
    said = word_of(headers, (known, sender) if trusted else ())
    claims = passport(headers) or Passport()
    uui = user_to_user(headers)
    original, diverted_by, reason = _before(headers, called)
    return Parties(
        calling="" if known is None and sender and asserted.is_anonymous(sender.uri) else calling,
        display_name=(shown.display_text or (sender.display_text if sender else "")) if shown else "",
        called=called,
        withheld=asserted.is_withheld(headers),
        asserted=known is not None,
        original_called=original,
        diverted_by=diverted_by,
        diversion_reason=reason,
        subaddress=subaddress,
        verified=said.verdict,
        attestation=said.attestation or claims.attestation,
        origination_id=said.origination_id or claims.origin_id,
        user_to_user=uui[0].text if uui else "",
    )


def number_of(uri: str) -> str:
    """The number or name in a URI as text for people; "" for what is no URI of a call."""
    try:
        return dialled(uri)
    except RemoteProtocolError:
        return ""


def _asserted(headers: Headers) -> NameAddr | None:
    """A number before a name; Remote-Party-ID where nothing is asserted."""
    known = asserted.identities(headers, asserted.ASSERTED)
    with_number = [one for one in known if _is_number(number_of(one.uri))]
    if with_number or known:
        return (with_number or list(known))[0]
    parties = asserted.remote_parties(headers)
    return next((one.address for one in parties if one.party == "calling"), None)


def _called(request: Request, *, number_in_to: bool) -> tuple[str, str]:
    """The number, and the subaddress with it. Where the Request-URI has no user part other headers are asked."""
    if not number_in_to and (number := number_of(request.uri)):
        return number, _subaddress(request.uri)
    headers = request.headers
    others = [address.uri for name in (CALLED_PARTY, "To") if (address := _address(headers.get(name)))]
    for uri in (*others, request.uri):
        if number := number_of(uri):
            return number, _subaddress(uri)
    return "", ""


def _before(headers: Headers, called: str) -> tuple[str, str, str]:
    """Whom the caller had dialled, who sent the call on at last, and why."""
    latest_first = diversions(headers)
    if latest_first:
        original = number_of(latest_first[-1].address.uri)
        return original, number_of(latest_first[0].address.uri), latest_first[0].reason
    entries = history(headers)
    moved = [
        place for place, entry in enumerate(entries) if place and (entry.cause or entries[place - 1].left_with)
    ]
    if moved:
        before = entries[moved[-1] - 1]
        reason = why(entries[moved[-1]].cause or before.left_with)
        return number_of(entries[0].address.uri), number_of(before.address.uri), reason
    original = number_of(entries[0].address.uri) if entries else ""
    return (original if original != called else ""), "", ""


def _subaddress(uri: str) -> str:
    """``isub`` of a tel URI, or of a number written as the user part of a sip URI."""
    parsed = parse_uri(uri)
    if isinstance(parsed, TelUri):
        return from_wire(unescape(parsed.params.get("isub") or ""))
    for part in (parsed.user or "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.lower() == "isub":
            return from_wire(unescape(value))
    return from_wire(unescape(parsed.params.get("isub") or ""))


def _address(value: str | None) -> NameAddr | None:
    if value is None:
        return None
    try:
        return NameAddr.parse(value)
    except RemoteProtocolError:
        return None


def _is_number(text: str) -> bool:
    digits = text.lstrip("+")
    return bool(digits) and digits.isascii() and digits.isdigit()
