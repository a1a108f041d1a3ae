"""Changing a session without an INVITE: UPDATE both ways, and offers that came in UPDATE or PRACK (RFC 3311)."""

from __future__ import annotations

from voicegw.sip.bodies import SDP, sdp_or_nothing
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter, refused
from voicegw.sip.dialog import Dialog
from voicegw.sip.events import EndedBy, OfferAnswered, OfferRefused, SipCallHandle
from voicegw.sip.exchange import ExchangeInput
from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Response
from voicegw.sip.reinviting import glare_wait
from voicegw.sip.reply import Pairs
from voicegw.sip.screening import ALLOW, supported
from voicegw.sip.sip_call import Asked, SipCall, SipCallState, Update
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome

_METHOD = "UPDATE"


class UpdatingSide:
    """UPDATE in and out, one of each at a time."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # ---------------------------------------------------------------- the peer's

    def receive_update(self, call: SipCall, dialog: Dialog, incoming: Incoming, now: float) -> None:
        """UPDATE (§5.2): a new target, and perhaps an offer, which must not meet another one."""
        core, body = self._core, sdp_or_nothing(incoming.request)
        exchange = core.exchange_of(call, dialog)
        if call.change is not None or exchange.theirs or (body and _invite_is_open(call)):
            wait = str(int(core.seconds_between(0, 10)))
            self._refuse(call, incoming, 500, (("Retry-After", wait),), now)
        elif body and (exchange.ours or exchange.is_new or _answer_is_under_way(call)):
            self._refuse(call, incoming, 491, (), now)
        elif least := core.sessions.refusal(incoming, call.kept):
            self._refuse(call, incoming, 422, least, now)
        else:
            dialog.refresh_target(incoming.request)
            core.note_metadata(call, incoming.request)
            if body:
                core.open_change(call, dialog, exchange, incoming, body, now)
            else:
                core.answer(incoming, 200, self._headers(call, incoming, b"", now), call, now)

    def answer_offer(self, handle: SipCallHandle, answer: bytes | int, now: float) -> None:
        """Answer the offer of an UPDATE or a PRACK: SDP for 200, or a status that leaves the session as it was."""
        call = self._core.calls.get(handle)
        change = call.change if call is not None else None
        if call is None or change is None:
            return
        call.change = None
        change.exchange.close(answered=isinstance(answer, bytes))
        if isinstance(answer, bytes):
            extra = self._headers(call, change.incoming, answer, now)
            self._core.respond_to_change(call, change, 200, extra, answer, now)
        else:
            self._core.counters.add(refused(answer))
            self._core.respond_to_change(call, change, answer, (), b"", now)

    # ---------------------------------------------------------------- ours

    def update(self, handle: SipCallHandle, sdp: bytes, now: float, tag: str = "") -> bool:
        """Send UPDATE (§5.1), with an offer or, ``sdp`` empty, without. False where it cannot be sent now.

        ``tag`` names the fork while our INVITE is not answered yet. OfferAnswered or OfferRefused follows an offer.
        """
        core = self._core
        call = core.calls.get(handle)
        dialog = core.dialog_by_tag(call, tag) if call is not None else None
        if call is None or dialog is None or not _may_update(call):
            return False
        exchange = core.exchange_of(call, dialog)
        if sdp and (not exchange.is_idle or not exchange.rounds or call.change is not None or _is_inviting(call)):
            return False
        if sdp:
            exchange.advance(ExchangeInput.WE_OFFER)
        update = call.update = Update(call, dialog, exchange, sdp, tag)
        contact = core.contact_in(call, dialog.next_hop(), dialog.remote_target)
        extra: Pairs = (("Contact", contact), ALLOW, supported(call.recording))
        asked = Asked(
            lambda response, at: self._receive_response(update, response, at),
            lambda outcome, at: self._receive_failure(update, outcome, at),
        )
        core.request_in_dialog(dialog, _METHOD, asked, now, (*extra, *_typed(sdp)), sdp)
        return True

    def _receive_response(self, update: Update, response: Response, now: float) -> None:
        """The answer to our UPDATE. 491 is tried again as for a re-INVITE (§5.3)."""
        core, call = self._core, update.call
        if response.status < 200 or call.update is not update:
            return
        call.update = None
        if update.sdp:
            update.exchange.close(answered=response.status < 300)
        if response.status < 300:
            update.dialog.refresh_target(response)
            if update.sdp:
                call.kept.sdp = update.sdp
                core.emit(OfferAnswered(call.handle, sdp_or_nothing(response), update.tag))
        elif response.status == 491 and update.sdp:
            call.retry_update = update
            core.timers.start(call, Timer.UPDATE_GLARE, now + glare_wait(core, call))
        elif response.status in (408, 481) and call.state is SipCallState.CONFIRMED:
            self._core.lose(call, EndedBy.DIALOG_LOST, now)
        elif update.sdp:
            core.emit(OfferRefused(call.handle, response.status, update.tag))

    def _receive_failure(self, update: Update, outcome: Outcome, now: float) -> None:
        """Our UPDATE got no answer: a peer that has confirmed the call is gone (RFC 3261 §12.2.1.2)."""
        call = update.call
        if call.update is not update:
            return
        call.update = None
        if update.sdp:
            update.exchange.close(answered=False)
        if call.state is SipCallState.CONFIRMED:
            self._core.counters.add(SipCounter.NO_RESPONSE)
            timed_out = outcome is Outcome.TIMEOUT
            self._core.lose(call, EndedBy.NO_RESPONSE if timed_out else EndedBy.TRANSPORT_ERROR, now)
        elif update.sdp:
            self._core.emit(OfferRefused(call.handle, 408, update.tag))

    def fire(self, call: SipCall, now: float) -> None:
        """Time to try again after 491."""
        update, call.retry_update = call.retry_update, None
        if update is None or call.state is SipCallState.ENDED:
            return
        if not self.update(call.handle, update.sdp, now, update.tag):
            call.retry_update = update
            self._core.timers.start(call, Timer.UPDATE_GLARE, now + self._core.config.timers.t2)

    # ---------------------------------------------------------------- inside

    def _refuse(self, call: SipCall, incoming: Incoming, status: int, extra: Pairs, now: float) -> None:
        self._core.counters.add(refused(status))
        self._core.answer(incoming, status, extra, call, now)

    def _headers(self, call: SipCall, incoming: Incoming, sdp: bytes, now: float) -> Pairs:
        """Of a 200. A session has a timer once it is answered (RFC 4028 §7.1)."""
        answered = call.state in (SipCallState.ANSWERED, SipCallState.CONFIRMED)
        session = self._core.sessions.grant(call.kept, call, incoming.request, now) if answered else ()
        call.kept.sdp = sdp or call.kept.sdp
        return (
            ("Contact", self._core.contact_in(call, incoming.source, incoming.request.uri)),
            ALLOW,
            supported(call.recording),
            *session,
            *_typed(sdp),
        )


def _typed(sdp: bytes) -> Pairs:
    return (("Content-Type", SDP),) if sdp else ()


def _may_update(call: SipCall) -> bool:
    """Whether the peer has the dialog and, as far as it said, knows the method (§5.1)."""
    if call.update is not None or not call.peer_allows(_METHOD):
        return False
    if call.state is SipCallState.INVITED:
        return call.reliable is not None and call.reliable.acknowledged
    return call.state in (SipCallState.CALLING, SipCallState.ANSWERED, SipCallState.CONFIRMED)


def _is_inviting(call: SipCall) -> bool:
    """Whether an INVITE within the call may still make offers of its own."""
    if call.state in (SipCallState.INVITED, SipCallState.CALLING):
        return call.held_answer is not None or _answer_is_under_way(call)
    attempt = call.attempt
    ours = attempt is not None and attempt.transaction is not None and not attempt.transaction.is_final
    return ours or call.pending is not None or call.unacknowledged is not None


def _invite_is_open(call: SipCall) -> bool:
    """Whether the peer's own re-INVITE has no final response yet."""
    return call.pending is not None and call.state is not SipCallState.INVITED


def _answer_is_under_way(call: SipCall) -> bool:
    """Whether a description of ours in a reliable response is not acknowledged yet."""
    waiting = call.reliable.waiting if call.reliable is not None else None
    return call.state is SipCallState.INVITED and waiting is not None and waiting.described
