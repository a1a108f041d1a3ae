"""What an INVITE says about its call, for the dialplan and the agent."""

from __future__ import annotations

from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegInvited
from voicegw.sip.grammar import from_wire
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import COMPACT_FORMS, Headers, Request
from voicegw.sip.uri import dialled

_SECRET: Final = frozenset({"authorization", "proxy-authorization"})


def read_invitation(leg_id: LegId, request: Request, *, has_offer: bool, phone: str = "") -> LegInvited:
    """Who calls whom. A Request-URI without a user part leaves the word to the To header."""
    headers = request.headers
    sender = NameAddr.parse(headers.get("From") or "")
    called = _user(request.uri) or _user(NameAddr.parse(headers.get("To") or "").uri)
    return LegInvited(
        leg_id=leg_id,
        called=called,
        calling=_user(sender.uri),
        display_name=sender.display_text,
        headers=first_values(headers),
        sip_call_id=headers.get("Call-ID") or "",
        has_offer=has_offer,
        phone=phone,
    )


def first_values(headers: Headers) -> dict[str, str]:
    """Each header's first value under its long name as it was spelled, compact forms written out.

    Digests are left out: what is known of a call is written down, and passwords can be tried on a digest.
    """
    values: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers:
        long = COMPACT_FORMS.get(name.lower(), name)
        if long.lower() not in seen and long.lower() not in _SECRET:
            seen.add(long.lower())
            values[long] = from_wire(value)
    return values


def _user(uri: str) -> str:
    try:
        return from_wire(dialled(uri))
    except RemoteProtocolError:
        return ""
