"""RTCP of all legs: a report every few seconds, and what the peers report about us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voicegw.base.clock import Clock
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.media.bank import LegBank
from voicegw.media.config import SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.leg import Leg
from voicegw.media.messages import LegProbed, LegStats, QualityRated, RtcpPassed
from voicegw.media.quality import Rating, Totals
from voicegw.media.secure import REFUSED
from voicegw.media.sockets import Address, Network
from voicegw.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_compound,
    middle_32,
    parse_compound,
    round_trip_s,
    to_ntp,
)
from voicegw.rtp.stats import mos

_BUFFER_BYTES: Final = 2048
_ROUNDS: Final = 2
_SILENT_INTERVALS: Final = 5
"""After so many intervals without a report another source of them may be believed (RFC 3550 §6.3.5)."""
_FRAME_DELAY_MS: Final = 20
"""One way, besides buffer and network: a packet is sent when its last sample has been said."""


class RtcpReporter:
    """Sends and reads RTCP. Called a few times a second, outside the path of the audio."""

    def __init__(
        self,
        bank: LegBank,
        network: Network,
        clock: Clock,
        random: RandomBytes,
        config: MediaConfig,
        counters: Counters,
    ) -> None:
        self._bank = bank
        self._clock = clock
        self._random = random
        self._counters = counters
        self._interval_s = config.rtcp_interval_ms / 1000
        self._cname = f"{random(8).hex()}@voicegw"
        self._poller = network.poller()
        self._legs: dict[int, Leg] = {}
        self._due: dict[int, float] = {}
        self._heard: dict[int, tuple[int, float]] = {}  # middle of the peer's last NTP time, when it came
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.on_passed: Callable[[RtcpPassed], None] | None = None
        """Who is told of every report; None for nobody."""

    def use(self, config: MediaConfig) -> None:
        """Other times, from the next report of each leg on."""
        self._interval_s = config.rtcp_interval_ms / 1000

    def add(self, leg: Leg, now: float) -> None:
        """Report on this leg from now on."""
        fd = leg.ports.rtcp.fileno()
        self._legs[fd] = leg
        self._due[fd] = now + self._interval()
        self._poller.register(fd)

    def remove(self, leg: Leg) -> None:
        """Say goodbye (RFC 3550 §6.6) and stop reading."""
        fd = leg.ports.rtcp.fileno()
        self._poller.unregister(fd)
        if self._bank.packets_sent(leg.row):
            self._send(leg, [*self._report(fd, leg), Bye((int(self._bank.ssrc[leg.row]),))])
        del self._legs[fd], self._due[fd]
        self._heard.pop(fd, None)

    def close(self) -> None:
        """Give the poller back."""
        self._poller.close()

    def read(self, now: float) -> None:
        """Take in what came; in every tick, because what a report waits here counts as time on the way."""
        for _ in range(_ROUNDS):
            ready = self._poller.ready()
            for fd, _ in ready:
                self._read(self._legs[fd], now)
            if not ready:
                break

    def run(self, now: float) -> None:
        """Send what is due."""
        for fd, due in self._due.items():
            if due <= now:
                self._due[fd] = now + self._interval()
                leg = self._legs[fd]
                if leg.settings is not None:
                    self._send(leg, self._report(fd, leg))

    def _interval(self) -> float:
        """Between half and one and a half of the mean (RFC 3550 §6.2): reports of many legs must not bunch."""
        return self._interval_s * (0.5 + self._random(1)[0] / 256)

    def _report(self, fd: int, leg: Leg) -> list[RtcpPacket]:
        row, ssrc = leg.row, int(self._bank.ssrc[leg.row])
        blocks = self._blocks(fd, leg)
        report: RtcpPacket = ReceiverReport(ssrc, blocks)
        if self._bank.packets_sent(row):
            report = SenderReport(
                ssrc,
                to_ntp(self._clock.wall()),
                self._bank.timestamp(row),
                self._bank.packets_sent(row),
                self._bank.octets_sent(row),
                blocks,
            )
        return [report, SourceDescription(ssrc, self._cname)]

    def _blocks(self, fd: int, leg: Leg) -> tuple[ReportBlock, ...]:
        received, ssrc = self._bank.reception.report(leg.row), int(self._bank.ssrc_in[leg.row])
        if received is None or ssrc < 0:  # nobody yet, or nobody any more
            return ()
        last_sr, delay = 0, 0
        if fd in self._heard:
            last_sr, heard_at = self._heard[fd]
            delay = round((self._clock.monotonic() - heard_at) * 65536)
        return (
            ReportBlock(
                ssrc,
                received.fraction_lost,
                received.cumulative_lost,
                received.highest_sequence,
                received.jitter * int(self._bank.clock_in[leg.row]),
                last_sr,
                delay,
            ),
        )

    def _send(self, leg: Leg, packets: list[RtcpPacket]) -> None:
        target = leg.report_target
        if target is None:
            return
        data = build_compound(packets)
        try:
            leg.send_report(data, target)
        except OSError:
            self._counters.add("rtcp_send_errors")
            return
        self._tell(leg, data, target, sent=True, muxed=leg.muxed)

    def _read(self, leg: Leg, now: float) -> None:
        try:
            size, address = leg.receive_report(self._buffer)
        except OSError:
            self._counters.add("rtcp_receive_errors")
            return
        if size == REFUSED:
            return
        if not self._believes(leg, address, now):
            self._counters.add("rtcp_wrong_source")
            return
        data = bytes(self._buffer[:size])
        if self._take_compound(leg, data, now):
            leg.report_source = address
            self._tell(leg, data, address, sent=False, muxed=False)

    def receive(self, leg: Leg, data: bytes, address: Address, now: float) -> bool:
        """RTCP at the port of the audio. It must come from where the audio does: False for what is not taken."""
        if address != leg.latch.source:
            self._counters.add("rtcp_wrong_source")
            return False
        taken = self._take_compound(leg, data, now)
        if taken:
            self._tell(leg, data, address, sent=False, muxed=True)
        return taken

    def _tell(self, leg: Leg, data: bytes, peer: Address, *, sent: bool, muxed: bool) -> None:
        """``muxed``: it went by the port of the audio."""
        if self.on_passed is not None:
            port = leg.ports.port + (not muxed)
            self.on_passed(RtcpPassed(leg.leg_id, self._clock.wall(), sent, port, peer[0], peer[1], data))

    def _believes(self, leg: Leg, address: Address, now: float) -> bool:
        """Whose reports are taken: the source of those before, until it has been silent for long; else the place
        that SDP names for them, or any port of the host that the audio comes from, as NAT may have it."""
        if address == leg.report_source:
            return True
        target, settings = leg.latch.target, leg.settings
        if target is None or settings is None:
            return False
        quiet = now - float(self._bank.reported_at[leg.row]) > _SILENT_INTERVALS * self._interval_s
        if leg.report_source is not None and not quiet:
            return False
        return address[0] == target[0] or address == (settings.rtcp_ip, settings.rtcp_port)

    def _take_compound(self, leg: Leg, data: bytes, now: float) -> bool:
        try:
            packets = parse_compound(data)
        except RemoteProtocolError:
            self._counters.add("rtcp_malformed")
            return False
        # Reports go on while a peer with silence suppression says nothing: it is alive.
        self._bank.reported_at[leg.row] = now
        for packet in packets:
            self._take(leg, packet)
        return True

    def _take(self, leg: Leg, packet: RtcpPacket) -> None:
        match packet:
            case SenderReport(ntp=ntp, blocks=blocks, packets=packets):
                leg.peer_reports, leg.peer_sends = leg.peer_reports + 1, packets > 0
                # Not when the tick began: it may have come since, and for the peer no time would have passed.
                self._heard[leg.ports.rtcp.fileno()] = (middle_32(ntp), self._clock.monotonic())
                self._take_blocks(leg, blocks)
            case ReceiverReport(blocks=blocks):
                leg.peer_reports, leg.peer_sends = leg.peer_reports + 1, False
                self._take_blocks(leg, blocks)
            case Bye(sources=sources):
                self._counters.add("rtcp_byes")
                if int(self._bank.ssrc_in[leg.row]) in sources:
                    self._bank.lose_source(leg.row)
            case SourceDescription():
                pass

    def _take_blocks(self, leg: Leg, blocks: tuple[ReportBlock, ...]) -> None:
        own = int(self._bank.ssrc[leg.row])
        for block in blocks:
            if block.ssrc != own:
                continue
            leg.peer_hears = True
            clock_hz = SAMPLE_RATE_HZ * int(self._bank.clock[leg.row])
            leg.peer_ear.hear(block, self._bank.packets_sent(leg.row), clock_hz)
            leg.quality.peer_reports(block.fraction_lost, self._clock.monotonic())
            trip = round_trip_s(block, to_ntp(self._clock.wall()))
            if trip is not None:
                leg.round_trip_ms = trip * 1000

    def stats(self, leg: Leg) -> LegStats:
        """The final numbers of a leg."""
        bank, row = self._bank, leg.row
        received, lost = int(bank.reception.received[row]), bank.reception.lost(row)
        late = int(bank.jitter.late[row])
        ratio = (lost + late) / max(1, received + lost)
        delay_ms = leg.quality.mean_delay_ms(self._delay_ms(leg))
        return LegStats(
            packets_sent=bank.packets_sent(row),
            packets_received=received,
            packets_lost=lost,
            packets_late=late,
            packets_duplicate=int(bank.reception.duplicates[row]),
            packets_rejected=leg.rejected,
            concealed_samples=int(bank.jitter.concealed[row]),
            jitter_ms=bank.reception.jitter(row) * 1000 / SAMPLE_RATE_HZ,
            peer_lost=leg.peer_ear.lost,
            peer_jitter_ms=leg.peer_ear.jitter_ms,
            peer_mos=leg.peer_ear.mos(delay_ms),
            round_trip_ms=leg.round_trip_ms,
            mos=mos(ratio, delay_ms) if received else 0.0,
            srtp=leg.secure.keys.suite if leg.secure else "",
            packets_forged=leg.secure.forged if leg.secure else 0,
            packets_replayed=leg.secure.replayed if leg.secure else 0,
        )

    def probe(self, leg: Leg, now: float) -> LegProbed:
        """How a leg stands."""
        row = leg.row
        return LegProbed(
            leg.leg_id,
            now,
            leg.sending,
            bool(self._bank.receiving[row]),
            self._bank.packets_sent(row),
            int(self._bank.reception.received[row]),
            leg.rejected,
            leg.peer_reports,
            leg.peer_sends,
            leg.peer_hears,
        )

    def rate(self, leg: Leg, now: float) -> QualityRated | None:
        """How the leg sounded in the last seconds, where that is news."""
        bank, row = self._bank, leg.row
        missing = bank.reception.lost(row) + int(bank.jitter.late[row])
        totals = Totals(int(bank.reception.received[row]), missing)
        found = leg.quality.rate(totals, self._delay_ms(leg), now)
        if (rating := leg.quality.take_rated()) is not None:
            self._measure(leg, rating)
        if found is None:
            return None
        jitter_ms = bank.reception.jitter(row) * 1000 / SAMPLE_RATE_HZ
        return QualityRated(leg.leg_id, now, found.mos, found.peer_mos, found.loss, jitter_ms, leg.round_trip_ms)

    def _measure(self, leg: Leg, rating: Rating) -> None:
        counters = self._counters
        depth = self._bank.jitter.delay_samples(leg.row)
        counters.observe("media_jitter_buffer_seconds", depth / SAMPLE_RATE_HZ)
        counters.observe("media_mos_received", rating.mos)
        counters.observe("media_loss_ratio", rating.loss)
        if rating.peer_mos:
            counters.observe("media_mos_sent", rating.peer_mos)
        if leg.round_trip_ms >= 0:
            counters.observe("media_round_trip_seconds", leg.round_trip_ms / 1000)

    def _delay_ms(self, leg: Leg) -> float:
        """One way, as far as it is known."""
        buffered_ms = self._bank.jitter.delay_samples(leg.row) * 1000 / SAMPLE_RATE_HZ
        return max(0.0, leg.round_trip_ms) / 2 + _FRAME_DELAY_MS + buffered_ms
