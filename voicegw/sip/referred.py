"""A peer asks us to call somebody else: REFER received, and the NOTIFYs that tell how that goes (RFC 3515).

Each call has at most one such request open. Whether it is followed is for the owner to decide: unasked, nobody is
called. The subscription that a REFER makes can be declined by its sender (RFC 4488), and ends with the call.
"""

from __future__ import annotations

from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.core import Core
from voicegw.sip.counters import refused
from voicegw.sip.events import ReferConcluded, ReferReceived, SipCallHandle
from voicegw.sip.incoming import Incoming
from voicegw.sip.refer import SIPFRAG
from voicegw.sip.replaces import ReferTarget
from voicegw.sip.reply import Pairs, make_response, reason_phrase
from voicegw.sip.sip_call import Asked, PeersReferral, SipCall, SipCallState

EXPIRES_S: Final = 180
"""How long a NOTIFY says that the subscription lives: longer than any phone rings."""
_BUSY: Final = (("Retry-After", "5"),)


class ReferredSide:
    """REFERs of peers, and what we tell them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._asked: dict[SipCallHandle, tuple[SipCall, PeersReferral]] = {}
        """Not answered yet. The call may end meanwhile, the answer is owed all the same."""

    # ---------------------------------------------------------------- received

    def receive_refer(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """A REFER in a call: refused by the letter, or the owner's to answer."""
        core, headers = self._core, incoming.request.headers
        lines = headers.get_all("Refer-To")
        status, target = 400, None
        extra: Pairs = ()
        if call.state is not SipCallState.CONFIRMED:
            status = 403
        elif call.peers_referral is not None:
            status, extra = 500, _BUSY
        elif len(lines) == 1:
            try:
                target = ReferTarget.parse(lines[0])
            except RemoteProtocolError as error:
                status = error.status_hint
        if target is None:
            core.counters.add(refused(status))
            core.answer(incoming, status, extra, call, now)
            return
        transaction = core.transactions.open_server(incoming.key, "REFER", incoming.reply_to, call)
        silent = (headers.get("Refer-Sub") or "").strip().lower() == "false"
        call.referrals_received += 1
        call.peers_referral = PeersReferral(incoming, transaction, call.referrals_received, silent=silent)
        self._asked[call.handle] = (call, call.peers_referral)
        replaces = "" if target.replaces is None else str(target.replaces)
        core.emit(ReferReceived(call.handle, target.uri, replaces, headers.get("Referred-By") or ""))

    def receive_subscribe(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """A SUBSCRIBE in a call can only lengthen, or with Expires 0 end, what a REFER of it began (§2.4.4)."""
        core, headers, referral = self._core, incoming.request.headers, call.peers_referral
        package = (headers.get("Event") or "").partition(";")[0].strip().lower()
        if package != "refer" or referral is None or not referral.is_answered:
            status = 489 if package != "refer" else 481
            core.counters.add(refused(status))
            core.answer(incoming, status, (("Allow-Events", "refer"),), call, now)
            return
        over = (headers.get("Expires") or "").strip() == "0"
        core.answer(incoming, 200, (("Expires", "0" if over else str(EXPIRES_S)), *self._contact(call)), call, now)
        referral.is_silent = referral.is_silent or over

    # ---------------------------------------------------------------- commands

    def answer(self, handle: SipCallHandle, status: int, now: float) -> None:
        """Accept with 202 or refuse with 300-699. The first NOTIFY goes along with the 202 (§2.4.4)."""
        asked = self._asked.pop(handle, None)
        if asked is None:
            return
        call, referral = asked
        if call.state is not SipCallState.CONFIRMED:
            status = 481
        referral.is_answered = True
        extra: Pairs = (("Refer-Sub", "false"),) if referral.is_silent and status < 300 else ()
        extra = (*extra, *self._contact(call), *self._core.server_header())
        response = make_response(referral.incoming, status, call.local_tag, extra)
        self._core.transactions.respond(referral.transaction, response, now)
        if status < 300:
            self.notify(handle, 100, now)
        else:
            call.peers_referral = None

    def notify(self, handle: SipCallHandle, status: int, now: float) -> None:
        """Tell how the call that was asked for does; a final status is the last word, ReferConcluded follows."""
        call = self._core.calls.get(handle)
        referral = call.peers_referral if call is not None else None
        if call is None or referral is None or not referral.is_answered:
            return
        is_final = status >= 200
        if is_final:
            call.peers_referral = None
        if not referral.is_silent and call.dialog is not None and call.state is SipCallState.CONFIRMED:
            self._send(call, referral, status, now)
        elif is_final:
            self._core.emit(ReferConcluded(handle))

    # ---------------------------------------------------------------- inside

    def _send(self, call: SipCall, referral: PeersReferral, status: int, now: float) -> None:
        if call.dialog is None:
            return
        is_final = status >= 200
        state = "terminated;reason=noresource" if is_final else f"active;expires={EXPIRES_S}"
        # The first REFER of a dialog needs no id, and old phones look for none (RFC 3515 §2.4.6).
        name = "refer" if referral.number == 1 else f"refer;id={referral.incoming.cseq}"
        extra = (
            ("Event", name),
            ("Subscription-State", state),
            *self._contact(call),
            ("Content-Type", f"{SIPFRAG};version=2.0"),
        )
        body = f"SIP/2.0 {status} {reason_phrase(status)}\r\n".encode()
        told = Asked(
            lambda response, _now: self._told(call, response.status, is_final=is_final),
            lambda _outcome, _now: self._told(call, 408, is_final=is_final),
        )
        self._core.request_in_dialog(call.dialog, "NOTIFY", told, now, extra, body)

    def _told(self, call: SipCall, status: int, *, is_final: bool) -> None:
        """The answer to a NOTIFY. Who does not want to hear (481) is not told any more; we go on all the same."""
        if status < 200:
            return
        if status >= 300 and call.peers_referral is not None:
            call.peers_referral.is_silent = True
        if is_final:
            self._core.emit(ReferConcluded(call.handle))

    def _contact(self, call: SipCall) -> Pairs:
        return (
            (("Contact", self._core.contact(call.dialog.next_hop(), call.dialog.remote_target)),)
            if call.dialog is not None
            else ()
        )
