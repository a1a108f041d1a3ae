"""Legs that others begin: INVITEs that come in, until they are answered or refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId, RandomBytes, token
from voicegw.base.tasks import child_task
from voicegw.gateway.door import Door
from voicegw.gateway.events import LegEvent, LegInvited
from voicegw.gateway.identity.desk import IdentityDesk
from voicegw.gateway.identity.policy import reason_of
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_causes import refusal_status
from voicegw.gateway.leg_moves import LegMoves
from voicegw.gateway.leg_table import LegTable
from voicegw.gateway.number_rates import RETRY, NumberRates
from voicegw.gateway.recording_leg import RecordingLeg
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.trunk_calls import Speech, TrunkCalls
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.ports.cluster import Line
from voicegw.sdp.negotiate import MediaSession, NotAcceptable
from voicegw.sip import events as ua
from voicegw.sip.events import SipCallHandle
from voicegw.sip.message import Request
from voicegw.sip.sip_call import SipCallState

log = logging.getLogger(__name__)


class IncomingLegs:
    """``replaceable``: whether another dialog may take the place of a running one (RFC 3891). ``max_setups``: how
    many calls may wait for our answer at once."""

    def __init__(
        self,
        driver: SipDriver,
        legs: LegTable,
        calls: TrunkCalls,
        door: Door,
        moves: LegMoves,
        tell: Callable[[LegEvent], None],
        random: RandomBytes,
        identities: IdentityDesk,
        *,
        replaceable: bool,
        max_setups: int,
    ) -> None:
        self._driver = driver
        self._agent = driver.agent
        self._legs = legs
        self._calls = calls
        self._door = door
        self._moves = moves
        self._tell = tell
        self._random = random
        self._identities = identities
        self.replaceable = replaceable
        self.rates = NumberRates()
        self.max_setups = max_setups
        self._waiting: set[LegId] = set()
        """Those who wait for our answer, and some who have it by now."""
        driver.agent.refuse_while(self._is_crowded)

    # ---------------------------------------------------------------- the INVITE

    def invited(self, event: ua.InviteReceived) -> None:
        """Somebody calls: a new leg, or another dialog for one that is there. A fault of ours is 500: they
        would wait, and hear nothing."""
        try:
            self._take(event)
        except Exception:  # the door (decision 0019)
            log.exception("a call cannot be taken", extra={"source": event.source.host})
            if self._agent.state_of(event.handle) is SipCallState.INVITED:
                self._agent.reject(event.handle, 500, self._driver.now)

    def _take(self, event: ua.InviteReceived) -> None:
        leg_id = LegId(token(self._random, 16))
        if event.replaces is not None:
            self._replace(event, self._leg_of(leg_id, event, self._calls.speech_with(event.source)))
            return
        arrival = self._calls.arrive(leg_id, event, self._driver.now, self._driver.wire.identities(event.source))
        leg = self._leg_of(leg_id, event, arrival.speech)
        self._driver.traces.follow(leg_id, event.request.headers.get("Call-ID") or "")
        allowed = event.request.headers.values("Allow")
        leg.may_refer = arrival.speech.may_refer and (not allowed or "REFER" in map(str.upper, allowed))
        self._legs.add(leg)
        trunk = self._calls.desk.trunk_of(leg_id)
        lines = self._calls.desk.shared.wanted(trunk, arrival.invited.called)
        refused = arrival.refused or self.rates.judge(arrival.invited, self._driver.now)
        if refused is not None:
            self._refuse(leg, arrival.invited, refused)
        elif lines or self._identities.verifies(trunk):
            leg.is_untold = True
            fault = RouteRefused(HangupCause.INTERNAL_ERROR, "a fault of ours")
            child_task(
                self._admit(leg, arrival.invited, event.request, trunk, lines),
                "admission of a call",
                lambda: self._refuse_if_here(leg, arrival.invited, fault),
            )
        else:
            self._waiting.add(leg_id)
            self._tell(arrival.invited)

    def _is_crowded(self) -> bool:
        """Whether one more call would wait for too long: told at once, it finds another server (RFC 5390)."""
        most = self._driver.setups(self.max_setups)
        if len(self._waiting) >= most:
            self._waiting = {leg_id for leg_id in self._waiting if self._is_unanswered(leg_id)}
        return len(self._waiting) >= most

    def _is_unanswered(self, leg_id: LegId) -> bool:
        handle = self._legs.handle_of(leg_id)
        return handle is not None and self._agent.state_of(handle) is SipCallState.INVITED

    async def _admit(
        self, leg: SipLeg, invited: LegInvited, request: Request, trunk: Trunk | None, lines: Sequence[Line]
    ) -> None:
        """Verify the caller, and ask for lines that other nodes take as well. Who gives up meanwhile was nobody's
        call."""
        try:
            if trunk is not None and self._identities.verifies(trunk):
                verdict = await self._identities.verify(invited, request, trunk)
                invited = verdict.invited
                if verdict.refused is not None:
                    raise verdict.refused
            if lines and self._legs.get(leg.leg_id) is leg:
                await self._calls.desk.shared.take(leg.leg_id, lines)
        except RouteRefused as refused:
            self._refuse_if_here(leg, invited, refused)
            return
        if self._legs.get(leg.leg_id) is leg:
            leg.is_untold = False
            self._waiting.add(leg.leg_id)
            self._tell(invited)

    def _refuse_if_here(self, leg: SipLeg, invited: LegInvited, refused: RouteRefused) -> None:
        if self._legs.get(leg.leg_id) is leg:
            self._refuse(leg, invited, refused)

    def _refuse(self, leg: SipLeg, invited: LegInvited, refused: RouteRefused) -> None:
        source = leg.peer
        assert source is not None, "an INVITE came from somewhere"
        log.info("call refused: %s", refused, extra={"source": source.host, "cause": refused.cause.name})
        leg.is_untold = True
        self.reject(leg.leg_id, refused.cause)
        self._door.refused(invited, refused.cause, source)

    def _leg_of(self, leg_id: LegId, event: ua.InviteReceived, speech: Speech) -> SipLeg:
        leg = speech.leg(leg_id, self._random, event.body, recording=event.recording)
        leg.handle, leg.peer = event.handle, event.source
        return leg

    def _replace(self, event: ua.InviteReceived, new: SipLeg) -> None:
        """Another dialog wants the place of a running one. One that has gone meanwhile has no place to give."""
        old = self._legs.by_handle.get(event.replaces) if event.replaces is not None else None
        welcome = self.replaceable and not event.recording and self._calls.desk.welcomes(event.source.host)
        if old is None or not welcome or isinstance(old, RecordingLeg):
            self._agent.reject(event.handle, 481 if old is None else 603, self._driver.now)
            return
        new.leg_id, new.remote_offer = old.leg_id, b""
        self._driver.traces.follow(old.leg_id, event.request.headers.get("Call-ID") or "")
        self._moves.replace(old, new, event)

    # ---------------------------------------------------------------- what is said to it

    def ring(self, leg_id: LegId) -> None:
        """Send 180."""
        if (handle := self._legs.handle_of(leg_id)) is not None:
            self._agent.ring(handle, self._driver.now)
            self._driver.pump()

    def accept(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """Send 200 with our answer, and return what is agreed.

        None where the INVITE had no offer: ours is in the 200, and LegAnswered follows with the ACK. Raises
        NotAcceptable where nothing can be agreed, after sending 488 (400 for what is no description); then LegEnded
        follows.
        """
        leg, handle = self._legs.get(leg_id), self._legs.handle_of(leg_id)
        if leg is None or handle is None:
            return None
        leg.place_media(local_ip, local_port)
        body = self._describe(leg, handle)
        leg.accepted = True
        leg.agreed = leg.session is not None
        leg.remote_offer = b""
        self._agent.accept(handle, body, self._driver.now)
        self._driver.pump()
        return leg.session

    def may_hear_early(self, leg_id: LegId) -> bool:
        """Whether a caller can be made to hear us before the answer: they offered, or take an offer in a 183."""
        leg, handle = self._legs.get(leg_id), self._legs.handle_of(leg_id)
        if leg is None or handle is None or self._agent.state_of(handle) is not SipCallState.INVITED:
            return False
        return bool(leg.remote_offer) or self._agent.takes_reliable(handle)

    def early(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """Send 183 with our media, so that the caller hears us before the answer; returns what is agreed.

        None where the INVITE had no offer: LegEarlyMedia follows. Raises NotAcceptable as ``accept`` does.
        """
        leg, handle = self._legs.get(leg_id), self._legs.handle_of(leg_id)
        if leg is None or handle is None or not self.may_hear_early(leg_id):
            return None
        leg.place_media(local_ip, local_port)
        self._waiting.discard(leg_id)
        self._agent.ring(handle, self._driver.now, 183, self._describe(leg, handle))
        self._driver.pump()
        return leg.session

    def _describe(self, leg: SipLeg, handle: SipCallHandle) -> bytes:
        """Our answer to the INVITE, or our offer where it had none. What cannot be answered is refused."""
        try:
            return leg.first_description()
        except RemoteProtocolError as error:
            leg.cause = HangupCause.NOT_ACCEPTABLE
            warning = (("Warning", '305 voicegw "Incompatible media format"'),)
            self._agent.reject(handle, error.status_hint, self._driver.now, headers=warning)
            self._driver.pump()
            raise NotAcceptable(str(error)) from error

    def reject(self, leg_id: LegId, cause: HangupCause) -> None:
        """Refuse the INVITE with the cause's status, its Reason header, and Retry-After with 503."""
        leg, handle = self._legs.get(leg_id), self._legs.handle_of(leg_id)
        if leg is None or handle is None or self._agent.state_of(handle) is not SipCallState.INVITED:
            return
        leg.cause = cause
        phrase, more = reason_of(cause)
        again = RETRY if cause is HangupCause.NUMBER_RATE else ()
        headers = (("Reason", cause.reason_header), *more, *again)
        self._agent.reject(handle, refusal_status(cause), self._driver.now, phrase, headers)
        self._driver.pump()
