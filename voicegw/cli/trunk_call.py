"""The test of a trunk with a call: a gateway and a media worker of its own, beside whatever server runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from voicegw.audio.tones import tone
from voicegw.base.causes import HangupCause
from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.base.metrics import Counters
from voicegw.config import Config
from voicegw.gateway import trunk_advice as advice
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import (
    LegAnswered,
    LegEarlyMedia,
    LegEnded,
    LegEvent,
    LegInvited,
    LegMediaChanged,
    LegRinging,
)
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.media_advice import MediaSeen, judge
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.trunk_advice import Finding, Grade
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_probe import Tell, TrunkProbe
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.media import messages as m
from voicegw.media.client import MediaClient
from voicegw.runtime.call_legs import configuration_of
from voicegw.sdp.negotiate import MediaSession
from voicegw.server_media_start import command_line
from voicegw.sip.address import Address
from voicegw.sip.dialling import call_target, plain
from voicegw.sip.digest import Credentials
from voicegw.sip.uri import SipUri, escape_user

ANSWER_S: Final = 45.0
"""For somebody to pick up."""
END_S: Final = 5.0
SILENCE_S: Final = 8.0
"""For any answer, where nothing else was answered either."""
_LEG, _CALL, _SOUND = LegId("trunk-test"), CallId("trunk-test"), UtteranceId("tone")
_TONE_HZ: Final = 440.0


class TrunkTest:
    """One trunk under test. ``tell`` gets the findings in order."""

    def __init__(self, config: Config, trunk: Trunk, tell: Tell) -> None:
        self._config = config
        self._trunk = trunk
        self._tell = tell
        self._realms: list[str] = []
        counters = Counters()
        self._desk = TrunkDesk((at_rest(trunk),), "refuse", counters)
        self.gateway = SipGateway(
            beside(config.sip),
            self._on_leg,
            random=os.urandom,
            clock=SystemClock(),
            counters=counters,
            credentials=self._credentials,
            trunks=self._desk,
        )
        self._seconds = 0.0
        self._session: MediaSession | None = None
        self._is_heard = self._is_answered = False
        self._ended: LegEnded | None = None
        self._latched: m.MediaLatched | None = None
        self._stats: m.LegStats | None = None
        self._is_reported = False
        self._changed = asyncio.Event()
        self._media: MediaClient | None = None

    async def run(self, number: str, seconds: float) -> None:
        """Everything; a call only where there is a ``number``, whose audio is listened to for ``seconds``."""
        self.gateway.start()
        probe = TrunkProbe(self.gateway, self._trunk, self._tell, os.urandom)
        try:
            is_worth_a_call = await probe.run()
            self._seconds = seconds
            if not self._trunk.enabled:
                text = "the trunk is switched off: a server lets no call pass"
                self._tell(Finding(Grade.WARN, "settings", "disabled", text, "set enabled: true"))
            if not number:
                text = "no test call: name a number with --call, or in test_number of the trunk"
                self._tell(Finding(Grade.WARN, "call", "no_number", text))
            elif is_worth_a_call:
                await self._call(number, probe)
            else:
                self._tell(Finding(Grade.WARN, "call", "not_tried", "no test call before the rest is put right"))
            probe.conclude(called=self._is_heard)
            await probe.leave()
        finally:
            self.gateway.close()

    # ---------------------------------------------------------------- the call

    async def _call(self, number: str, probe: TrunkProbe) -> None:
        try:
            target = target_of(self._trunk, number)
            shown, bound = await self.gateway.media_route(target)
        except RouteRefused as refused:
            self._tell(advice.ended(self._trunk, refused.cause, 0, str(refused), (), probe.source))
            return
        except (LocalError, RemoteProtocolError) as error:
            self._tell(Finding(Grade.FAIL, "call", "not_possible", str(error), "check the number"))
            return
        async with self._worker() as media:
            try:
                port = await media.open_leg(_LEG, _CALL, bound)
                media.send(m.SetMix(_CALL, (("agent", _LEG, 1.0),)))
                self.gateway.dial(_LEG, target, shown, port, "sip:anonymous@anonymous.invalid")
            except (LocalError, RemoteProtocolError) as error:
                fix = "look at media.port_low, and at 'codecs', 'srtp' and 'headers' of the trunk"
                self._tell(Finding(Grade.FAIL, "call", "not_possible", str(error), fix))
                return
            await self._talk(probe, (shown, port))

    async def _talk(self, probe: TrunkProbe, ours: tuple[str, int]) -> None:
        if not probe.is_heard:
            await self._until(lambda: self._is_heard, SILENCE_S)
            if not self._is_heard:
                self._tell(Finding(Grade.FAIL, "call", "no_answer", f"no answer to INVITE in {SILENCE_S:.0f} s"))
                return
        await self._until(lambda: self._is_answered or self._ended is not None, ANSWER_S)
        if self._is_answered:
            await self._until(lambda: self._ended is not None, self._seconds)
        self.gateway.hangup(_LEG, HangupCause.AGENT_HANGUP)
        await self._until(lambda: self._ended is not None, END_S)
        assert self._media is not None
        self._media.send(m.CloseLeg(_LEG))
        await self._until(lambda: self._stats is not None, END_S)
        if self._is_answered:
            self._judge(probe, ours)
        elif self._ended is None or self._ended.cause is HangupCause.AGENT_HANGUP:
            text = f"it rang for {ANSWER_S:.0f} s, and nobody answered"
            self._tell(Finding(Grade.WARN, "call", "not_answered", text, "take a number that answers"))
        else:
            end = self._ended
            found = advice.ended(
                self._trunk, end.cause, end.sip_status, end.reason_text, tuple(self._realms[-1:]), probe.source
            )
            self._tell(found)

    def _judge(self, probe: TrunkProbe, ours: tuple[str, int]) -> None:
        session, stats = self._session, self._stats or m.LegStats()
        assert session is not None
        text = f"answered; {session.codec}, {session.ptime_ms} ms a packet"
        if self._ended is not None and self._ended.cause is not HangupCause.AGENT_HANGUP:
            text += f"; then it ended: {self._ended.cause.value.text}"
        self._tell(Finding(Grade.OK, "call", "ok", text))
        latched = self._latched
        seen = MediaSeen(
            promised=(session.remote_ip, session.remote_port),
            ours=ours,
            heard_from=None if latched is None else (latched.remote_ip, latched.remote_port),
            sent=stats.packets_sent,
            received=stats.packets_received,
            lost=stats.packets_lost,
            rejected=stats.packets_rejected,
            is_reported=self._is_reported or stats.round_trip_ms >= 0,
            peer_lost=stats.peer_lost,
            round_trip_ms=stats.round_trip_ms,
        )
        for finding in judge(seen, probe.server):
            self._tell(finding)

    # ---------------------------------------------------------------- events

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[MediaClient]:
        line = command_line(self._config.media, vad=False, log_level="error")
        self._media = MediaClient(line, self._on_media, lambda _reason: None)
        await self._media.start()
        try:
            yield self._media
        finally:
            await self._media.close()

    def _on_leg(self, event: LegEvent) -> None:
        match event:
            case LegInvited():
                self.gateway.reject(event.leg_id, HangupCause.BUSY)
            case LegRinging():
                self._is_heard = True
            case LegAnswered() | LegMediaChanged() | LegEarlyMedia():
                self._is_heard = True
                self._session = event.session
                self._configure(event.session)
                if not isinstance(event, LegEarlyMedia) and not self._is_answered:
                    self._is_answered = True
                    self._speak()
            case LegEnded():
                self._is_heard = self._is_heard or event.sip_status > 0
                self._ended = event
        self._changed.set()

    def _on_media(self, event: m.Event) -> None:
        match event:
            case m.MediaLatched():
                self._latched = event
            case m.QualityRated():
                self._is_reported = self._is_reported or event.peer_mos > 0
            case m.LegClosed():
                self._stats = event.stats
            case _:
                return
        self._changed.set()

    def _speak(self) -> None:
        assert self._media is not None
        samples = tone(_TONE_HZ, 1000.0 * (self._seconds + 1.0))
        self._media.send(m.QueueAudio(_CALL, _SOUND, samples.tobytes(), final=True, interruptible=False))

    def _configure(self, session: MediaSession) -> None:
        assert self._media is not None
        self._media.send(configuration_of(_LEG, session, listens=False))

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    def _credentials(self, account: str, realm: str, destination: Address) -> Credentials | None:
        self._realms.append(realm)
        return self._desk.credentials(account, realm, destination)


def target_of(trunk: Trunk, number: str) -> str:
    """The URI of a number, or of a name that only the trunk knows; RemoteProtocolError for what is neither."""
    if plain(number.strip()).lstrip("+").isdigit():
        return call_target(number, trunk.name)
    return str(SipUri.parse(f"sip:{escape_user(number.strip())}@{trunk.domain}"))


def at_rest(trunk: Trunk) -> Trunk:
    """The same without a registration and signs of life of its own: the test makes them, one by one."""
    health = trunk.settings.health.model_copy(update={"options_s": 0.0})
    settings = trunk.settings.model_copy(update={"health": health, "register_there": False})
    return replace(trunk, settings=settings, enabled=True)


def beside(sip: SipConfig) -> SipConfig:
    """The settings of a server that may be running, on ports of our own: a free one for UDP and TCP by address."""
    ips = dict.fromkeys((listener.ip, listener.advertised_ip) for listener in sip.reached_by)
    listeners = tuple(
        ListenerConfig(kind, 0, ip, advertised_ip=advertised) for ip, advertised in ips for kind in ("udp", "tcp")
    )
    return replace(sip, listeners=listeners)
