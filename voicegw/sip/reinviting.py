"""Changing a session by re-INVITE: ours, its answer, its refusal and its collisions (RFC 3261 §14.1)."""

from __future__ import annotations

import re

from voicegw.sip.bodies import sdp_or_nothing
from voicegw.sip.core import Core, permit_in
from voicegw.sip.events import EndedBy, ReinviteAnswered, ReinviteRefused, SipCallHandle
from voicegw.sip.exchange import ExchangeInput
from voicegw.sip.inviting import Inviter
from voicegw.sip.message import Response
from voicegw.sip.sip_call import Attempt, SipCall, SipCallState
from voicegw.sip.timers import Timer

MAX_RETRY_AFTER_S = 32.0
"""Whoever asks for more is not about to end a change of the session."""


class ReinvitingSide:
    """One change at a time."""

    def __init__(self, core: Core, inviter: Inviter) -> None:
        self._core = core
        self._inviter = inviter

    def reinvite(self, handle: SipCallHandle, sdp: bytes, now: float) -> bool:
        """Offer a change of the session (§14.1), or, ``sdp`` empty, ask for an offer.

        False if another change is under way or the call is not up.
        """
        core = self._core
        call = core.calls.get(handle)
        if call is None or call.dialog is None or call.state is not SipCallState.CONFIRMED or is_busy(call):
            return False
        dialog = call.dialog
        branch, peer = core.new_branch(), dialog.next_hop()
        extra = (
            ("Contact", core.contact_in(call, peer, dialog.remote_target)),
            *self._inviter.describe(sdp),
            *core.sessions.offer(call.kept),
        )
        request = dialog.request("INVITE", core.via(branch, peer), dialog.next_cseq(), extra, sdp)
        call.retry_body = sdp
        if sdp:
            call.exchange.advance(ExchangeInput.WE_OFFER)
        self._inviter.start(call, request, branch, peer, now, permit_in(dialog), is_initial=False)
        return True

    def receive_answer(self, attempt: Attempt, tag: str, response: Response, now: float) -> None:
        """A new 2xx to our re-INVITE."""
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
            self._inviter.acknowledge(attempt, call.dialog, tag)
            return
        self._core.sessions.receive_success(call.kept, call, response, now)
        if wants_answer:
            call.exchange.advance(ExchangeInput.THEY_OFFER)
            attempt.acks[tag] = None
        else:
            self._inviter.acknowledge(attempt, call.dialog, tag)
        self._core.emit(ReinviteAnswered(call.handle, body, wants_answer))

    def receive_refusal(self, call: SipCall, response: Response, now: float) -> None:
        """300-699 to our re-INVITE: the session stays as it was (§14.1). Collisions are tried again."""
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
            core.lose(call, EndedBy.DIALOG_LOST, now)  # §12.2.1.2
        elif status == 422 and core.sessions.receive_too_brief(call.kept, response) and call.retry_body:
            self._retry(call, call.retry_body, now)
        else:
            call.retry_body = None
            core.sessions.refuse_refresh(call.kept, call, now)
            core.emit(ReinviteRefused(call.handle, status))

    def receive_silence(self, call: SipCall) -> None:
        """Our re-INVITE rang for too long and is given up."""
        if call.state is SipCallState.CONFIRMED:
            call.retry_body = None
            if call.exchange.ours:
                call.exchange.close(answered=False)
            self._core.emit(ReinviteRefused(call.handle, 408))

    def fire(self, call: SipCall, now: float) -> None:
        """Time to try again after a collision."""
        if call.retry_body is not None:
            self._retry(call, call.retry_body, now)

    def _retry(self, call: SipCall, body: bytes, now: float) -> None:
        if not self.reinvite(call.handle, body, now) and call.state is SipCallState.CONFIRMED:
            self._core.timers.start(call, Timer.GLARE, now + self._core.config.timers.first(Timer.GLARE))


def glare_wait(core: Core, call: SipCall) -> float:
    """How long to wait after 491 (§14.1): different ranges, so that the two sides do not collide again."""
    low, high = (2.1, 4.0) if call.is_caller else (0.0, 2.0)
    return core.seconds_between(low, high)


def retry_after(response: Response) -> float | None:
    """The seconds of Retry-After (§20.33), at most 32; None without it."""
    found = re.match(r"\s*([0-9]{1,9})", response.headers.get("Retry-After") or "")
    return min(float(found.group(1)), MAX_RETRY_AFTER_S) if found else None


def is_busy(call: SipCall) -> bool:
    """Whether another change of the session is under way, so that no re-INVITE may go (§14.1)."""
    attempt = call.attempt
    ours = attempt is not None and attempt.transaction is not None and not attempt.transaction.is_final
    open_offer = not call.exchange.is_idle or call.change is not None or call.update is not None
    return ours or open_offer or call.pending is not None or call.unacknowledged is not None
