"""The legs and calls of the worker: opening, configuring and closing them."""

from __future__ import annotations

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.base.metrics import Counters
from voicegw.media.bank import LegBank
from voicegw.media.config import SAMPLE_RATE_HZ, WIDE_HZ, MediaConfig
from voicegw.media.latch import SourceLatch
from voicegw.media.leg import Call, Leg
from voicegw.media.messages import ConfigureLeg, OpenLeg
from voicegw.media.plan import TickPlan, make_plan
from voicegw.media.receiver import RtpReceiver
from voicegw.media.reports import RtcpReporter
from voicegw.media.secure import SecurePorts
from voicegw.media.sockets import PortPool, is_sendable
from voicegw.media.wide import CODECS as WIDE_CODECS
from voicegw.rtp.telephone_event import TelephoneEventSender

_PTIMES_MS = frozenset((10, 20, 30, 40, 60))


class Switchboard:
    """All legs by id, all calls by id, and the plan that follows from them."""

    def __init__(
        self,
        config: MediaConfig,
        bank: LegBank,
        ports: PortPool,
        receiver: RtpReceiver,
        reporter: RtcpReporter,
        counters: Counters,
    ) -> None:
        self._config = config
        self._bank = bank
        self._ports = ports
        self._receiver = receiver
        self._reporter = reporter
        self._counters = counters
        self.legs: dict[LegId, Leg] = {}
        self.calls: dict[CallId, Call] = {}
        self.stale = True
        """Something changed that the plan depends on."""

    def use(self, config: MediaConfig) -> None:
        """Other settings from now on, some for legs that are opened from now on."""
        self._config = config
        self._ports.draining_s = config.draining_s
        self._bank.use(config)
        self._reporter.use(config)

    def leg_of_row(self, row: int) -> Leg | None:
        """The leg that has the row."""
        return next((leg for leg in self.legs.values() if leg.row == row), None)

    def plan(self) -> TickPlan:
        """The plan for the legs as they are now."""
        self.stale = False
        return make_plan(self.calls.values())

    def open(self, command: OpenLeg, now: float) -> Leg:
        """Take ports and a row; raises LocalError with what is wrong, and takes nothing then."""
        if command.leg_id in self.legs:
            raise LocalError("a leg with this id is open already")
        ports = self._ports.acquire(command.local_ip)
        try:
            row = self._bank.take()
        except LocalError:
            self._ports.release(ports, now)
            raise
        config = self._config
        latch = SourceLatch(config.latch_packets, config.latch_window_ms / 1000, config.relatch_gap_ms / 1000)
        leg = Leg(command.leg_id, command.call_id, row, ports, latch)
        self.legs[leg.leg_id] = leg
        call = self.calls.get(leg.call_id)
        if call is None:
            call = self.calls[leg.call_id] = Call(leg.call_id)
        call.legs[leg.leg_id] = leg
        leg.tap_by(call.tap)
        self._receiver.add(leg)
        self._reporter.add(leg, now)
        self.stale = True
        return leg

    def configure(self, leg: Leg, command: ConfigureLeg, now: float) -> None:
        """Apply a session; raises LocalError for what cannot work and leaves the leg as it was."""
        remote = (command.remote_ip, command.remote_port)
        if command.send and not is_sendable(remote):
            raise LocalError(f"cannot send RTP to {command.remote_ip}:{command.remote_port}")
        if command.ptime_ms not in _PTIMES_MS:
            raise LocalError(f"packets of {command.ptime_ms} ms are not supported")
        self._bank.configure(leg.row, command, now)
        self._connect(leg, command)
        if leg.settings is None or remote != (leg.settings.remote_ip, leg.settings.remote_port):
            leg.report_source = None
        if is_sendable(remote):
            # A hold with the address 0.0.0.0 (RFC 2543) says nothing about where the audio comes from.
            leg.latch.expect(remote, now)
        if leg.latch.source is None:
            self._bank.ssrc_in[leg.row] = -1
        if leg.settings is None or (leg.settings.ptime_ms, leg.settings.codec) != (
            command.ptime_ms,
            command.codec,
        ):
            leg.odd_codes.clear()
        if leg.settings is None or leg.settings.dtmf_clock_hz != command.dtmf_clock_hz:
            leg.keys_out = TelephoneEventSender(command.dtmf_clock_hz)
        if leg.settings is None:
            leg.wide_in = command.codec in WIDE_CODECS
        leg.wide_out = command.codec in WIDE_CODECS
        leg.settings = command
        call = self.calls[leg.call_id]
        if not call.rate_hz:
            call.set_rate(WIDE_HZ if leg.wide_out else SAMPLE_RATE_HZ)
        leg.timeouts = 0
        self.stale = True

    def _connect(self, leg: Leg, command: ConfigureLeg) -> None:
        """Put the agreed keys in force; those that are in force already go on as if nothing was said."""
        keys, secure = command.srtp, leg.secure
        if keys is None:
            secure = None
        elif secure is None:
            secure = SecurePorts(leg.ports, keys, self._counters, command.heard_ssrc, command.heard_to)
            self._bank.begin_keystream(leg.row)
        elif secure.keys != keys:
            secure.follow(int(self._bank.ssrc_in[leg.row]), self._bank.reception.reached(leg.row))
            if secure.change(keys):
                self._bank.begin_keystream(leg.row)
        leg.connect(secure, muxed=command.rtcp_mux)

    def close(self, leg: Leg, now: float) -> Call | None:
        """Take the leg away; its ports drain. Returns the call if this was its last leg."""
        self._reporter.remove(leg)
        self._receiver.remove(leg)
        self._ports.release(leg.ports, now)
        self._bank.give_back(leg.row)
        del self.legs[leg.leg_id]
        call = self.calls[leg.call_id]
        del call.legs[leg.leg_id]
        self.stale = True
        if call.legs:
            return None
        return self.calls.pop(leg.call_id)
