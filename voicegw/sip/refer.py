"""Asking a peer to call somebody else: REFER, and the NOTIFY that tells how its call went (RFC 3515, RFC 3420).

Accepting a REFER makes a subscription within the dialog, without a SUBSCRIBE; it lives until the peer says that it
is terminated or the call ends. Each call has at most one.
"""

from __future__ import annotations

import re
from typing import Final

from voicegw.sip.bodies import content_type
from voicegw.sip.core import Core
from voicegw.sip.counters import refused
from voicegw.sip.events import ReferAnswered, ReferNotified, SipCallHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Response
from voicegw.sip.replaces import ReferTarget, Replaces
from voicegw.sip.sip_call import Referral, SipCall, SipCallState
from voicegw.sip.uri import SipUri

SIPFRAG: Final = "message/sipfrag"
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: |\r|\n|$)")
_NO_ANSWER: Final = 408


class ReferringSide:
    """Our REFERs and what the peers tell of them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def refer(
        self,
        handle: SipCallHandle,
        target_uri: str,
        now: float,
        replaced: SipCallHandle | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> bool:
        """Send REFER; False if the call is not up or another REFER of it is open. ReferAnswered follows.

        ``Referred-By`` names us as the dialog does (RFC 3892 §2.1), so that the target can see who sent the caller.
        ``replaced`` is a call of ours whose far end the peer is to call, in our place (RFC 5589 §7): its Contact is
        the target then. False, too, if that call is not up. ``headers`` are for the peer's INVITE to the target.
        """
        core = self._core
        call, other = core.calls.get(handle), core.calls.get(replaced) if replaced is not None else None
        if call is None or call.dialog is None or call.state is not SipCallState.CONFIRMED or call.referral:
            return False
        if replaced is None:
            target = ReferTarget(str(SipUri.parse(target_uri)), headers=headers)
        elif other is not None and other.dialog is not None and other.state is SipCallState.CONFIRMED:
            target = ReferTarget(other.dialog.remote_target, Replaces.of(other.dialog))
        else:
            return False
        call.referral = Referral(call)
        us = NameAddr.parse(call.dialog.local_party).uri
        extra = (
            ("Refer-To", str(target)),
            ("Referred-By", f"<{us}>"),
            ("Contact", core.contact(call.dialog.next_hop(), call.dialog.remote_target)),
        )
        core.request_in_dialog(call.dialog, "REFER", call.referral, now, extra)
        return True

    def receive_response(self, referral: Referral, response: Response) -> None:
        """The answer to our REFER: 202, or 200 of peers that follow an older draft, or a refusal."""
        if response.status < 200 or referral.call.referral is not referral:
            return
        if response.status >= 300:
            referral.call.referral = None
        self._core.emit(ReferAnswered(referral.call.handle, response.status))

    def receive_failure(self, referral: Referral) -> None:
        """Our REFER got no answer."""
        if referral.call.referral is referral:
            referral.call.referral = None
            self._core.emit(ReferAnswered(referral.call.handle, _NO_ANSWER))

    def receive_notify(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """NOTIFY in a call. It may come before the 202 (RFC 3515 §2.4.4); without a REFER of ours it gets 481."""
        core, headers = self._core, incoming.request.headers
        event = (headers.get("Event") or headers.get("o") or "").partition(";")[0].strip().lower()
        if event != "refer" or call.referral is None:
            status = 489 if event != "refer" else 481
            core.counters.add(refused(status))
            core.answer(incoming, status, (("Allow-Events", "refer"),), call, now)
            return
        if incoming.request.body and content_type(headers) != SIPFRAG:
            core.counters.add(refused(415))
            core.answer(incoming, 415, (("Accept", SIPFRAG),), call, now)
            return
        core.answer(incoming, 200, (), call, now)
        status = sipfrag_status(incoming.request.body)
        final = (headers.get("Subscription-State") or "").strip().lower().startswith("terminated")
        if final or status >= 200:
            call.referral = None
        core.emit(ReferNotified(call.handle, status, final))


def sipfrag_status(body: bytes) -> int:
    """The status of the response that a fragment begins with; 0 where it says none (RFC 3420, RFC 3515 §2.4.5)."""
    found = _STATUS_LINE.match(body.lstrip())
    return int(found.group(1)) if found is not None else 0
