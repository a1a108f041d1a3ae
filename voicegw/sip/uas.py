"""The answering side: INVITE and re-INVITE of the peer, their ACK and CANCEL (RFC 3261 §9.2, §13.3, §14.2)."""

from __future__ import annotations

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.bodies import SDP, sdp_body, sdp_or_nothing
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter, refused
from voicegw.sip.dialog import DialogId, DialogInput, dialog_of_incoming
from voicegw.sip.events import (
    NO_HEADERS,
    AckReceived,
    EndedBy,
    InfoReceived,
    InviteReceived,
    ReinviteReceived,
    SipCallHandle,
)
from voicegw.sip.exchange import ExchangeInput
from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Headers
from voicegw.sip.reliable import ReliableSide
from voicegw.sip.reply import Pairs, make_response
from voicegw.sip.screening import ALLOW, supported
from voicegw.sip.sip_call import PendingInvite, SipCall, SipCallInput, SipCallState
from voicegw.sip.siprec import is_recording_session
from voicegw.sip.timers import Timer

_NO_PRACK = 504
"""A 5xx for an INVITE whose caller acknowledges nothing (RFC 3262 §3)."""


class AnsweringSide:
    """Requests in, responses out. Commands for a call that has ended meanwhile do nothing: they crossed its end."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._reliable = ReliableSide(core)

    # ---------------------------------------------------------------- received

    def receive_invite(
        self, incoming: Incoming, now: float, phone: str = "", replaced: SipCall | None = None
    ) -> None:
        """A screened INVITE outside a dialog: 100 at once, then it is the owner's. ``replaced``: by Replaces."""
        core = self._core
        tag = core.stateless_tag(incoming)
        dialog = dialog_of_incoming(incoming, tag, core.contact(incoming.source, incoming.request.uri))
        if dialog.id in core.dialogs:
            # Our tag follows from the request, so this is the INVITE of a running call, older than its transaction.
            raise RemoteProtocolError("a late copy of an INVITE", 482)
        call = core.new_call(SipCallState.INVITED, dialog, tag, incoming.source)
        core.counters.add(SipCounter.CALLS_IN)
        call.learn(incoming.request.headers)
        call.recording = is_recording_session(incoming.request)
        self._open(call, incoming, now)
        old = None if replaced is None else replaced.handle
        body = sdp_body(incoming.request)
        if body:
            call.exchange.advance(ExchangeInput.THEY_OFFER)
        core.emit(InviteReceived(call.handle, incoming.request, incoming.source, body, phone, old, call.recording))

    def receive_reinvite(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """An INVITE within a dialog (§14.2): one change at a time, and ours and the peer's must not cross."""
        core = self._core
        if call.pending is not None or call.change is not None:
            wait = str(int(core.seconds_between(0, 10)))
            self._refuse_in_dialog(call, incoming, 500, (("Retry-After", wait),), now)
        elif self._is_changing(call):
            self._refuse_in_dialog(call, incoming, 491, (), now)
        elif least := core.sessions.refusal(incoming, call.kept):
            self._refuse_in_dialog(call, incoming, 422, least, now)
        else:
            if call.dialog is not None:
                call.dialog.refresh_target(incoming.request)
            if call.unacknowledged is not None:  # who changes the session has seen our answer to the last change
                core.stop_awaiting_ack(call)
                call.advance(SipCallInput.ACK_RECEIVED)
                core.admission.met(call.handle, incoming.source)
                core.emit(AckReceived(call.handle, b""))
            self._open(call, incoming, now)
            body = sdp_body(incoming.request)
            if body:
                call.exchange.advance(ExchangeInput.THEY_OFFER)
            core.note_metadata(call, incoming.request)
            core.emit(ReinviteReceived(call.handle, body))

    def _is_changing(self, call: SipCall) -> bool:
        """Whether an offer of ours is open (re-INVITE, UPDATE, a 2xx that asked for an answer), or may come yet."""
        attempt = call.attempt
        if attempt is not None and attempt.transaction is not None and not attempt.transaction.is_final:
            return True
        return not call.exchange.is_idle or call.state is SipCallState.ENDING

    def receive_ack(self, incoming: Incoming, now: float) -> None:
        """The ACK of a 2xx. It ends the retransmission, and lets a BYE go that had to wait for it (§15)."""
        core = self._core
        call = proven = core.dialogs.get(DialogId(incoming.call_id, incoming.to_tag, incoming.from_tag))
        call = call or self._acknowledged_by_branch(incoming)
        open_answer = call.unacknowledged if call is not None else None
        if call is None or open_answer is None or open_answer.cseq != incoming.cseq:
            core.counters.add(SipCounter.STRAY_ACK)
            return
        core.stop_awaiting_ack(call)
        if call.state is SipCallState.ENDING:
            self._end_with_bye(call, SipCallInput.ACK_RECEIVED, EndedBy.LOCAL_BYE, now)
            return
        call.advance(SipCallInput.ACK_RECEIVED)
        if proven is not None or core.config.peers.is_known(incoming.source):
            # Who forges an address knows the branch, and our tag only who got our answer.
            core.admission.met(call.handle, incoming.source)
        body = sdp_or_nothing(incoming.request)
        if call.exchange.ours:
            call.exchange.close(answered=bool(body))
        core.emit(AckReceived(call.handle, body))

    def receive_prack(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """PRACK (RFC 3262 §3). It may set an answer free that had to wait for it."""
        self._reliable.receive_prack(call, incoming, now)
        self.release(call, now)

    def release(self, call: SipCall, now: float) -> None:
        """Send the 200 that was held back, if nothing holds it any more."""
        sdp = call.held_answer
        if sdp is not None and not self._reliable.holds_answer(call):
            call.held_answer = None
            self.accept(call.handle, sdp, now)

    def _acknowledged_by_branch(self, incoming: Incoming) -> SipCall | None:
        """The call of an ACK whose To tag is wrong but whose branch is that of the INVITE.

        The ACK of a 2xx has a branch of its own (§13.2.2.4), but some peers (pyVoIP 1.6) treat it as that of a
        refusal, and make up the tag. The branch names the call as surely; without this, they never get to talk.
        """
        transaction = self._core.transactions.find_server(incoming.key)
        call = transaction.user if transaction is not None else None
        if not isinstance(call, SipCall) or call.dialog is None or call.dialog.id.call_id != incoming.call_id:
            return None
        return call

    def receive_cancel(self, incoming: Incoming, now: float) -> None:
        """CANCEL (§9.2): 200 for itself, 487 for the INVITE unless that has its final response already."""
        core = self._core
        transaction = core.transactions.find_server(incoming.key_of_invite())
        call = transaction.user if transaction is not None else None
        if transaction is None or not isinstance(call, SipCall):
            core.counters.add(refused(481))
            core.reply(incoming, 481)
            return
        core.answer(incoming, 200, (), call, now)
        if call.pending is None or call.pending.transaction is not transaction:
            return
        core.finish_invite(call, call.pending, 487, (), b"", now)
        if call.state is SipCallState.INVITED:
            self._end_early(
                call, SipCallInput.CANCEL_RECEIVED, EndedBy.REMOTE_CANCEL, headers=incoming.request.headers
            )

    def receive_bye(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """BYE (§15.1.2), also before our 2xx or its ACK, and also crossing our own."""
        core = self._core
        core.answer(incoming, 200, (), call, now)
        if call.pending is not None:
            core.finish_invite(call, call.pending, 487, (), b"", now)
        if call.state is SipCallState.ENDED:
            return
        if call.dialog is not None:
            call.dialog.advance(DialogInput.BYE)
        core.end(call, SipCallInput.BYE_RECEIVED, EndedBy.REMOTE_BYE, headers=incoming.request.headers)
        core.forget_dialog(call)

    def receive_info(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """INFO: accepted whatever it says, as keypads that send it expect."""
        self._core.answer(incoming, 200, (), call, now)
        kind = incoming.request.headers.get("Content-Type") or ""
        self._core.emit(InfoReceived(call.handle, kind, incoming.request.body))

    # ---------------------------------------------------------------- commands

    def ring(self, handle: SipCallHandle, now: float, status: int, sdp: bytes) -> None:
        """Send 101-199, reliably where the caller wants it so. An offer of ours needs that (RFC 6337 §3.1.1)."""
        core = self._core
        call = core.calls.get(handle)
        if (
            call is None
            or call.pending is None
            or call.state is not SipCallState.INVITED
            or call.held_answer is not None
        ):
            return
        pending = call.pending
        if self._reliable.is_wanted(pending.incoming, sdp):
            self._reliable.send(call, pending, status, sdp, now)
            return
        sdp = sdp if call.exchange.theirs else b""
        extra = (*self._contact(call, pending.incoming), *_typed(sdp), *core.server_header())
        response = make_response(pending.incoming, status, call.local_tag, extra, sdp)
        pending.provisional = response
        core.transactions.respond(pending.transaction, response, now)
        core.timers.start(call, Timer.REFRESH_1XX, now + core.config.timers.first(Timer.REFRESH_1XX))

    def takes_reliable(self, handle: SipCallHandle) -> bool:
        """Whether a description in a provisional response would go out reliably."""
        call = self._core.calls.get(handle)
        return (
            call is not None and call.pending is not None and self._reliable.is_wanted(call.pending.incoming, b"-")
        )

    def release_answer(self, handle: SipCallHandle, now: float) -> None:
        """An answer that we owed is given: the 200 may go, if it waits."""
        if (call := self._core.calls.get(handle)) is not None:
            self.release(call, now)

    def accept(self, handle: SipCallHandle, sdp: bytes, now: float) -> None:
        """Send 200 and repeat it until the ACK. LocalError if the call has been answered before."""
        call = self._core.calls.get(handle)
        if call is None:
            return
        if call.pending is None or not call.can(SipCallInput.ACCEPTED) or call.held_answer is not None:
            raise LocalError(f"call {handle} cannot be accepted: {call.state.value}")
        if self._reliable.holds_answer(call):
            call.held_answer = sdp
            return
        call.advance(SipCallInput.ACCEPTED)
        if call.dialog is not None:
            call.dialog.advance(DialogInput.SUCCESS)
        self._send_ok(call, call.pending, call.exchange.publish(sdp), now)
        self._core.admission.answered(handle, now)

    def reject(self, handle: SipCallHandle, status: int, now: float, reason: str, headers: Pairs) -> None:
        """Send 300-699 to the INVITE. LocalError for another status, or if the call has been answered before."""
        core = self._core
        call = core.calls.get(handle)
        if call is None:
            return
        if call.pending is None or not call.can(SipCallInput.REFUSED) or not 300 <= status <= 699:
            raise LocalError(f"call {handle} cannot be refused with {status}: {call.state.value}")
        extra = (*headers, core.retry_after()) if status == 503 and not _has_retry(headers) else headers
        core.finish_invite(call, call.pending, status, extra, b"", now, reason)
        self._end_early(call, SipCallInput.REFUSED, EndedBy.LOCAL_REFUSAL, status=status)

    def answer_reinvite(self, handle: SipCallHandle, answer: bytes | int, now: float) -> None:
        """Answer a re-INVITE: SDP for 200, or a status of 300-699 that leaves the session as it was."""
        call = self._core.calls.get(handle)
        if call is None or call.pending is None or call.state is SipCallState.INVITED:
            return
        if isinstance(answer, bytes):
            theirs = call.exchange.theirs
            call.exchange.advance(ExchangeInput.ANSWERED if theirs else ExchangeInput.WE_OFFER)
            self._send_ok(call, call.pending, answer, now)
        else:
            self._core.finish_invite(call, call.pending, answer, (), b"", now)

    def give_up(self, handle: SipCallHandle, now: float) -> None:
        """End a call whose answer was not acknowledged in time, before its 64*T1 are over."""
        core = self._core
        call = core.calls[handle]
        core.counters.add(SipCounter.HALF_OPEN)
        self._end_with_bye(call, SipCallInput.ACK_TIMED_OUT, EndedBy.NO_ACK, now)

    # ---------------------------------------------------------------- timers

    def fire(self, call: SipCall, timer: Timer, now: float) -> None:
        """A timer of the answering side came due."""
        core = self._core
        open_answer, pending = call.unacknowledged, call.pending
        if timer is Timer.RETRANSMIT_2XX and open_answer is not None:
            core.send(open_answer.data, open_answer.peer)
            open_answer.interval = core.config.timers.again(timer, open_answer.interval)
            core.timers.start(call, timer, now + open_answer.interval)
        elif timer is Timer.REFRESH_1XX and pending is not None and pending.provisional is not None:
            if "RSeq" in pending.provisional.headers:
                self._reliable.refresh(call, pending, now)
            else:
                core.transactions.respond(pending.transaction, pending.provisional, now)
            core.timers.start(call, timer, now + core.config.timers.first(timer))
        elif timer in (Timer.RETRANSMIT_1XX, Timer.PRACK_WAIT):
            if self._reliable.fire(call, timer, now) and pending is not None:
                core.counters.add(SipCounter.NO_ACK)
                core.finish_invite(call, pending, _NO_PRACK, (), b"", now)
                self._end_early(call, SipCallInput.REFUSED, EndedBy.NO_PRACK, status=_NO_PRACK)
        elif timer is Timer.ACK_WAIT and call.can(SipCallInput.ACK_TIMED_OUT):
            core.counters.add(SipCounter.NO_ACK)
            self._end_with_bye(call, SipCallInput.ACK_TIMED_OUT, EndedBy.NO_ACK, now)

    # ---------------------------------------------------------------- inside

    def _open(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """Open the server transaction and send 100, as nobody knows how long the owner takes (§17.2.1)."""
        core = self._core
        merge_key = None if incoming.to_tag else incoming.merge_key
        once = not core.config.peers.is_known(incoming.source)
        transaction = core.transactions.open_server(
            incoming.key, "INVITE", incoming.reply_to, call, merge_key, once=once
        )
        call.pending = PendingInvite(incoming, transaction)
        core.transactions.respond(transaction, make_response(incoming, 100, ""), now)

    def _send_ok(self, call: SipCall, pending: PendingInvite, sdp: bytes, now: float) -> None:
        session = self._core.sessions.grant(call.kept, call, pending.incoming.request, now)
        extra = (*self._contact(call, pending.incoming), ALLOW, supported(call.recording), *session, *_typed(sdp))
        call.kept.sdp = sdp or call.kept.sdp
        data = self._core.finish_invite(call, pending, 200, extra, sdp, now)
        self._core.await_ack(call, pending, data, now)

    def _refuse_in_dialog(self, call: SipCall, incoming: Incoming, status: int, extra: Pairs, now: float) -> None:
        self._core.counters.add(refused(status))
        self._core.answer(incoming, status, extra, call, now)

    def _end_early(
        self,
        call: SipCall,
        happened: SipCallInput,
        ended_by: EndedBy,
        *,
        status: int = 0,
        headers: Headers = NO_HEADERS,
    ) -> None:
        """End a call that had no 2xx."""
        if call.dialog is not None:
            call.dialog.advance(DialogInput.FAILURE)
        self._core.end(call, happened, ended_by, status=status, headers=headers)
        self._core.forget_dialog(call)

    def _end_with_bye(self, call: SipCall, happened: SipCallInput, ended_by: EndedBy, now: float) -> None:
        self._core.end(call, happened, ended_by)
        if call.dialog is not None:
            self._core.say_bye(call, call.dialog, now, call.bye_headers)

    def _contact(self, call: SipCall, incoming: Incoming) -> Pairs:
        return (("Contact", self._core.contact_in(call, incoming.source, incoming.request.uri)),)


def _typed(sdp: bytes) -> Pairs:
    return (("Content-Type", SDP),) if sdp else ()


def _has_retry(headers: Pairs) -> bool:
    return any(name.lower() == "retry-after" for name, _ in headers)
