"""Offers and answers of recording sessions: a port for each stream is the runtime's to find, so it answers later.

What comes from the client is told as LegStreamsOffered, and ``accept_streams`` gives the answer that is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegConfirmed, LegEvent, LegMetadata, LegStreamsChanged, LegStreamsOffered
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_media import LegMedia
from voicegw.gateway.recording_leg import Due, RecordingLeg
from voicegw.gateway.sip_driver import SipDriver
from voicegw.sdp.recording import RecordedStream
from voicegw.sip import events as ua

log = logging.getLogger(__name__)


class RecordingMedia:
    """What ``media`` is for other legs, for those that only record. ``legs``: all of the gateway's."""

    def __init__(
        self,
        driver: SipDriver,
        on_event: Callable[[LegEvent], None],
        legs: Mapping[LegId, SipLeg],
        media: LegMedia,
    ) -> None:
        self._driver = driver
        self._agent = driver.agent
        self._on_event = on_event
        self._legs = legs
        self._media = media

    def accept_streams(
        self, leg_id: LegId, local_ip: str, ports: Mapping[int, int]
    ) -> tuple[RecordedStream, ...] | None:
        """Answer the client's open offer: INVITE, re-INVITE or UPDATE. ``ports``: ours, by the section's number.

        Returns what is agreed. None where nothing is: an INVITE was refused then, and LegEnded follows; after
        anything else all stays as it was. None, too, for a leg that is over.
        """
        leg = self._legs.get(leg_id)
        if not isinstance(leg, RecordingLeg) or leg.due is None or leg.handle is None:
            return None
        due = leg.due
        try:
            body, streams = leg.answer_streams(local_ip, ports)
        except RemoteProtocolError as error:
            log.info("no stream agreed: %s", error, extra={"leg_id": leg_id})
            self._refuse(leg, leg.handle, due, error.status_hint)
            return None
        if due is Due.INVITE:
            leg.accepted = leg.agreed = True
        self._answer(leg.handle, due, body)
        return streams

    def move_streams(self, leg_id: LegId, local_ip: str, ports: Mapping[int, int]) -> None:
        """Receive the streams elsewhere (RFC 3264 §8.3.1), ``ports`` by the section's number.

        A client that takes no offer of ours (RFC 7866 §7.2 lets it be offered) is hung up on.
        """
        leg = self._legs.get(leg_id)
        if isinstance(leg, RecordingLeg):
            self._media.tell_moved(leg, leg.moved_streams(local_ip, ports))

    def handle(self, leg: RecordingLeg, event: ua.UserAgentEvent) -> None:
        """Something came from the client of ``leg``."""
        match event:
            case ua.MetadataReceived():
                self._on_event(LegMetadata(leg.leg_id, event.body))
            case ua.AckReceived():
                self._acknowledged(leg, event.body)
            case ua.ReinviteReceived() if not event.body:
                self._agent.answer_reinvite(event.handle, leg.repeat_offer(), self._driver.now)
            case ua.ReinviteReceived():
                self._offered(leg, event.handle, Due.REINVITE, event.body)
            case ua.OfferReceived():
                self._offered(leg, event.handle, Due.OFFER, event.body)
            case ua.ReinviteAnswered():
                leg.moving = False
                if event.body:
                    self._answered(leg, event.body)
            case ua.ReinviteRefused():
                self._media.refused(leg)
            case _:
                pass

    def _acknowledged(self, leg: RecordingLeg, body: bytes) -> None:
        if not leg.confirmed:
            leg.confirmed = True
            self._on_event(LegConfirmed(leg.leg_id))
        if body and leg.awaits_answer:
            self._answered(leg, body)

    def _offered(self, leg: RecordingLeg, handle: ua.SipCallHandle, due: Due, body: bytes) -> None:
        try:
            places = leg.open_offer(due, body)
        except RemoteProtocolError as error:
            self._refuse(leg, handle, due, error.status_hint)
            return
        self._on_event(LegStreamsOffered(leg.leg_id, places))

    def _answered(self, leg: RecordingLeg, body: bytes) -> None:
        """The client said its side again, and may have changed it on that occasion."""
        before = leg.streams
        try:
            streams = leg.accept_streams(body)
        except RemoteProtocolError as error:
            log.info("answer of a recording client: %s", error, extra={"leg_id": leg.leg_id})
            return
        if streams != before:
            self._on_event(LegStreamsChanged(leg.leg_id, streams))

    def _answer(self, handle: ua.SipCallHandle, due: Due, body: bytes) -> None:
        now = self._driver.now
        match due:
            case Due.INVITE:
                self._agent.accept(handle, body, now)
            case Due.REINVITE:
                self._agent.answer_reinvite(handle, body, now)
            case Due.OFFER:
                self._agent.answer_offer(handle, body, now)
        self._driver.pump()

    def _refuse(self, leg: RecordingLeg, handle: ua.SipCallHandle, due: Due, status: int) -> None:
        now = self._driver.now
        match due:
            case Due.INVITE:
                leg.cause = HangupCause.NOT_ACCEPTABLE
                self._agent.reject(handle, status, now)
            case Due.REINVITE:
                self._agent.answer_reinvite(handle, status, now)
            case Due.OFFER:
                self._agent.answer_offer(handle, status, now)
        self._driver.pump()
