"""The SIP gateway: SIP calls as legs with media, in the words of the runtime.

Commands act at once and return; what follows comes as an event, always from the event loop and never from within a
command. Commands for a leg that has ended meanwhile do nothing: they crossed its LegEnded.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import LegId, RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.gateway.attempts import Attempts, Dialled, Trip
from voicegw.gateway.config import SipConfig
from voicegw.gateway.door import Door
from voicegw.gateway.events import LegEnded, LegEvent
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_causes import cause_of, reason_text, refusal_status
from voicegw.gateway.leg_media import LegMedia
from voicegw.gateway.leg_moves import LegMoves
from voicegw.gateway.leg_words import LegWords
from voicegw.gateway.media_places import MediaPlaces
from voicegw.gateway.next_trunk import NextTrunk
from voicegw.gateway.outgoing import OutgoingCalls
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.phone_ringing import PhoneRinging
from voicegw.gateway.phone_watchers import PhoneWatchers
from voicegw.gateway.reception_desk import ReceptionDesk
from voicegw.gateway.recording_leg import RecordingLeg
from voicegw.gateway.recording_media import RecordingMedia
from voicegw.gateway.registrar import PhoneKeeper
from voicegw.gateway.resolver import Resolver
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.sip_requests import SipRequests
from voicegw.gateway.stray_messages import StrayMessages
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.gateway.trunk_calls import Departure, Speech, TrunkCalls
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_watch import TrunkWatch
from voicegw.gateway.way import DIRECT, Way
from voicegw.sdp.negotiate import MediaSession, NotAcceptable
from voicegw.sip import events as ua
from voicegw.sip.address import Address
from voicegw.sip.challenges import FindCredentials, no_credentials
from voicegw.sip.events import SipCallHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.sip_call import SipCallState
from voicegw.sip.uri import SipUri

log = logging.getLogger(__name__)
NO_PHONES: Final = PhonesConfig()


class SipGateway:
    """``on_event`` gets every leg event; ``random`` and ``clock`` are the process's own.

    ``credentials`` answers challenges for what is dialled under an account; ``phones`` register here; calls come
    and go by ``trunks``.
    """

    def __init__(
        self,
        config: SipConfig,
        on_event: Callable[[LegEvent], None],
        *,
        random: RandomBytes,
        clock: Clock,
        counters: Counters,
        credentials: FindCredentials = no_credentials,
        phones: PhonesConfig = NO_PHONES,
        trunks: TrunkDesk | None = None,
    ) -> None:
        self._random = random
        self.trunks = trunks or TrunkDesk((), config.strangers, counters)
        node = Speech(config.preferences, security=config.media_security, keys=config.keys)
        self._calls = TrunkCalls(self.trunks, node)
        self.phones = PhoneBook(phones, random)
        reception = ReceptionDesk(self.phones, self.trunks, phones.policy, random)
        self._driver = SipDriver(config, self._handle, random, clock, counters, credentials, reception, self.trunks)
        self._report = on_event
        self._ringing = PhoneRinging(
            self.phones, self, random, lambda: self._driver.now, self._deliver, phones.ring_s
        )
        self._tell = self._ringing.pass_on
        self._agent, self.snapshot = self._driver.agent, self._driver.snapshot
        self._traces, self.wire, self.guard = self._driver.traces, self._driver.wire, self._driver.guard
        self.is_settled, self.take_trace = self._traces.settled, self._traces.take
        self.take_first_trace = self._traces.take_first
        self.requests = SipRequests(self._driver)
        self.registrar = PhoneKeeper(phones, self.phones, self._driver, self.requests)
        resolver = Resolver(config.locating, self._driver.abilities, random=random, clock=clock, counters=counters)
        self.servers = Servers(config.locating, resolver, self.requests, self._driver, counters)
        self.watch = TrunkWatch(
            self._driver, self.requests, self.servers, self.trunks, random, counters, socket.gethostname()
        )
        policy = TargetPolicy(config.forward_to)
        self._outgoing = OutgoingCalls(self._driver, self.servers, policy, random, counters)
        self._media = LegMedia(self._driver, self._tell, self.hangup)
        self._door = Door(self._driver, self.trunks, self._tell, counters)
        self._next_trunk = NextTrunk(self._calls, self._driver, self._tell, counters)
        self._legs: dict[LegId, SipLeg] = {}
        self._recordings = RecordingMedia(self._driver, self._tell, self._legs)
        self._by_handle: dict[SipCallHandle, SipLeg] = {}
        self._resolving: dict[LegId, asyncio.Task[None]] = {}
        places = MediaPlaces(self._driver, self._legs, self.servers, self._calls, self.phones, self._ringing)
        self.media_address, self.media_bind_address = places.told, places.bound
        self.far_host, self.media_route, self.media_address_towards = places.far, places.route, places.towards
        self._words = words = LegWords(self._driver, self._legs, self._calls, self._tell)
        self.may_refer, self.refer, self.send_text = words.may_refer, words.refer, words.send_text
        self.send_keys, self.accept_streams = words.send_keys, self._recordings.accept_streams
        self._moves = LegMoves(
            self._driver, self._legs, self._by_handle, policy, self._tell, self, self._forget_limits, random
        )
        self.drain, self.leave = self._agent.drain, self.watch.close
        """No new calls from now on: 503, also to OPTIONS; and no registrations of ours, so that nobody calls us."""
        self.reload_certificates = self.wire.reload_certificates
        self._replaceable = config.replaceable
        self.on_message: Callable[[ua.MessageReceived], None] = StrayMessages(counters).take
        """Who gets text that came outside any call, where the configuration takes any."""
        self.on_subscription = PhoneWatchers(self.phones, self._driver).handle
        """Who gets news of subscriptions."""

    # ---------------------------------------------------------------- the whole

    def start(self) -> Address:
        """Open the socket and return its address; LocalError if it cannot be had. Needs a running event loop."""
        address = self._driver.open()
        self.trunks.on_trunks = self.watch.put_in_force
        self.watch.put_in_force(self.trunks.trunks)
        return address

    def close(self) -> None:
        """Hang up every leg, give each its LegEnded, and close the socket without waiting for answers."""
        self.registrar.close()
        self._ringing.close()
        for leg_id, leg in list(self._legs.items()):
            self.hangup(leg_id, HangupCause.DRAINING)
            self._end(leg, LegEnded(leg_id, HangupCause.DRAINING))
        self.watch.stop()
        self.servers.close()
        self._driver.close()

    def gauges(self) -> dict[str, float]:
        """Levels for metrics. Any thread may ask."""
        passed_over = float(len(self.servers.listed))
        return {**self.watch.gauges(), **self.snapshot().gauges(), "sip_servers_passed_over": passed_over}

    @property
    def active_legs(self) -> int:
        """Legs that have not ended."""
        return len(self._legs)

    # ---------------------------------------------------------------- incoming legs

    def ring(self, leg_id: LegId) -> None:
        """Send 180."""
        if (handle := self._handle_of(leg_id)) is not None:
            self._agent.ring(handle, self._driver.now)
            self._driver.pump()

    def accept(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """Send 200 with our answer, and return what is agreed.

        None where the INVITE had no offer: ours is in the 200, and LegAnswered follows with the ACK. Raises
        NotAcceptable where nothing can be agreed, after sending 488 (400 for what is no description); then LegEnded
        follows.
        """
        leg, handle = self._legs.get(leg_id), self._handle_of(leg_id)
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
        leg, handle = self._legs.get(leg_id), self._handle_of(leg_id)
        if leg is None or handle is None or self._agent.state_of(handle) is not SipCallState.INVITED:
            return False
        return bool(leg.remote_offer) or self._agent.takes_reliable(handle)

    def early(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """Send 183 with our media, so that the caller hears us before the answer; returns what is agreed.

        None where the INVITE had no offer: LegEarlyMedia follows. Raises NotAcceptable as ``accept`` does.
        """
        leg, handle = self._legs.get(leg_id), self._handle_of(leg_id)
        if leg is None or handle is None or not self.may_hear_early(leg_id):
            return None
        leg.place_media(local_ip, local_port)
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
        handle = self._handle_of(leg_id)
        if handle is None or self._agent.state_of(handle) is not SipCallState.INVITED:
            return
        self._legs[leg_id].cause = cause
        headers = (("Reason", cause.reason_header),)
        self._agent.reject(handle, refusal_status(cause), self._driver.now, headers=headers)
        self._driver.pump()

    # ---------------------------------------------------------------- outgoing legs

    def dial(
        self,
        leg_id: LegId,
        target_uri: str,
        local_ip: str,
        local_port: int,
        from_uri: str,
        *,
        display_name: str = "",
        headers: Sequence[tuple[str, str]] = (),
        account: str = "",
        way: Way = DIRECT,
        withheld: bool = False,
    ) -> None:
        """Call ``target_uri`` with an offer of our own. LegRinging, LegEarlyMedia, LegAnswered and LegEnded follow.

        A number (tel:) goes by the trunk that carries it, and so does the URI of a trunk's host: the trunk says how
        the caller is shown (``withheld``: not at all), and what of ``headers`` passes. ``account`` names the
        credentials that answer challenges to a call of no trunk, ``way`` how it travels. Where a server is silent,
        cannot be reached or answers 503, the next one is tried, as long as there is one (RFC 3263 §4.3).

        RouteRefused where no trunk may carry the call, RemoteProtocolError for a URI that is none, LocalError for a
        header that would break its line.
        """
        sender, place = NameAddr(str(SipUri.parse(from_uri)), display_name), (local_ip, local_port)

        def call(leg_id: LegId, uri: str, way: Way) -> None:
            self._call(leg_id, self._calls.direct(uri, sender, headers, way, account), place)

        if (phone := self.phones.is_ours(target_uri)) is not None:
            self._ringing.begin(leg_id, phone, call)
            return
        departure = self._calls.depart(
            leg_id, target_uri, sender, headers, self._driver.now, account=account, way=way, withheld=withheld
        )
        self._call(leg_id, departure, place, Trip(target_uri, sender, headers, withheld, local_port))

    def _call(self, leg_id: LegId, departure: Departure, place: tuple[str, int], trip: Trip | None = None) -> None:
        leg = self._new_leg(leg_id, departure.speech)
        leg.place_media(*place)
        leg.account = departure.account
        if trip is not None:
            self._next_trunk.begin(leg, trip, departure)
        try:
            self._place(leg, departure.dialled)
        except (LocalError, RemoteProtocolError):
            self._forget_limits(leg)
            raise

    def _place(self, leg: SipLeg, dialled: Dialled) -> None:
        """Send the INVITE, at once where it is known whereto."""
        if (servers := self.servers.find_now(dialled.target_uri, dialled.way)) is not None:
            self._begin(leg, dialled, servers)
        else:
            self._place_later(leg, dialled)

    def _begin(self, leg: SipLeg, dialled: Dialled, servers: list[Address]) -> None:
        if usable := self._next_trunk.usable(leg, servers):
            self._invite(leg, self._outgoing.begin(dialled, usable))
        else:
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.UNREACHABLE, reason_text="no media that way"))

    def _give_up(self, leg: SipLeg, ended: LegEnded) -> None:
        """A call of ours has failed: the next trunk may carry it, else the leg is over."""
        departure = self._next_trunk.after(leg, ended)
        if departure is None:
            self._end(leg, ended)
            return
        self._detach(leg)
        self._limit(leg, departure.speech)
        try:
            self._place(leg, departure.dialled)
        except (LocalError, RemoteProtocolError) as error:
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.NAME_NOT_FOUND, reason_text=str(error)))

    def _place_later(self, leg: SipLeg, dialled: Dialled) -> None:
        self._legs[leg.leg_id] = leg
        work = self._find_and_invite(leg, dialled)
        self._resolving[leg.leg_id] = asyncio.get_running_loop().create_task(work)

    def _send_on(self, leg: SipLeg, dialled: Dialled) -> None:
        """The called side named somebody else (3xx): the same leg calls there."""
        log.info("redirected", extra={"leg_id": leg.leg_id, "target": dialled.target_uri})
        self._detach(leg)
        self._place_later(leg, dialled)

    def _detach(self, leg: SipLeg) -> None:
        """The dialog that it was is over, and the leg goes on."""
        if leg.handle is not None:
            self._by_handle.pop(leg.handle, None)
            leg.handle = None

    def _new_leg(self, leg_id: LegId, speech: Speech) -> SipLeg:
        leg = speech.leg(leg_id, self._random)
        self._limit(leg, speech)
        return leg

    def _limit(self, leg: SipLeg, speech: Speech) -> None:
        leg.limit(speech.max_call_s, lambda: self.hangup(leg.leg_id, HangupCause.CALL_TOO_LONG))

    def _forget_limits(self, leg: SipLeg) -> None:
        self.trunks.release(leg.leg_id)
        leg.limit(0, lambda: None)

    def _invite(self, leg: SipLeg, attempts: Attempts) -> None:
        self._traces.follow(leg.leg_id, attempts.call_id)
        handle = self._outgoing.invite(leg, attempts)
        self._detach(leg)
        leg.handle = handle
        self._legs[leg.leg_id] = self._by_handle[handle] = leg
        self._driver.pump()

    async def _find_and_invite(self, leg: SipLeg, dialled: Dialled) -> None:
        try:
            servers = await self.servers.find(dialled.target_uri, dialled.way)
            self._resolving.pop(leg.leg_id, None)
            self._begin(leg, dialled, servers)
        except LocalError as error:
            self._resolving.pop(leg.leg_id, None)
            log.warning("cannot call %s: %s", dialled.target_uri, error)
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.NAME_NOT_FOUND, reason_text=str(error)))

    # ---------------------------------------------------------------- any leg

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on: the device of a phone that answered."""
        leg = self._legs.pop(leg_id)
        leg.leg_id = name
        self._legs[name] = leg
        self._traces.rename(leg_id, name)
        self.trunks.rename(leg_id, name)

    def move_media(self, leg_id: LegId, local_ip: str, local_port: int) -> None:
        """Receive the audio of an answered leg elsewhere (RFC 3264 §8.3.1); one that cannot be moved is ended."""
        if leg := self._legs.get(leg_id):
            self._media.move(leg, local_ip, local_port)

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """End the leg in the way its state demands: BYE, CANCEL or a refusal, with a Reason header."""
        leg = self._legs.get(leg_id)
        if self._ringing.hangup(leg_id, cause) or leg is None:
            return
        self._moves.abandon(leg_id)
        if leg.handle is None:
            if (task := self._resolving.pop(leg_id, None)) is not None:
                task.cancel()
            asyncio.get_running_loop().call_soon(self._end, leg, LegEnded(leg_id, cause))
            return
        match self._agent.state_of(leg.handle):
            case SipCallState.INVITED:
                self.reject(leg_id, cause)
            case SipCallState.CALLING:
                leg.cause = cause
                self._agent.cancel(leg.handle, self._driver.now, cause.reason_header)
            case SipCallState.ANSWERED | SipCallState.CONFIRMED:
                leg.cause = cause
                self._agent.bye(leg.handle, self._driver.now, cause.reason_header)
        self._driver.pump()

    # ---------------------------------------------------------------- events of the user agent

    def _handle(self, event: ua.UserAgentEvent) -> None:
        match event:
            case ua.InviteReceived():
                self._invited(event)
            case ua.RequestAnswered() | ua.RequestFailed():
                self.requests.settle(event)
            case ua.SubscribeReceived() | ua.SubscriptionEnded() | ua.NotifyReceived() | ua.WatchEnded():
                self.on_subscription(event)
            case ua.InviteRefused():
                self._door.turned_away(event)
            case ua.MessageReceived(None):
                self.on_message(event)
            case ua.ReferReceived():
                self._moves.asked(self._by_handle.get(event.handle), event, self.dial)
            case ua.ReferConcluded():
                self._moves.concluded(event.handle)
            case _:
                if event.handle is not None and (leg := self._by_handle.get(event.handle)) is not None:
                    self._handle_of_leg(leg, event)

    def _handle_of_leg(self, leg: SipLeg, event: ua.UserAgentEvent) -> None:
        match event:
            case _ if isinstance(leg, RecordingLeg) and not isinstance(event, ua.CallEnded):
                self._recordings.handle(leg, event)
            case (
                ua.AckReceived()
                | ua.ReinviteReceived()
                | ua.ReinviteAnswered()
                | ua.ReinviteRefused()
                | ua.OfferReceived()
                | ua.OfferAnswered()
            ):
                self._media.handle(leg, event)
            case ua.ProgressReceived():
                self._outgoing.note_alive(leg, event.status)
                self._media.handle(leg, event)
            case ua.Answered():
                self._outgoing.note_alive(leg)
                leg.attempts = leg.trip = None
                self._media.handle(leg, event)
            case (
                ua.InfoReceived()
                | ua.MessageReceived()
                | ua.MessageAnswered()
                | ua.KeysSent()
                | ua.ReferAnswered()
                | ua.ReferNotified()
            ):
                self._words.handle(leg, event)
            case ua.CallEnded() if attempts := self._outgoing.next_attempts(leg, event):
                self._invite(leg, attempts)
            case ua.CallEnded() if dialled := self._outgoing.redirected(leg, event):
                self._send_on(leg, dialled)
            case ua.CallEnded() if not self._moves.outlives(leg, event):
                cause = cause_of(event, leg.cause)
                self._give_up(leg, LegEnded(leg.leg_id, cause, event.status, reason_text(event)))

    def _invited(self, event: ua.InviteReceived) -> None:
        leg_id = LegId(token(self._random, 16))
        if event.replaces is not None:
            self._replace(event, self._leg_of(leg_id, event, self._calls.speech_with(event.source)))
            return
        arrival = self._calls.arrive(leg_id, event, self._driver.now, self._driver.wire.identities(event.source))
        leg = self._leg_of(leg_id, event, arrival.speech)
        self._traces.follow(leg_id, event.request.headers.get("Call-ID") or "")
        allowed = event.request.headers.values("Allow")
        leg.may_refer = arrival.speech.may_refer and (not allowed or "REFER" in map(str.upper, allowed))
        self._legs[leg_id] = self._by_handle[event.handle] = leg
        if arrival.refused is None:
            self._tell(arrival.invited)
            return
        log.info("call refused: %s", arrival.refused, extra={"source": event.source.host})
        leg.is_untold = True
        self.reject(leg_id, arrival.refused.cause)
        self._door.refused(arrival.invited, arrival.refused.cause, event.source)

    def _leg_of(self, leg_id: LegId, event: ua.InviteReceived, speech: Speech) -> SipLeg:
        leg = speech.leg(leg_id, self._random, event.body, recording=event.recording)
        leg.handle, leg.peer = event.handle, event.source
        return leg

    def _replace(self, event: ua.InviteReceived, new: SipLeg) -> None:
        """Another dialog wants the place of a running one. One that has gone meanwhile has no place to give."""
        old = self._by_handle.get(event.replaces) if event.replaces is not None else None
        welcome = self._replaceable and not event.recording and self.trunks.welcomes(event.source.host)
        if old is None or not welcome or isinstance(old, RecordingLeg):
            self._agent.reject(event.handle, 481 if old is None else 603, self._driver.now)
            return
        new.leg_id, new.remote_offer = old.leg_id, b""
        self._traces.follow(old.leg_id, event.request.headers.get("Call-ID") or "")
        self._moves.replace(old, new, event)

    def _deliver(self, event: LegEvent) -> None:
        """Tell the runtime, unless the leg is one that it does not know of."""
        if not self._moves.takes(event):
            self._report(event)

    def _end(self, leg: SipLeg, event: LegEnded) -> None:
        if self._legs.pop(leg.leg_id, None) is None:
            return
        self._detach(leg)
        self._traces.ended(leg.leg_id)
        self._forget_limits(leg)
        if not leg.is_untold:
            self._tell(event)

    def _handle_of(self, leg_id: LegId) -> SipCallHandle | None:
        return leg.handle if (leg := self._legs.get(leg_id)) is not None else None
