"""Offers and answers of legs: what the user agent tells of them, answered at once, and told to the runtime."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.events import (
    LegAnswered,
    LegConfirmed,
    LegEarlyMedia,
    LegEvent,
    LegMediaChanged,
    LegRinging,
)
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.sip_driver import SipDriver
from voicegw.sdp.negotiate import MediaSession
from voicegw.sip import events as ua

log = logging.getLogger(__name__)

_MOVE_AGAIN_S: Final = 0.25
_MOVE_TRIES: Final = 40
"""Ten seconds: a transaction of the peer's that is still open then has failed."""

MediaEvent: TypeAlias = (
    ua.AckReceived
    | ua.ReinviteReceived
    | ua.ReinviteAnswered
    | ua.ReinviteRefused
    | ua.ProgressReceived
    | ua.OfferReceived
    | ua.OfferAnswered
    | ua.Answered
)
"""Events that may carry a description."""


class LegMedia:
    """Answers with our media as they are. What we cannot do is refused, and the leg stays as it was."""

    def __init__(
        self,
        driver: SipDriver,
        on_event: Callable[[LegEvent], None],
        hangup: Callable[[LegId, HangupCause], None],
    ) -> None:
        self._driver = driver
        self._agent = driver.agent
        self._on_event = on_event
        self._hangup = hangup

    def handle(self, leg: SipLeg, event: MediaEvent) -> None:
        """Something came from the peer of ``leg``."""
        match event:
            case ua.AckReceived():
                self._acknowledged(leg, event)
            case ua.ReinviteReceived():
                self._reinvited(leg, event)
            case ua.ReinviteAnswered():
                leg.moving = False
                self._refreshed(leg, event)
            case ua.ReinviteRefused():
                self.refused(leg)
            case ua.ProgressReceived():
                self._progressed(leg, event)
            case ua.OfferReceived():
                self._offered(leg, event)
            case ua.OfferAnswered():
                self._offer_answered(leg, event)
            case ua.Answered() if event.wants_answer:
                self._answer_in_ack(leg, event)
            case ua.Answered():
                self._agreed(leg, event.body, event.tag)
            case _:
                assert_never(event)

    def move(self, leg: SipLeg, local_ip: str, local_port: int) -> None:
        """Our audio is received elsewhere: tell the peer by re-INVITE, now or as soon as one may be sent."""
        leg.place_media(local_ip, local_port)
        self.tell_moved(leg, leg.moved())

    def tell_moved(self, leg: SipLeg, body: bytes) -> None:
        """``body`` says where our audio is received from now on; empty for nothing to say."""
        if body:
            leg.moving = True
            self._offer_move(leg, body, _MOVE_TRIES)

    def refused(self, leg: SipLeg) -> None:
        """Our re-INVITE was refused. A peer that does not follow goes on sending to where nobody listens."""
        if leg.moving:
            log.error("the peer does not follow our media", extra={"leg_id": leg.leg_id})
            self._hangup(leg.leg_id, HangupCause.MEDIA_LOST)

    def _offer_move(self, leg: SipLeg, body: bytes, tries: int) -> None:
        """Nothing may be offered before the ACK, or while another change is under way (RFC 3261 §14.1)."""
        if leg.cause is not None or leg.handle is None or not leg.moving:
            return
        if self._agent.reinvite(leg.handle, body, self._driver.now):
            self._driver.pump()
        elif tries:
            asyncio.get_running_loop().call_later(_MOVE_AGAIN_S, self._offer_move, leg, body, tries - 1)
        else:
            self._hangup(leg.leg_id, HangupCause.MEDIA_LOST)

    def _acknowledged(self, leg: SipLeg, event: ua.AckReceived) -> None:
        first, leg.confirmed = not leg.confirmed, True
        if first:
            self._on_event(LegConfirmed(leg.leg_id))
        if leg.awaits_answer:
            self._agreed(leg, event.body)

    def _agreed(self, leg: SipLeg, answer: bytes, fork: str = "") -> None:
        """The peer answered our offer. A first answer that agrees nothing leaves a call without media: it ends."""
        try:
            session = leg.accept_answer(answer, fork)
        except RemoteProtocolError as error:
            self._disagreed(leg, error, end=not leg.agreed)
            return
        self._tell(leg, session)

    def _answer_in_ack(self, leg: SipLeg, event: ua.Answered) -> None:
        """The 200 to our INVITE has the offer."""
        try:
            body, session = leg.answer(event.body)
        except RemoteProtocolError as error:
            self._disagreed(leg, error, end=True)
            return
        self._agent.acknowledge(event.handle, body)
        self._tell(leg, session)

    def _tell(self, leg: SipLeg, session: MediaSession) -> None:
        changed = LegMediaChanged(leg.leg_id, session) if leg.agreed else LegAnswered(leg.leg_id, session)
        leg.agreed = True
        self._on_event(changed)

    def _progressed(self, leg: SipLeg, event: ua.ProgressReceived) -> None:
        """1xx, with early media if it has a description. An answer that does not suit us is no reason to end."""
        self._on_event(LegRinging(leg.leg_id, event.status))
        if not event.body:
            return
        before = leg.session
        try:
            if event.wants_answer:
                body, session = leg.answer(event.body, event.tag)
                self._agent.answer_progress(event.handle, event.tag, body, self._driver.now)
            else:
                session = leg.preview_answer(event.body, event.tag)
        except RemoteProtocolError as error:
            self._disagreed(leg, error, end=event.wants_answer)  # an offer in a response cannot be refused
            return
        if session != before:
            self._on_event(LegEarlyMedia(leg.leg_id, session))

    def _reinvited(self, leg: SipLeg, event: ua.ReinviteReceived) -> None:
        """A refusal leaves the call as it was (RFC 3261 §14.2): T.38, say, or a codec that we do not have."""
        now = self._driver.now
        try:
            if not event.body:
                self._agent.answer_reinvite(event.handle, leg.offer(), now)
                return
            body, session = leg.answer(event.body)
        except RemoteProtocolError as error:
            self._agent.answer_reinvite(event.handle, error.status_hint, now)
            return
        self._agent.answer_reinvite(event.handle, body, now)
        self._on_event(LegMediaChanged(leg.leg_id, session))

    def _refreshed(self, leg: SipLeg, event: ua.ReinviteAnswered) -> None:
        """A refresh of ours was answered; the peer may have changed its own side on that occasion."""
        try:
            session = leg.accept_repeated(event.body)
        except RemoteProtocolError as error:
            log.info("answer to a refresh: %s", error, extra={"leg_id": leg.leg_id})
            return
        if session is not None:
            self._on_event(LegMediaChanged(leg.leg_id, session))

    def _offered(self, leg: SipLeg, event: ua.OfferReceived) -> None:
        """An offer in UPDATE or PRACK, before or after the answer."""
        now = self._driver.now
        try:
            body, session = leg.answer(event.body, event.tag)
        except RemoteProtocolError as error:
            self._agent.answer_offer(event.handle, error.status_hint, now)
            return
        self._agent.answer_offer(event.handle, body, now)
        changed = LegMediaChanged if leg.agreed else LegEarlyMedia
        self._on_event(changed(leg.leg_id, session))

    def _offer_answered(self, leg: SipLeg, event: ua.OfferAnswered) -> None:
        """The PRACK has the answer to the offer of our 183. Without one, the 200 offers again."""
        if not event.body or not leg.awaits_answer:
            return
        if leg.accepted:
            self._agreed(leg, event.body)
            return
        try:
            session = leg.accept_answer(event.body)
        except RemoteProtocolError as error:
            self._disagreed(leg, error, end=True)
            return
        self._on_event(LegEarlyMedia(leg.leg_id, session))

    def _disagreed(self, leg: SipLeg, error: RemoteProtocolError, *, end: bool) -> None:
        log.info("no media agreed: %s", error, extra={"leg_id": leg.leg_id})
        if end:
            self._hangup(leg.leg_id, HangupCause.NOT_ACCEPTABLE)
