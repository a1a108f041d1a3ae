"""The calling side: our INVITE and re-INVITE, their answers, ACK and CANCEL (RFC 3261 §9.1, §13.2, §14.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import token
from voicegw.sip.address import Address, is_sendable
from voicegw.sip.bodies import SDP, sdp_or_nothing
from voicegw.sip.challenges import Permit, credentials_of
from voicegw.sip.core import Core, permit_in
from voicegw.sip.counters import SipCounter
from voicegw.sip.dialog import Dialog
from voicegw.sip.early import EarlySide, take_final_description
from voicegw.sip.events import (
    Answered,
    EndedBy,
    ReinviteAnswered,
    ReinviteRefused,
    SipCallHandle,
)
from voicegw.sip.exchange import ExchangeInput
from voicegw.sip.headers import CSeq, NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.reply import Pairs
from voicegw.sip.screening import ACCEPT, ALLOW, SUPPORTED
from voicegw.sip.sip_call import Attempt, SipCall, SipCallInput, SipCallState, User
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome, Transaction

MAX_RETRY_AFTER_S = 32.0
"""Whoever asks for more is not about to end a change of the session."""


class CallingSide:
    """Requests out, responses in. Commands for a call that has ended meanwhile do nothing: they crossed its end."""

    def __init__(self, core: Core) -> None:
        self._core = core
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
        described = (*self._describe(sdp), *core.sessions.offer())
        request = Request("INVITE", target_uri, Headers((*pairs, *described, *headers)), sdp or b"")
        call = core.new_call(SipCallState.CALLING, None, tag)
        core.counters.add(SipCounter.CALLS_OUT)
        core.admission.met(call.handle, destination)
        permit = Permit(account) if account else None
        self._start(call, request, branch, destination, now, permit, is_initial=True)
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
            self._acknowledge(call.attempt, call.dialog, tag, (("Content-Type", SDP),) if sdp else (), sdp)

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

    def reinvite(self, handle: SipCallHandle, sdp: bytes, now: float) -> bool:
        """Offer a change of the session (§14.1), or, ``sdp`` empty, ask for an offer.

        False if another change is under way or the call is not up.
        """
        core = self._core
        call = core.calls.get(handle)
        if call is None or call.dialog is None or call.state is not SipCallState.CONFIRMED or _is_busy(call):
            return False
        dialog = call.dialog
        branch, peer = core.new_branch(), dialog.next_hop()
        extra = (
            ("Contact", core.contact(peer, dialog.remote_target)),
            *self._describe(sdp),
            *core.sessions.offer(call.kept),
        )
        request = dialog.request("INVITE", core.via(branch, peer), dialog.next_cseq(), extra, sdp)
        call.retry_body = sdp
        if sdp:
            call.exchange.advance(ExchangeInput.WE_OFFER)
        self._start(call, request, branch, peer, now, permit_in(dialog), is_initial=False)
        return True

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
        self.note(attempt, *renewed)
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
            self._receive_reinvite_refusal(attempt.call, response, now)

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
        self.lose(call, ended_by, now)

    def fire(self, owner: Attempt | SipCall, timer: Timer, now: float) -> None:
        """A timer of the calling side came due."""
        if isinstance(owner, SipCall):
            if timer is Timer.GLARE and owner.retry_body is not None:
                self._retry(owner, owner.retry_body, now)
        elif timer is Timer.PATIENCE:
            self._lose_patience(owner, now)
        elif timer is Timer.C:
            self._give_up_waiting(owner, now)
        elif timer is Timer.CANCEL_WAIT and owner.transaction is not None:
            self._core.transactions.abandon(owner.transaction)

    # ---------------------------------------------------------------- inside

    def _start(
        self,
        call: SipCall,
        request: Request,
        branch: str,
        peer: Address,
        now: float,
        permit: Permit | None,
        *,
        is_initial: bool,
    ) -> None:
        attempt = Attempt(call, request, is_initial=is_initial)
        attempt.made_offer, attempt.body = bool(request.body), request.body
        call.attempt = attempt
        self.note(attempt, *self._core.start(request, branch, peer, attempt, now, permit))

    def note(self, attempt: Attempt, request: Request, transaction: Transaction[User]) -> None:
        """Keep what ACK and CANCEL are made from; the body is the transaction's."""
        attempt.request = Request("INVITE", request.uri, request.headers)
        attempt.transaction = transaction

    def _describe(self, sdp: bytes | None) -> Pairs:
        name = self._core.config.name
        pairs: Pairs = (ALLOW, SUPPORTED, ACCEPT)
        if name:
            pairs = (*pairs, ("User-Agent", name))
        return (*pairs, ("Content-Type", SDP)) if sdp else pairs

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
            self._receive_reinvite_answer(attempt, tag, response, now)

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
            self._acknowledge(attempt, dialog, tag)
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
            self._acknowledge(attempt, dialog, tag)
        core.emit(Answered(call.handle, body, dialog.remote_target, wants_answer, tag))

    def _acknowledge(
        self, attempt: Attempt, dialog: Dialog, tag: str, extra: Pairs = (), body: bytes = b""
    ) -> None:
        """ACK with the credentials of the INVITE (§22.1), but for a far end that nobody gave them to."""
        cseq = CSeq.parse(attempt.request.headers.get("CSeq") or "").number
        asked = attempt.transaction.peer.host if attempt.transaction is not None else ""
        signed = credentials_of(attempt.request.headers) if dialog.next_hop().host == asked else ()
        attempt.acks[tag] = self._core.acknowledge(dialog, cseq, (*signed, *extra), body)

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
        self._start(attempt.call, request, branch, peer, now, transaction.permit, is_initial=True)

    def _receive_reinvite_answer(self, attempt: Attempt, tag: str, response: Response, now: float) -> None:
        call = attempt.call
        if call.dialog is None:
            return
        call.dialog.refresh_target(response)
        call.retry_body = None
        call.kept.sdp, attempt.body = attempt.body or call.kept.sdp, b""
        early = attempt.early.get(tag)
        body, wants_answer = early.answer if early is not None else b"", False
        if not body:
            body = sdp_or_nothing(response)
            wants_answer = not attempt.made_offer and bool(body) and call.exchange.is_idle
        if attempt.made_offer and call.exchange.ours:
            call.exchange.close(answered=True)
        if call.state is not SipCallState.CONFIRMED:
            self._acknowledge(attempt, call.dialog, tag)
            return
        self._core.sessions.receive_success(call.kept, call, response, now)
        if wants_answer:
            call.exchange.advance(ExchangeInput.THEY_OFFER)
            attempt.acks[tag] = None
        else:
            self._acknowledge(attempt, call.dialog, tag)
        self._core.emit(ReinviteAnswered(call.handle, body, wants_answer))

    def _receive_reinvite_refusal(self, call: SipCall, response: Response, now: float) -> None:
        core, status = self._core, response.status
        if call.state is not SipCallState.CONFIRMED:
            return
        if call.exchange.ours:
            call.exchange.close(answered=False)
        if status == 491:
            core.timers.start(call, Timer.GLARE, now + glare_wait(core, call))
        elif status == 500 and (wait := retry_after(response)) is not None:
            core.timers.start(call, Timer.GLARE, now + wait)  # §14.2: an INVITE of the peer was still open
        elif status in (408, 481):
            self.lose(call, EndedBy.DIALOG_LOST, now)  # §12.2.1.2
        elif status == 422 and core.sessions.receive_too_brief(call.kept, response) and call.retry_body:
            self._retry(call, call.retry_body, now)
        else:
            call.retry_body = None
            core.sessions.refuse_refresh(call.kept, call, now)
            core.emit(ReinviteRefused(call.handle, status))

    def _retry(self, call: SipCall, body: bytes, now: float) -> None:
        if not self.reinvite(call.handle, body, now) and call.state is SipCallState.CONFIRMED:
            self._core.timers.start(call, Timer.GLARE, now + self._core.config.timers.first(Timer.GLARE))

    def lose(self, call: SipCall, ended_by: EndedBy, now: float) -> None:
        """A request of ours says that the peer has lost the call, or is lost itself."""
        self._core.end(call, SipCallInput.FAILED, ended_by)
        if call.dialog is not None:
            self._core.say_bye(call, call.dialog, now)

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
            if call.state is SipCallState.CONFIRMED and not attempt.is_initial:
                call.retry_body = None
                if call.exchange.ours:
                    call.exchange.close(answered=False)
                self._core.emit(ReinviteRefused(call.handle, 408))

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


def glare_wait(core: Core, call: SipCall) -> float:
    """How long to wait after 491 (§14.1): different ranges, so that the two sides do not collide again."""
    low, high = (2.1, 4.0) if call.is_caller else (0.0, 2.0)
    return core.seconds_between(low, high)


def retry_after(response: Response) -> float | None:
    """The seconds of Retry-After (§20.33), at most 32; None without it."""
    found = re.match(r"\s*([0-9]{1,9})", response.headers.get("Retry-After") or "")
    return min(float(found.group(1)), MAX_RETRY_AFTER_S) if found else None


def _is_busy(call: SipCall) -> bool:
    attempt = call.attempt
    ours = attempt is not None and attempt.transaction is not None and not attempt.transaction.is_final
    open_offer = not call.exchange.is_idle or call.change is not None or call.update is not None
    return ours or open_offer or call.pending is not None or call.unacknowledged is not None
