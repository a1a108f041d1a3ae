"""What a request says that its signatures are compared with (RFC 8224 §8, ATIS-1000074 §5.3.1). Pure."""

from __future__ import annotations

from voicegw.gateway.identity.freshness import seconds_of_date
from voicegw.gateway.trunk_numbers import to_inside
from voicegw.gateway.trunk_sections import NumberSettings
from voicegw.sip import asserted
from voicegw.sip.message import Request
from voicegw.sip.parties import Parties, number_of
from voicegw.sip.stir import IDENTITY
from voicegw.stir.numbers import canonical
from voicegw.stir.verification import Claims


def claims_of(request: Request, parties: Parties, numbering: NumberSettings) -> Claims:
    """The number that the call shows has to be the signed one: another one that is signed proves nothing of it.

    Where nobody is shown, whom the network asserts or From names counts; a name that is shown is not proven.
    """
    headers = request.headers

    def inside(number: str) -> str:
        return canonical(to_inside(numbering, number))

    shown = canonical(parties.calling)
    known = (*asserted.identities(headers, asserted.ASSERTED), *asserted.identities(headers, "From"))
    hidden = [inside(number_of(one.uri)) for one in known]
    called = [inside(number_of(one.uri)) for one in asserted.identities(headers, "To")]
    date = seconds_of_date(headers.get("Date") or "")
    return Claims(
        tuple(headers.get_all(IDENTITY)),
        (shown,) if shown else () if parties.calling else _distinct(hidden),
        _distinct([*called, inside(number_of(request.uri)), canonical(parties.called)]),
        None if date is None else int(date),
    )


def _distinct(numbers: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(number for number in numbers if number))
