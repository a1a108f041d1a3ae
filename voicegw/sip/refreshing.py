"""Keeps sessions alive and gives up those that nobody refreshes (RFC 4028 §7.4, §10).

A refresh is an UPDATE without an offer where the peer takes one (RFC 3311 §5.1 lets it pass at any time), else a
re-INVITE that repeats our last description, version and all, so that the media go on as they are.
"""

from __future__ import annotations

from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import EndedBy
from voicegw.sip.message import Response
from voicegw.sip.reinviting import ReinvitingSide, glare_wait, retry_after
from voicegw.sip.screening import supported
from voicegw.sip.sip_call import Asked, SipCall, SipCallInput, SipCallState
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome

EXPIRED = (("Reason", 'SIP;cause=408;text="Session expired"'),)


class RefreshingSide:
    """Carries out the two timers of a session."""

    def __init__(self, core: Core, reinviting: ReinvitingSide) -> None:
        self._core = core
        self._reinviting = reinviting

    def fire(self, call: SipCall, timer: Timer, now: float) -> None:
        """A session timer came due."""
        if timer is Timer.SESSION_REFRESH:
            self.refresh(call, now)
        elif call.can(SipCallInput.HUNG_UP) and call.dialog is not None:
            self._core.counters.add(SipCounter.SESSION_EXPIRED)
            call.bye_headers = EXPIRED
            self._core.end(call, SipCallInput.HUNG_UP, EndedBy.SESSION_EXPIRED)
            if call.state is SipCallState.ENDED:
                self._core.say_bye(call, call.dialog, now, EXPIRED)

    def refresh(self, call: SipCall, now: float) -> None:
        """Send the refresh, or wait a moment while the call is busy with another change."""
        if call.state is not SipCallState.CONFIRMED or call.dialog is None:
            self._again(call, self._core.config.timers.first(Timer.SESSION_REFRESH), now)
        elif call.kept.peer_updates:
            self._update(call, now)
        elif call.kept.sdp and not self._reinviting.reinvite(call.handle, call.kept.sdp, now):
            self._again(call, self._core.config.timers.first(Timer.SESSION_REFRESH), now)

    def _update(self, call: SipCall, now: float) -> None:
        core, dialog = self._core, call.dialog
        if dialog is None:
            return
        asked = Asked(
            lambda response, at: self._updated(call, response, at),
            lambda outcome, at: self._lost(call, outcome, at),
        )
        extra = (
            ("Contact", core.contact_in(call, dialog.next_hop(), dialog.remote_target)),
            supported(call.recording),
            *core.sessions.offer(call.kept),
        )
        core.request_in_dialog(dialog, "UPDATE", asked, now, extra)

    def _updated(self, call: SipCall, response: Response, now: float) -> None:
        """The answer to our UPDATE. A peer that does not take it after all gets a re-INVITE instead."""
        core, status = self._core, response.status
        if call.state is not SipCallState.CONFIRMED or status < 200:
            return
        if status < 300:
            if call.dialog is not None:
                call.dialog.refresh_target(response)
            core.sessions.receive_success(call.kept, call, response, now)
        elif status in (408, 481):
            self._core.lose(call, EndedBy.DIALOG_LOST, now)
        elif status == 422 and core.sessions.receive_too_brief(call.kept, response):
            self._update(call, now)
        elif status == 491:
            self._again(call, glare_wait(core, call), now)
        elif status == 500 and (wait := retry_after(response)) is not None:
            self._again(call, wait, now)
        elif call.kept.peer_updates:
            call.kept.peer_updates = False
            self.refresh(call, now)

    def _lost(self, call: SipCall, outcome: Outcome, now: float) -> None:
        """No answer to our UPDATE: the peer is gone."""
        if call.state is SipCallState.CONFIRMED:
            ended_by = EndedBy.NO_RESPONSE if outcome is Outcome.TIMEOUT else EndedBy.TRANSPORT_ERROR
            self._core.lose(call, ended_by, now)

    def _again(self, call: SipCall, wait_s: float, now: float) -> None:
        self._core.timers.start(call, Timer.SESSION_REFRESH, now + wait_s)
