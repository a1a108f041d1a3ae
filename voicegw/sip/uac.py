"""The calling side: our INVITE, its answers, ACK and CANCEL (RFC 3261 §9.1, §13.2)."""

from __future__ import annotations

from collections.abc import Sequence

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import token
from voicegw.sip.address import Address, is_sendable
from voicegw.sip.bodies import SDP, sdp_or_nothing
from voicegw.sip.challenges import Permit
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter
from voicegw.sip.dialog import Dialog
from voicegw.sip.early import EarlySide, take_final_description
from voicegw.sip.events import (
    Answered,
    EndedBy,
    SipCallHandle,
)
from voicegw.sip.headers import CSeq, NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.inviting import Inviter
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.reinviting import ReinvitingSide
from voicegw.sip.reply import Pairs
from voicegw.sip.sip_call import Attempt, SipCall, SipCallInput, SipCallState
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome


class CallingSide:
    """Requests out, responses in. Commands for a call that has ended meanwhile do nothing: they crossed its end."""

    def __init__(self, core: Core, inviter: Inviter, reinviting: ReinvitingSide) -> None:
        self._core = core
        self._inviter = inviter
        self._reinviting = reinviting
        self._early = EarlySide(core)

    # ---------------------------------------------------------------- commands

    def invite(
        self,
        target_uri: str,
        from_: str,
        destination: Address,
        sdp: bytes | None,
        now: float,
        headers: Pairs = (),
        routes: Sequence[str] = (),
        account: str = "",
        call_id: str = "",
        patience_s: float | None = None,
    ) -> SipCallHandle:
        """Send an INVITE; without ``sdp`` the other side offers. LocalError for an unsendable destination."""
        core = self._core
        if not is_sendable(destination):
            raise LocalError(f"no datagram can be sent to {destination}")
        sender, branch = NameAddr.parse(from_), core.new_branch()
        tag = sender.tag or token(core.random, 12)
        call_id = call_id or core.new_call_id(destination)
        pairs = [("Via", core.via(branch, destination)), ("Max-Forwards", "70")]
        pairs += [("Route", route) for route in routes]
        pairs += [
            ("From", str(sender.with_tag(tag))),
            ("To", f"<{target_uri}>"),
            ("Call-ID", call_id),
            ("CSeq", "1 INVITE"),
            ("Contact", core.contact(destination, target_uri)),
        ]
        described = (*self._inviter.describe(sdp), *core.sessions.offer())
        request = Request("INVITE", target_uri, Headers((*pairs, *described, *headers)), sdp or b"")
        call = core.new_call(SipCallState.CALLING, None, tag)
        core.counters.add(SipCounter.CALLS_OUT)
        core.admission.met(call.handle, destination)
        permit = Permit(account) if account else None
        self._inviter.start(call, request, branch, destination, now, permit, is_initial=True)
        if patience_s is not None and call.attempt is not None:
            core.timers.start(call.attempt, Timer.PATIENCE, now + patience_s)
        return call.handle

    def acknowledge(self, handle: SipCallHandle, sdp: bytes) -> None:
        """Send the ACK with our answer, after ``wants_answer`` in Answered or ReinviteAnswered."""
        call = self._core.calls.get(handle)
        if call is None or call.attempt is None or call.dialog is None:
            return
        tag = call.dialog.id.remote_tag
        if call.attempt.acks.get(tag, (b"", call.dialog.peer)) is None:
            call.kept.sdp = sdp
            call.exchange.close(answered=bool(sdp))
            self._inviter.acknowledge(call.attempt, call.dialog, tag, (("Content-Type", SDP),) if sdp else (), sdp)

    def answer_progress(self, handle: SipCallHandle, tag: str, sdp: bytes, now: float) -> None:
        """Send the PRACK with our answer, after ``ProgressReceived(wants_answer=True)``."""
        self._early.answer(handle, tag, sdp, now)

    def cancel(self, handle: SipCallHandle, now: float, reason_header: str = "") -> None:
        """Give up a call that has not been answered. CANCEL waits for the first 1xx (§9.1)."""
        call = self._core.calls.get(handle)
        if call is not None and call.can(SipCallInput.CANCELLED):
            if call.attempt is not None and reason_header:
                call.attempt.cancel_headers = (("Reason", reason_header),)
            self._give_up(call, EndedBy.LOCAL_CANCEL, now)

    # ---------------------------------------------------------------- received

    def answer_challenge(self, attempt: Attempt, request: Request, response: Response, now: float) -> bool:
        """401 or 407: try again with credentials, if anybody still wants the call; False leaves it a refusal."""
        core, old = self._core, attempt.transaction
        wanted = SipCallState.CALLING if attempt.is_initial else SipCallState.CONFIRMED
        if old is None or attempt.cancelled or attempt.call.state is not wanted:
            return False
        renewed = core.answer_challenge(old, request, response, now)
        if renewed is None:
            return False
        core.timers.stop(attempt, Timer.C)
        core.timers.stop(attempt, Timer.PATIENCE)
        attempt.provisional_seen = False
        self._inviter.note(attempt, *renewed)
        return True

    def receive_response(self, attempt: Attempt, response: Response, now: float) -> None:
        """A response that its transaction passed up."""
        self._core.timers.stop(attempt, Timer.PATIENCE)
        if response.status < 200:
            self._receive_provisional(attempt, response, now)
            return
        self._core.timers.stop(attempt, Timer.C)
        self._core.timers.stop(attempt, Timer.CANCEL_WAIT)
        if response.status < 300:
            self._receive_success(attempt, response, now)
        elif attempt.is_initial:
            self._receive_refusal(attempt, response, now)
        else:
            self._reinviting.receive_refusal(attempt.call, response, now)

    def receive_early_bye(self, call: SipCall, dialog: Dialog, incoming: Incoming, now: float) -> None:
        """A called side hung up before it answered. With its last fork gone nobody is left to answer."""
        attempt = call.attempt
        if attempt is None or not self._early.drop(call, attempt, dialog):
            return
        core = self._core
        core.end(call, SipCallInput.BYE_RECEIVED, EndedBy.REMOTE_BYE, headers=incoming.request.headers)
        attempt.cancelled = True
        self._send_cancel(attempt, now)

    def receive_failure(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        """The transaction ended without a final response."""
        call = attempt.call
        self._core.timers.stop(attempt, Timer.C)
        self._core.timers.stop(attempt, Timer.PATIENCE)
        if not call.can(SipCallInput.FAILED) or attempt.cancelled:
            return
        self._core.counters.add(SipCounter.NO_RESPONSE)
        ended_by = EndedBy.NO_RESPONSE if outcome is Outcome.TIMEOUT else EndedBy.TRANSPORT_ERROR
        self._core.lose(call, ended_by, now)

    def fire(self, owner: Attempt, timer: Timer, now: float) -> None:
        """A timer of an INVITE of ours came due."""
        if timer is Timer.PATIENCE:
            self._lose_patience(owner, now)
        elif timer is Timer.C:
            self._give_up_waiting(owner, now)
        elif timer is Timer.CANCEL_WAIT and owner.transaction is not None:
            self._core.transactions.abandon(owner.transaction)

    # ---------------------------------------------------------------- inside

    def _receive_provisional(self, attempt: Attempt, response: Response, now: float) -> None:
        core, first = self._core, not attempt.provisional_seen
        attempt.provisional_seen = True
        if attempt.cancelled:
            if first:
                self._send_cancel(attempt, now)
            return
        core.timers.start(attempt, Timer.C, now + core.config.timers.first(Timer.C))
        call = attempt.call
        if response.status > 100 and call.state in (SipCallState.CALLING, SipCallState.CONFIRMED):
            call.learn(response.headers)
            progress = self._early.receive(attempt, response, now)
            if progress is not None and attempt.is_initial:
                core.emit(progress)

    def _receive_success(self, attempt: Attempt, response: Response, now: float) -> None:
        tag = NameAddr.parse(response.headers.get("To") or "").tag or ""
        if tag in attempt.acks:
            ack = attempt.acks[tag]
            if ack is not None:
                self._core.send(*ack)  # §13.2.2.4: the same ACK for every copy of the 2xx
        elif attempt.is_initial:
            self._receive_answer(attempt, tag, response, now)
        else:
            self._reinviting.receive_answer(attempt, tag, response, now)

    def _receive_answer(self, attempt: Attempt, tag: str, response: Response, now: float) -> None:
        """The first 2xx of a fork. One makes the call; any other, or one that comes too late, gets ACK and BYE."""
        core, call = self._core, attempt.call
        try:
            dialog, exchange = self._early.confirm(attempt, tag, response)
        except RemoteProtocolError:
            core.counters.add(SipCounter.MALFORMED)
            if call.can(SipCallInput.FAILED) and call.state is SipCallState.CALLING:
                core.end(call, SipCallInput.FAILED, EndedBy.PEER_ERROR, status=response.status)
            return
        if call.state is not SipCallState.CALLING:
            core.counters.add(SipCounter.EXTRA_FORK)
            self._inviter.acknowledge(attempt, dialog, tag)
            core.say_bye(None, dialog, now)
            return
        call.advance(SipCallInput.ANSWER_RECEIVED)
        call.learn(response.headers)
        call.dialog, call.exchange = dialog, exchange
        core.dialogs[dialog.id] = call
        call.kept.sdp, attempt.body = attempt.body or call.kept.sdp, b""
        core.sessions.receive_success(call.kept, call, response, now)
        self._early.settle(call, attempt, tag)
        body, wants_answer = take_final_description(exchange, sdp_or_nothing(response))
        if wants_answer:
            attempt.acks[tag] = None
        else:
            self._inviter.acknowledge(attempt, dialog, tag)
        core.emit(Answered(call.handle, body, dialog.remote_target, wants_answer, tag))

    def _receive_refusal(self, attempt: Attempt, response: Response, now: float) -> None:
        core, call = self._core, attempt.call
        if call.state is not SipCallState.CALLING:
            return
        if response.status == 422 and core.sessions.receive_too_brief(call.kept, response):
            self.send_again(attempt, core.sessions.offer(call.kept), now)
        else:
            core.end(
                call,
                SipCallInput.REFUSAL_RECEIVED,
                EndedBy.REMOTE_REFUSAL,
                status=response.status,
                reason=response.reason,
                headers=response.headers,
            )

    def send_again(self, attempt: Attempt, changed: Pairs, now: float) -> None:
        """Repeat an INVITE that was refused, with headers that may help: the same call with the next CSeq.

        §8.1.3.5, and RFC 4028 §7.3 for 422.
        """
        core, transaction, headers = self._core, attempt.transaction, attempt.request.headers
        if transaction is None:
            return
        number = CSeq.parse(headers.get("CSeq") or "").number + 1
        branch, peer = core.new_branch(), transaction.peer
        for name, value in (("Via", core.via(branch, peer)), ("CSeq", f"{number} INVITE"), *changed):
            headers = headers.with_(name, value)
        request = Request("INVITE", attempt.request.uri, headers, attempt.body)
        self._inviter.start(attempt.call, request, branch, peer, now, transaction.permit, is_initial=True)

    def _give_up(self, call: SipCall, ended_by: EndedBy, now: float) -> None:
        attempt = call.attempt
        self._core.end(call, SipCallInput.CANCELLED, ended_by)
        if attempt is not None:
            self._core.timers.stop(attempt, Timer.PATIENCE)
            attempt.cancelled = True
            if attempt.provisional_seen:
                self._send_cancel(attempt, now)

    def _lose_patience(self, attempt: Attempt, now: float) -> None:
        """The server has not even said 100, and another one is to be tried: what comes yet is taken back (§9.1)."""
        if attempt.call.state is not SipCallState.CALLING or attempt.transaction is None:
            return
        self._core.counters.add(SipCounter.NO_RESPONSE)
        self._core.timers.stop(attempt.transaction, Timer.A)
        self._give_up(attempt.call, EndedBy.NO_RESPONSE, now)

    def _give_up_waiting(self, attempt: Attempt, now: float) -> None:
        """Provisional responses came, and then nothing: the client transaction would never end by itself."""
        call = attempt.call
        if call.can(SipCallInput.CANCELLED):
            self._give_up(call, EndedBy.NO_ANSWER, now)
        elif attempt.transaction is not None:
            self._core.transactions.abandon(attempt.transaction)
            if not attempt.is_initial:
                self._reinviting.receive_silence(call)

    def _send_cancel(self, attempt: Attempt, now: float) -> None:
        """CANCEL is made of parts of the INVITE, its Via and branch among them (§9.1)."""
        core, transaction = self._core, attempt.transaction
        core.timers.stop(attempt, Timer.C)
        if transaction is None or transaction.is_final:
            return
        invite = attempt.request.headers
        pairs = [("Via", invite.get("Via") or ""), ("Max-Forwards", "70")]
        pairs += [("Route", route) for route in invite.get_all("Route")]
        pairs += [(name, invite.get(name) or "") for name in ("From", "To", "Call-ID")]
        pairs.append(("CSeq", f"{CSeq.parse(invite.get('CSeq') or '').number} CANCEL"))
        request = Request("CANCEL", attempt.request.uri, Headers((*pairs, *attempt.cancel_headers)))
        core.transactions.start_client(request, transaction.key[0], transaction.peer, None, now)
        core.timers.start(attempt, Timer.CANCEL_WAIT, now + core.config.timers.first(Timer.CANCEL_WAIT))
