"""What of the media's events Homer is told, in the words of the gateway: neither knows the other."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.base.clock import Clock
from voicegw.base.metrics import Counters
from voicegw.gateway.hep import HepTap
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.hep_reports import HepReports, MediaPath, Received
from voicegw.gateway.hep_sender import HepSender
from voicegw.gateway.sip_leg import SipGateway
from voicegw.media import messages as m


class Homer:
    """Shown all signalling from now on, and what the workers tell of audio."""

    def __init__(self, config: HepConfig, gateway: SipGateway, clock: Clock, counters: Counters) -> None:
        """LocalError where a file for TLS cannot be used."""
        sender = HepSender(config, counters)
        self._taps = gateway.taps
        self._tap = HepTap(sender, gateway.wire.local_address, clock, secrets=config.secrets)
        self._taps.add(self._tap)
        self._reports = HepReports(sender, gateway.call_id_of, gateway.media_address_towards)
        self.wants_reports = config.reports
        self._wants_summaries = config.summaries
        self._clock = clock
        self._sender = sender

    async def close(self) -> None:
        """Nobody is told any more."""
        self._taps.remove(self._tap)
        await self._sender.close()

    def see(self, event: m.Event) -> None:
        """An event of the media workers."""
        match event:
            case m.RtcpPassed():
                self._reports.rtcp(_path(event), event.data, event.wall, sent=event.sent)
            case m.LegClosed(stats=stats) if event.remote_ip and self._wants_summaries:
                received = Received(stats.packets_received, stats.packets_lost, stats.jitter_ms, stats.mos)
                self._reports.summary(_path(event), received, self._clock.wall())
            case _:
                pass


class HomerDesk:
    """Homer as it is set at the moment, if anybody is to be told at all."""

    def __init__(self, config: HepConfig, gateway: SipGateway, clock: Clock, counters: Counters) -> None:
        """LocalError where a file for TLS cannot be used."""
        self._gateway = gateway
        self._clock = clock
        self._counters = counters
        self._config = config
        self._homer = self._made(config)

    async def use(self, config: HepConfig) -> None:
        """Another collector, or none, for what comes from now on; LocalError, with the old one, as above."""
        if config != self._config:
            old, self._homer, self._config = self._homer, self._made(config), config
            if old is not None:
                await old.close()

    def told_first(self, then: Callable[[m.Event], None]) -> Callable[[m.Event], None]:
        """Who gets the events of the workers, so that Homer sees them before their call does."""

        def both(event: m.Event) -> None:
            if self._homer is not None and self._homer.wants_reports:
                self._homer.see(event)
            then(event)

        return both

    async def close(self) -> None:
        """Nobody is told any more."""
        if self._homer is not None:
            await self._homer.close()

    def _made(self, config: HepConfig) -> Homer | None:
        return Homer(config, self._gateway, self._clock, self._counters) if config.to else None


def _path(event: m.RtcpPassed | m.LegClosed) -> MediaPath:
    return MediaPath(event.leg_id, event.port, event.remote_ip, event.remote_port)
