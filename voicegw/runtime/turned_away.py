"""The record of a call that never became one: what it said, and why it was refused."""

from __future__ import annotations

import msgspec

from voicegw.base.causes import HangupCause
from voicegw.base.ids import CallId, token
from voicegw.call import facts as f
from voicegw.gateway.events import LegInvited
from voicegw.runtime.introduction import introduction
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.offer import Offer
from voicegw.runtime.services import CallServices


def record_refused(
    services: CallServices, invited: LegInvited, cause: HangupCause, source: str = "", ago_s: float = 0.0
) -> CallId:
    """Three facts, or two, and the end of it. ``source``: the address that it came from, where that is known;
    ``ago_s``: how long ago that was."""
    call_id = CallId(token(services.random, 16))
    book = LogBook(call_id, services.clock, services.facts, services.on_fact)
    book.note(offer_of(invited).fact(call_id, services.clock.wall() - ago_s))
    introduced = msgspec.structs.replace(introduction(invited.trunk, invited.parties), source=source)
    if introduced != f.CallWasIntroduced():
        book.note(introduced)
    why = cause.value
    book.note(f.CallHasEnded(why.name, why.side.value, why.failure, why.q850, why.text, 0.0))
    book.close()
    return call_id


def offer_of(invited: LegInvited) -> Offer:
    """What the INVITE said, for the record and the agent."""
    return Offer(
        invited.leg_id,
        invited.sip_call_id,
        invited.called,
        invited.calling,
        invited.display_name,
        invited.headers,
        trunk=invited.trunk,
        parties=invited.parties,
        max_call_s=invited.max_call_s,
        recorded=invited.recording is not None,
    )
