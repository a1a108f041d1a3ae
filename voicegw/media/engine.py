"""The media engine: one tick of 20 ms for all legs. Plain and synchronous; the worker or a test drives it.

A tick reads the sockets, decodes, detects speech (and pauses what it interrupts, before anything is sent), takes
the agents' audio, mixes, sends, and only then tells, taps and records. It never raises for anything that a peer,
a disk or a provider did: it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, assert_never

import numpy as np

from voicegw.audio.progress_detect import ToneDetector
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId, RandomBytes
from voicegw.base.metrics import Counters
from voicegw.call.edges import AGENT_EAR
from voicegw.media import messages as m
from voicegw.media.bank import LegBank
from voicegw.media.captures import Captures
from voicegw.media.config import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.crossing import Crossing
from voicegw.media.ear_level import Flags
from voicegw.media.echo import EchoWatch
from voicegw.media.filling import Pcm, Rows
from voicegw.media.key_tones import KeyTones
from voicegw.media.leg import Call, Leg
from voicegw.media.line import LineStage
from voicegw.media.plan import Plane, TickPlan
from voicegw.media.playout import Playout
from voicegw.media.quality import SPAN_S
from voicegw.media.receiver import RtpReceiver, end_keys
from voicegw.media.recordings import Recordings
from voicegw.media.reports import RtcpReporter
from voicegw.media.secure import SecurePorts
from voicegw.media.sender import Departure, RtpSender
from voicegw.media.sockets import Network, PortPool
from voicegw.media.speech import SpeechDetector, SpeechEdge
from voicegw.media.switchboard import Switchboard
from voicegw.media.taps import Taps
from voicegw.media.wide import CODECS as WIDE_CODECS
from voicegw.ports.capture import PacketSink
from voicegw.ports.line import LineProcessors
from voicegw.ports.recorder import Recorder
from voicegw.ports.vad import VadModel
from voicegw.rtp.telephone_event import DIGITS

_REPORT_TICKS: Final = 10
_TIMEOUT_TICKS: Final = 25
_QUALITY_TICKS: Final = round(SPAN_S * 1000 / FRAME_MS)
"""Each leg is rated once in so many ticks, few of them in each."""


class MediaEngine:
    """All legs of the worker. Times are monotonic seconds."""

    def __init__(
        self,
        config: MediaConfig,
        network: Network,
        clock: Clock,
        random: RandomBytes,
        recorder: Recorder,
        vad: VadModel | None,
        line: LineProcessors | None = None,
        captures: PacketSink | None = None,
    ) -> None:
        """``vad`` must have ``config.max_legs`` rows; without one no speech is detected. What telephones say is
        cleaned by what ``line`` makes."""
        self.config = config
        self.counters = Counters()
        self._recordings = Recordings(recorder, self.counters)
        self._captures = Captures(captures, clock, network.arrived_us)
        self._bank = LegBank(config, random)
        self._ports = PortPool(network, config.port_low, config.port_high, config.draining_s, random)
        self._receiver = RtpReceiver(self._bank, network, self.counters)
        self._reporter = RtcpReporter(self._bank, network, clock, random, config, self.counters)
        self._receiver.on_report = self._reporter.receive
        self._sender = RtpSender(self._bank, clock, self.counters)
        self._speech = SpeechDetector(config, vad) if vad is not None else None
        self._board = Switchboard(config, self._bank, self._ports, self._receiver, self._reporter, self.counters)
        cancels = config.line_processing.echo_cancel != "off"
        self.line = LineStage(config.max_legs, line, cancels=cancels)
        self._crossing = Crossing(config.max_legs, self._bank, self.line)
        self._tones = KeyTones(config.max_legs)
        self._progress = ToneDetector(config.max_legs)
        self._echo = EchoWatch(config.max_legs, config.echo)
        self._plan: TickPlan = self._board.plan()
        self._taps = Taps(config.tap_ms // FRAME_MS, config.ear_level_dbov)
        self._events: list[m.Event] = []
        self._ticks = 0
        self.before_departure: Callable[[], None] = _at_once
        """Called when the packets of a tick are ready: who drives the engine may let them wait a little."""
        self.on_settings: Callable[[m.ChangeSettings], None] = lambda _changed: None
        """Who has what is changed while the engine runs."""
        self.stopped = False
        """Shutdown was received."""
        self.departed_at = 0.0
        """When the last packet of this tick left, monotonic seconds; 0.0 while there are no legs."""

    @property
    def legs(self) -> int:
        """Open legs."""
        return len(self._board.legs)

    @property
    def ports_free(self) -> int:
        """Pairs of ports for new legs."""
        return self._ports.free

    def buffered_ms(self, leg_id: LegId) -> float:
        """How long what has arrived from a leg last waits for its turn; 0 for a leg that is not there."""
        leg = self._board.legs.get(leg_id)
        return 0.0 if leg is None else self._bank.jitter.delay_samples(leg.row) * 1000 / SAMPLE_RATE_HZ

    def use(self, config: MediaConfig) -> None:
        """Other settings from now on; ports, rows and what is compiled stay as they are. ``line`` has its own."""
        self.config = config
        self._board.use(config)
        self._echo.use(config)
        self._taps.use(config)
        if self._speech is not None:
            self._speech.use(config)

    def tell_reports(self, wanted: bool = True) -> None:
        """Whether RtcpPassed is told from now on."""
        self._reporter.on_passed = (lambda passed: self._events.append(passed)) if wanted else None

    def take_events(self) -> list[m.Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Close every leg, socket and file; for the end of the process."""
        for leg in list(self._board.legs.values()):
            self._close_leg(leg, 0.0)
        self._recordings.close()
        self._captures.close()
        self._tell_files(0.0)
        self._ports.close()
        self._receiver.close()
        self._reporter.close()

    # ------------------------------------------------------------ the tick

    def tick(self, now: float) -> None:
        """Run one frame of media time."""
        self._ticks += 1
        self._receive(now)
        self._change_codecs()
        plan = self._current_plan(now)
        self.departed_at = 0.0
        if plan.legs:
            heard = self._crossing.hear()
            self._detect_speech(plan, heard, now)
            self._detect_tones(plan, self._crossing.as_came, now)
            playing = self._take_playouts(plan)
            mixed = [plane.mix.mix(plane.sources) for plane in plan.planes]
            narrow, wide = self._crossing.speak(mixed)
            self._add_tones(narrow, wide)
            self._sender.prepare(narrow, wide, self._events)
            self.before_departure()
            departure = self._sender.depart()
            self.departed_at = departure.last_at
            self._settle_playouts(plan, playing, departure)
            shipped = (self._crossing.narrow, narrow), (self._crossing.wide, wide)
            self._echo.sent(plan.rows, *shipped)
            if self.line.busy:
                self.line.sent(plan.rows, *shipped)
            self._bank.elapsed += FRAME_SAMPLES
            self._tap(plan, mixed)
            self._recordings.write(plan, mixed)
        self._housekeep(now)

    def skip_frames(self, frames: int) -> None:
        """Media time that went by without ticks, because the process was held up too long to catch up."""
        rows = self._plan.rows
        self._bank.elapsed += frames * FRAME_SAMPLES
        self._bank.jitter.skip(rows, frames)
        self._recordings.skip(self._plan, frames)
        self.counters.add("lost_frames", frames * (len(self._crossing.narrow) + len(self._crossing.wide)))

    def _receive(self, now: float) -> None:
        events = self._receiver.drain(now)
        self._reporter.read(now)
        if events:
            self._events += events
            if any(isinstance(event, m.MediaLatched) for event in events):
                self._board.stale = True  # the target of a leg changed

    def _change_codecs(self) -> None:
        """Some legs may receive another codec now than before."""
        for row in self._bank.take_changes():
            leg = self._board.leg_of_row(row)
            if leg is not None:
                self._crossing.leave(row)
                leg.wide_in = self._bank.received.current[row] in WIDE_CODECS
                self._board.stale = True

    def _current_plan(self, now: float) -> TickPlan:
        if self._board.stale or self._sender.stale:
            self._tell_taps()  # what was heard before is told before
            self._plan = self._board.plan()
            self._crossing.plan(self._plan)
            self.line.plan(self._plan.legs)
            self._sender.plan(self._crossing.narrow, self._crossing.wide)
            for call in self._board.calls.values():
                if call.before is not None:
                    call.before = None
                    self._board.stale = True  # this plan is for the frame of the change only
                if not call.mixed:
                    call.mixed = True
                    self._events.append(m.MixChanged(call.call_id, call.edges, now))
        return self._plan

    def _detect_speech(self, plan: TickPlan, heard: Pcm, now: float) -> None:
        if self._speech is None or not len(plan.listening):
            return
        everyone = len(plan.listening) == len(plan.rows)
        rows = plan.rows if everyone else plan.rows[plan.listening]
        frames = heard if everyone else heard[plan.listening]
        edges = self._speech.process(rows, frames, now, self._own(plan, rows, frames))
        if edges:
            self._tell_taps()
        for edge in edges:
            self._tell_speech(plan.leg_of_row[edge.row], edge, now)

    def _own(self, plan: TickPlan, rows: Rows, frames: Pcm) -> Flags | None:
        """Which of the frames are more than echo can be."""
        if not self.line.busy:
            return self._echo.own(rows, frames)
        came = self._crossing.as_came[plan.listening]
        return self.line.own(rows, frames, self._echo.own(rows, came))

    def _tell_speech(self, leg: Leg, edge: SpeechEdge, now: float) -> None:
        # The frame that is heard now came into the jitter buffer this much ago: the caller spoke then.
        at = edge.at - self._bank.jitter.delay_samples(edge.row) / SAMPLE_RATE_HZ
        if edge.pause:
            self._events.append(m.SpeechPaused(leg.leg_id, now, at))
            return
        if not edge.started:
            self._events.append(m.SpeechStopped(leg.leg_id, now, at))
            return
        call = self._board.calls[leg.call_id]
        heard_by_agent = any(source == leg.leg_id and sink == AGENT_EAR for source, sink, _ in call.edges)
        paused: list[m.Event] = []
        if heard_by_agent and call.playout.interruptible:
            paused = call.playout.pause(now)
        self._events.append(m.SpeechStarted(leg.leg_id, now, at, bool(paused)))
        self._events += paused

    def _detect_tones(self, plan: TickPlan, heard: Pcm, now: float) -> None:
        if len(plan.called):
            for row, tone in self._progress.process(plan.rows[plan.called], heard[plan.called]):
                self._events.append(m.ToneHeard(plan.leg_of_row[row].leg_id, tone.value, now))
        for press in self._tones.hear(plan.rows[plan.toned], heard[plan.toned]):
            leg_id = plan.leg_of_row[press.row].leg_id
            self._events.append(m.DtmfReceived(leg_id, press.digit, press.duration_ms))

    def _add_tones(self, narrow: Pcm, wide: Pcm) -> None:
        done = [*self._tones.fill(self._crossing.narrow, narrow), *self._tones.fill(self._crossing.wide, wide)]
        if done:
            self._events += done
            self._board.stale = True  # its playout goes on

    def _take_playouts(self, plan: TickPlan) -> list[tuple[Playout, int]]:
        """Fill the playout sources; those that are to be settled. A call that nobody can be sent to now waits: its
        audio would be lost."""
        playing = []
        for plane in plan.planes:
            plane.sources[len(plane.legs) :] = 0
            playing += [(playout, row) for playout, row, frame in plane.playouts if playout.fill(frame)]
            plane.beds.lay(plane.sources)
        return playing

    def _settle_playouts(self, plan: TickPlan, playing: list[tuple[Playout, int]], departure: Departure) -> None:
        if departure.failed:
            for playout, row, _ in (one for plane in plan.planes for one in plane.playouts):
                if row in departure.failed:
                    playout.take_back()
        for playout, row in playing:
            at = departure.at(row)
            events = playout.settle(departure.last_at if at is None else at, sent=at is not None)
            if events:
                self._events += events

    def _tap(self, plan: TickPlan, mixed: Sequence[Pcm]) -> None:
        for plane, sinks in zip(plan.planes, mixed, strict=True):
            self._taps.add(plane.taps, sinks, plane.rate_hz, self._speaking(plane))
        batch = self._taps.end_tick()
        if batch is not None:
            self._events.append(batch)

    def _speaking(self, plane: Plane) -> Flags | None:
        """Whether whom each ear hears is speaking; no level is learned where nothing tells."""
        return None if self._speech is None else self._speech.speaking[plane.tapped]

    def _tell_taps(self) -> None:
        """Now, because what is told next is about it."""
        batch = self._taps.take()
        if batch is not None:
            self._events.append(batch)

    def _housekeep(self, now: float) -> None:
        """What is not audio, spread over the ticks."""
        for leg in self._plan.legs[self._ticks % _QUALITY_TICKS :: _QUALITY_TICKS]:
            rated = self._reporter.rate(leg, now)
            if rated is not None:
                self._events.append(rated)
            if leg.secure is not None:
                self._follow_keystream(leg, leg.secure)
        if self._ticks % _REPORT_TICKS == 0:
            self._reporter.run(now)
            self._tell_files(now)
        elif self._ticks % _TIMEOUT_TICKS == 1:
            self._ports.reap(now)
            self._find_silent(now)

    def _follow_keystream(self, leg: Leg, secure: SecurePorts) -> None:
        bank = self._bank
        if secure.follow(int(bank.ssrc_in[leg.row]), bank.reception.reached(leg.row)):
            self._events.append(m.KeystreamReached(leg.leg_id, *secure.stream))

    def _find_silent(self, now: float) -> None:
        """Legs that should receive and do not; not those on hold."""
        bank, plan = self._bank, self._plan
        last = np.maximum(bank.heard_at[plan.rows], bank.reported_at[plan.rows])
        silent_ms = np.where(bank.receiving[plan.rows], (now - last) * 1000, 0)
        timeout_ms = self.config.no_media_timeout_ms
        for place in np.flatnonzero(silent_ms >= timeout_ms):
            leg = plan.legs[place]
            spans = int(silent_ms[place] // timeout_ms)
            if spans > leg.timeouts:
                self._events.append(m.MediaTimedOut(leg.leg_id, int(silent_ms[place])))
            leg.timeouts = spans

    def _tell_files(self, now: float) -> None:
        if captured := self._captures.poll(self._board.calls.get):
            self._events += captured
            self._board.stale = True
        self._events += self._recordings.poll(now)

    # ------------------------------------------------------------ commands

    def handle(self, command: m.Command, now: float) -> None:
        """Carry out one command; what is wrong with it is an event or a counter."""
        match command:
            case m.OpenLeg():
                self._open_leg(command, now)
            case m.ConfigureLeg() | m.CloseLeg() | m.SendDtmf() | m.ProbeLeg():
                self._with_leg(command, now)
            case m.SetMix() | m.QueueAudio() | m.PausePlayout() | m.ResumePlayout() | m.CutPlayout():
                self._with_call(command, now)
            case m.StartRecording(call_id, path):
                self._start_recording(call_id, path)
            case m.StopRecording(call_id, discard):
                self._stop_recording(self._board.calls.get(call_id), discard=discard)
            case m.StartCapture() | m.ChangeCapture() | m.CaptureMessage() | m.StopCapture():
                self._capture(command)
            case m.ChangeSettings():
                self.on_settings(command)
            case m.Shutdown():
                self.stopped = True
            case _:
                assert_never(command)

    def _capture(self, command: m.StartCapture | m.ChangeCapture | m.CaptureMessage | m.StopCapture) -> None:
        call = self._board.calls.get(command.call_id)
        match command:
            case m.StartCapture():
                self._events += self._captures.start(command, call)
                self._board.stale = True
            case m.StopCapture(call_id, discard):
                self._captures.stop(call_id, call, discard=discard)
                self._board.stale = True
            case _:
                self._captures.change(command)

    def _open_leg(self, command: m.OpenLeg, now: float) -> None:
        try:
            leg = self._board.open(command, now)
        except LocalError as error:
            self._events.append(m.LegFailed(command.leg_id, str(error)))
            return
        if self._speech is not None:
            self._speech.reset(leg.row)
        self._crossing.reset(leg.row)
        self.line.reset(leg.row)
        self._echo.reset(leg.row)
        self._tones.reset(leg.row)
        self._progress.reset(leg.row)
        self._events.append(m.LegOpened(leg.leg_id, leg.ports.port))

    def _with_leg(self, command: m.ConfigureLeg | m.CloseLeg | m.SendDtmf | m.ProbeLeg, now: float) -> None:
        leg = self._board.legs.get(command.leg_id)
        if leg is None:
            self.counters.add("commands_for_unknown_leg")
            return
        match command:
            case m.ConfigureLeg():
                self._configure_leg(leg, command, now)
            case m.CloseLeg():
                self._close_leg(leg, now)
            case m.SendDtmf():
                self._send_dtmf(leg, command)
            case m.ProbeLeg():
                self._events.append(self._reporter.probe(leg, now))

    def _configure_leg(self, leg: Leg, command: m.ConfigureLeg, now: float) -> None:
        try:
            self._board.configure(leg, command, now)
        except LocalError as error:
            self._events.append(m.LegFailed(leg.leg_id, str(error)))
            return
        if not (command.receive and command.vad):
            self._end_speech(leg, now)

    def _close_leg(self, leg: Leg, now: float) -> None:
        end_keys(leg, self._events)
        self._end_speech(leg, now)
        stats = self._reporter.stats(leg)
        call = self._board.close(leg, now)
        if call is not None:
            for voice in call.voices.values():
                self._events += voice.playout.cut(now)
            self._stop_recording(call)
        self._events.append(m.LegClosed(leg.leg_id, stats, leg.ports.port, *(leg.latch.target or ("", 0))))

    def _end_speech(self, leg: Leg, now: float) -> None:
        edge = self._speech.close(leg.row, now) if self._speech is not None else None
        if edge is not None:
            self._tell_speech(leg, edge, now)

    def _send_dtmf(self, leg: Leg, command: m.SendDtmf) -> None:
        """Queue digits. What cannot be sent is answered at once with no digits, so that nobody waits for it."""
        toned = leg.settings is not None and leg.settings.inband_keys
        possible = (leg.key_payload_type >= 0 or toned) and leg.sending and command.digits
        if not possible or any(digit not in DIGITS for digit in command.digits.upper()):
            self.counters.add("dtmf_not_sendable")
            self._events.append(m.DtmfSent(leg.leg_id, ""))
            return
        if leg.key_payload_type >= 0:
            leg.keys_waiting.append(command)
        else:
            self._tones.send(leg, command)
        self._board.stale = True

    def _with_call(
        self,
        command: m.SetMix | m.QueueAudio | m.PausePlayout | m.ResumePlayout | m.CutPlayout,
        now: float,
    ) -> None:
        call = self._board.calls.get(command.call_id)
        if call is None:
            self.counters.add("commands_for_unknown_call")
            return
        match command:
            case m.SetMix(edges=edges):
                call.set_edges(edges)
                self._board.stale = True
            case m.QueueAudio():
                self._queue_audio(call, command)
            case m.PausePlayout(voice=name):
                self._events += call.voices[name].playout.pause(now) if name in call.voices else []
            case m.ResumePlayout(voice=name):
                self._events += call.voices[name].playout.resume(now) if name in call.voices else []
            case m.CutPlayout(voice=name):
                self._events += call.voices[name].playout.cut(now) if name in call.voices else []

    def _queue_audio(self, call: Call, command: m.QueueAudio) -> None:
        if command.voice not in call.voices:
            self._board.stale = True
        accepted = call.voice(command.voice).playout.append(
            command.utterance_id,
            command.pcm,
            final=command.final,
            interruptible=command.interruptible,
            rate_hz=command.rate_hz,
        )
        if not accepted:
            self.counters.add("stale_audio_refused")

    def _start_recording(self, call_id: CallId, path: str) -> None:
        failed = self._recordings.start(call_id, path, self._board.calls.get(call_id))
        if failed is not None:
            self._events.append(failed)
        self._board.stale = True

    def _stop_recording(self, call: Call | None, *, discard: bool = False) -> None:
        if self._recordings.stop(call, discard=discard):
            self._board.stale = True


def _at_once() -> None:
    """Packets leave as soon as they are ready."""
