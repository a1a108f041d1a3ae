"""The SIP gateway: SIP calls as legs with media, in the words of the runtime.

Commands act at once and return; what follows comes as an event, always from the event loop and never from within a
command. Commands for a leg that has ended meanwhile do nothing: they crossed its LegEnded.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.base.clock import Clock
from voicegw.base.ids import LegId, RandomBytes
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.door import Door
from voicegw.gateway.events import LegBarred, LegEnded, LegEvent
from voicegw.gateway.identity.desk import IdentityDesk
from voicegw.gateway.identity.fetching import Fetch
from voicegw.gateway.incoming_legs import IncomingLegs
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_media import LegMedia
from voicegw.gateway.leg_moves import LegMoves
from voicegw.gateway.leg_table import LegTable
from voicegw.gateway.leg_words import LegWords
from voicegw.gateway.media_places import MediaPlaces
from voicegw.gateway.next_trunk import NextTrunk
from voicegw.gateway.outgoing import OutgoingCalls
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.phone_ringing import PhoneRinging
from voicegw.gateway.phone_watchers import PhoneWatchers
from voicegw.gateway.placing import Placing
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
from voicegw.gateway.tolls.book import Overrun
from voicegw.gateway.trunk_calls import Speech, TrunkCalls
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_watch import TrunkWatch
from voicegw.sip import events as ua
from voicegw.sip.address import Address
from voicegw.sip.challenges import FindCredentials, no_credentials
from voicegw.sip.nonces import SharedNonces
from voicegw.sip.sip_call import SipCallState

NO_PHONES: Final = PhonesConfig()


class SipGateway:
    """``on_event`` gets every leg event; ``random`` and ``clock`` are the process's own.

    ``credentials`` answers challenges for what is dialled under an account; ``phones`` register here; calls come
    and go by ``trunks``. ``fetch_certificate``: where certificates of signed callers come from; None: the web.
    ``nonces``: what nodes challenge with that take one another's; None: a node on its own. ``node_name``: empty for
    that of the machine.
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
        fetch_certificate: Fetch | None = None,
        nonces: SharedNonces | None = None,
        node_name: str = "",
    ) -> None:
        self.trunks = trunks or TrunkDesk((), config.strangers, counters)
        node = _speech_of(config)
        calls = TrunkCalls(self.trunks, node)
        self._speak = calls.speak
        self.phones = PhoneBook(phones, random, None if nonces is None else nonces.of("phones"))
        asked = None if nonces is None else nonces.of("trunks")
        self._reception = reception = ReceptionDesk(self.phones, self.trunks, phones.policy, random, asked)
        self._driver = driver = SipDriver(
            config, self._handle, random, clock, counters, credentials, reception, self.trunks
        )
        self._agent, self.snapshot, self.admits = driver.agent, driver.snapshot, driver.admits
        self.wire, self.guard, self.taps = driver.wire, driver.guard, driver.taps
        self.phones.on_trial, self.phones.sender = self.guard.note_trial, self.guard.sender
        self.phones.ignores, self.phones.is_balancer = self.guard.ignores_sender, self.guard.is_balancer
        self.is_settled, self.take_trace = driver.traces.settled, driver.traces.take
        self.take_first_trace, self.listen = driver.traces.take_first, driver.traces.listen
        self.call_id_of = driver.traces.call_ids.of
        self._report = on_event
        self._ringing = PhoneRinging(self.phones, self, random, lambda: driver.now, self._deliver, phones.ring_s)
        self._tell = self._ringing.pass_on
        self._legs = LegTable(self.trunks, driver.traces)
        self.rename = self._legs.rename
        self.requests = SipRequests(driver)
        self.registrar = PhoneKeeper(phones, self.phones, driver, self.requests)
        resolver = Resolver(config.locating, driver.abilities, random=random, clock=clock, counters=counters)
        self.servers = Servers(config.locating, resolver, self.requests, driver, counters)
        self.watch = TrunkWatch(
            driver, self.requests, self.servers, self.trunks, random, counters, node_name or socket.gethostname()
        )
        policy = TargetPolicy(config.forward_to)
        self._outgoing = OutgoingCalls(driver, self.servers, policy, random, counters)
        self.trunks.tolls.on_overrun = self._overrun
        self._media = LegMedia(driver, self._tell, self.hangup)
        self._door = Door(driver, self.trunks, self._tell, counters)
        driver.on_check = self._door.release
        self._moves = LegMoves(driver, self._legs, policy, self._tell, self, random)
        self._recordings = RecordingMedia(driver, self._tell, self._legs.by_id, self._media)
        self.accept_streams, self.move_streams = self._recordings.accept_streams, self._recordings.move_streams
        self._identities = IdentityDesk(config.identity, clock, counters, fetch_certificate)
        self._incoming = incoming = IncomingLegs(
            driver,
            self._legs,
            calls,
            self._door,
            self._moves,
            self._tell,
            random,
            self._identities,
            replaceable=config.replaceable,
            max_setups=config.max_setups,
        )
        self.ring, self.accept, self.reject = incoming.ring, incoming.accept, incoming.reject
        self.may_hear_early, self.early = incoming.may_hear_early, incoming.early
        self._placing = Placing(
            driver,
            self._legs,
            calls,
            self._outgoing,
            NextTrunk(calls, driver, self._tell, counters),
            self.servers,
            (self.phones, self._ringing),
            self._end,
            self._overrun,
            random,
        )
        self.dial = self._placing.dial
        places = MediaPlaces(driver, self._legs.by_id, self.servers, calls, self.phones, self._ringing)
        self.media_address, self.media_bind_address = places.told, places.bound
        self.far_host, self.media_route, self.media_address_towards = places.far, places.route, places.towards
        self._words = words = LegWords(driver, self._legs.by_id, calls, self._tell)
        self.may_refer, self.refer, self.send_text = words.may_refer, words.refer, words.send_text
        self.send_keys = words.send_keys
        self.resume = self.watch.resume
        self.drain, self.withdraw, self.leave = self._agent.drain, self.watch.withdraw, self.watch.close
        """No new calls from now on: 503, also to OPTIONS; and no registrations of ours, so that nobody calls us."""
        self.on_message: Callable[[ua.MessageReceived], None] = StrayMessages(counters).take
        """Who gets text that came outside any call, where the configuration takes any."""
        self.on_subscription = PhoneWatchers(self.phones, driver).handle
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
        self._door.close()
        for leg_id, leg in list(self._legs.by_id.items()):
            self.hangup(leg_id, HangupCause.DRAINING)
            self._end(leg, LegEnded(leg_id, HangupCause.DRAINING))
        self.trunks.tolls.close()
        self.watch.stop()
        self._identities.close()
        self.servers.close()
        self._driver.close()

    def use(self, config: SipConfig) -> None:
        """For calls and messages from now on; sockets stay as they are, and running calls keep what they agreed."""
        self._driver.use(config)
        self.trunks.strangers = config.strangers
        self._outgoing.policy = self._moves.policy = TargetPolicy(config.forward_to)
        self._incoming.max_setups, self._incoming.replaceable = config.max_setups, config.replaceable
        self._identities.use(config.identity)
        self.servers.use(config.locating)
        self._speak(_speech_of(config))

    def use_phones(self, config: PhonesConfig) -> None:
        """Everything about phones, from now on; those whose password is another one are gone."""
        self._reception.use(config.policy)
        self.registrar.config = config
        self._ringing.ring_s = config.ring_s
        self.registrar.forget(self.phones.use(config))

    def reload_certificates(self) -> None:
        """Read the files anew: those of our connections, and those with whom callers' signatures are of."""
        self.wire.reload_certificates()
        self._identities.reload()

    def gauges(self) -> dict[str, float]:
        """Levels for metrics. Any thread may ask."""
        passed_over = float(len(self.servers.listed))
        levels = {**self.watch.gauges(), **self.snapshot().gauges(), **self.trunks.tolls.gauges()}
        return {**levels, "sip_servers_passed_over": passed_over}

    def watch_resources(self, short_of: Callable[[], str]) -> None:
        """Refuse new calls (503) while this names something that there is too little of."""
        self._driver.short_of = short_of

    def limit_numbers(self, to_number: int, from_number: int) -> None:
        """So many calls a minute to and from each number, from now on; those of the last minute count. 0: any."""
        self._incoming.rates.change(to_number, from_number)

    @property
    def active_legs(self) -> int:
        """Legs that have not ended."""
        return len(self._legs.by_id)

    # ---------------------------------------------------------------- any leg

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
            self._placing.call_off(leg, cause)
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
                self._incoming.invited(event)
            case ua.RequestAnswered() | ua.RequestFailed():
                self.requests.settle(event)
            case ua.SubscribeReceived() | ua.SubscriptionEnded() | ua.NotifyReceived() | ua.WatchEnded():
                self.on_subscription(event)
            case ua.InviteRefused():
                self._door.turned_away(event)
            case ua.MessageReceived(None):
                self.on_message(event)
            case ua.ReferReceived():
                self._moves.asked(self._legs.by_handle.get(event.handle), event, self.dial)
            case ua.ReferConcluded():
                self._moves.concluded(event.handle)
            case _:
                if event.handle is not None and (leg := self._legs.by_handle.get(event.handle)) is not None:
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
                self.trunks.tolls.answered(leg.leg_id)
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
            case ua.CallEnded() if not self._moves.outlives(leg, event):
                self._placing.call_ended(leg, event)

    def _deliver(self, event: LegEvent) -> None:
        """Tell the runtime, unless the leg is one that it does not know of."""
        if not self._moves.takes(event):
            self._report(event)

    def _overrun(self, overrun: Overrun) -> None:
        """A call of ours may not go on: the runtime ends it with a word, we do where that takes too long."""
        if overrun.cut:
            self.hangup(overrun.leg_id, overrun.barred.cause)
        else:
            self._tell(LegBarred(overrun.leg_id, overrun.barred, running=True, ends=overrun.ends))

    def _end(self, leg: SipLeg, event: LegEnded) -> None:
        if self._legs.remove(leg) and not leg.is_untold:
            self._tell(event)


def _speech_of(config: SipConfig) -> Speech:
    return Speech(config.preferences, security=config.media_security, keys=config.keys)
