"""What an INVITE says about its call, for the dialplan and the agent."""

from __future__ import annotations

from dataclasses import replace

from voicegw.base.ids import LegId
from voicegw.gateway import trunk_headers
from voicegw.gateway.events import LegInvited
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_numbers import to_inside
from voicegw.gateway.trunk_sections import Quirk
from voicegw.sip.grammar import from_wire
from voicegw.sip.message import COMPACT_FORMS, Headers, Request
from voicegw.sip.parties import read_parties


def read_invitation(
    leg_id: LegId, request: Request, *, has_offer: bool, phone: str = "", trunk: Trunk | None = None
) -> LegInvited:
    """Who calls whom. What the network says of the caller is believed where the trunk is."""
    headers = request.headers
    settings = trunk.settings if trunk is not None else None
    parties = read_parties(
        request,
        trusted=settings is not None and settings.caller_id.trusted,
        number_in_to=trunk is not None and trunk.has_quirk(Quirk.NUMBER_IN_TO),
        number_in_display_name=trunk is not None and trunk.has_quirk(Quirk.NUMBER_IN_DISPLAY_NAME),
    )
    if settings is not None and settings.numbering.country_code:
        form = settings.numbering
        parties = replace(
            parties,
            calling=to_inside(form, parties.calling),
            called=to_inside(form, parties.called),
            original_called=to_inside(form, parties.original_called),
            diverted_by=to_inside(form, parties.diverted_by),
        )
    profile = settings.headers if settings is not None else trunk_headers.NO_PROFILE
    return LegInvited(
        leg_id=leg_id,
        called=parties.called,
        calling=parties.calling,
        display_name=parties.display_name,
        headers=trunk_headers.incoming(profile, first_values(headers)),
        sip_call_id=headers.get("Call-ID") or "",
        has_offer=has_offer,
        phone=phone,
        trunk=trunk.name if trunk is not None else "",
        parties=parties,
        max_call_s=settings.max_call_s if settings is not None else 0,
    )


def first_values(headers: Headers) -> dict[str, str]:
    """Each header's first value under its long name as it was spelled, compact forms written out.

    Digests are left out: what is known of a call is written down, and passwords can be tried on a digest.
    """
    values: dict[str, str] = {}
    seen: set[str] = set()
    for (name, value), key in headers.keyed():
        if key not in seen and key not in trunk_headers.SECRET:
            seen.add(key)
            values[name if len(name) > 1 else COMPACT_FORMS.get(name.lower(), name)] = from_wire(value)
    return values
