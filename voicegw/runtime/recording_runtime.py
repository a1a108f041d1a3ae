"""A recording session (SIPREC): a call in which nobody of ours speaks. Each stream is recorded and written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from voicegw.base.ids import CallId, LegId, token
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call import recording_call as r
from voicegw.call.consent import RecordingPolicy
from voicegw.call.edges import RECORDED_OUT
from voicegw.call.recording_facts import StreamHasEnded, StreamWasAgreed, StreamWasPaused
from voicegw.call.supervision import SupervisorInput
from voicegw.gateway.events import LegMetadata, LegStreamsChanged, LegStreamsOffered
from voicegw.media import messages as m
from voicegw.ports.asr import AsrOptions
from voicegw.runtime import mail as mail_types
from voicegw.runtime.call_runtime import CallRuntime
from voicegw.runtime.introduction import limited
from voicegw.runtime.offer import Offer
from voicegw.runtime.orders import MoveCall, Ordered, Supervise, WhisperText
from voicegw.runtime.recording_notes import RecordingNotes
from voicegw.runtime.services import CallServices
from voicegw.runtime.side_voices import SideVoices
from voicegw.runtime.stream_ears import Speaker, StreamEars
from voicegw.runtime.supervision import SupervisionDesk, SupervisionLinks
from voicegw.sdp.negotiate import MediaSession
from voicegw.sdp.recording import RecordedStream

_NOBODY_THERE = "others are recorded in this call: it can be listened to and ended, and nothing else"


class RecordingRuntime(CallRuntime):
    """The call task of a recording session."""

    def __init__(
        self,
        call_id: CallId,
        offer: Offer,
        services: CallServices,
        on_gone: Callable[[CallId], None],
        adopt: Callable[[CallRuntime, LegId], None],
    ) -> None:
        # People talk here, and not with a bot: for as long as those who were connected by us.
        config = replace(services.call_config, max_duration_s=services.call_config.max_bridged_s)
        self._session = r.RecordingMachine(limited(config, offer.max_call_s), services.supervision)
        super().__init__(call_id, offer, services, on_gone, adopt, self._session)
        self._moving = False
        """Some of its streams are elsewhere than the client knows."""
        self._notes = RecordingNotes(self._book, services.counters)
        self._ears = StreamEars(call_id, services, self._tasks, self._book, self.post, self._speaker)

    @property
    def leg_ids(self) -> tuple[LegId, ...]:
        """All legs, the streams among them: whatever ends this call gives their ports back."""
        return (*super().leg_ids, *(stream.leg_id for stream in self._session.streams))

    # ------------------------------------------------------------ the mailbox

    def handle(self, mail: mail_types.Mail) -> None:
        """Handle one thing now."""
        match mail:
            case mail_types.RecordingClientSaid(LegMetadata(body=document)):
                self._notes.describe(document)
            case mail_types.RecordingClientSaid(LegStreamsOffered(places=places)):
                ids = tuple((place, LegId(token(self._services.random, 16))) for place in places)
                self._tell(r.StreamsOffered(ids))
            case mail_types.RecordingClientSaid(LegStreamsChanged(streams=streams)):
                self._agreed(streams)
            case Ordered() if not _is_possible(mail):
                mail.refuse(_NOBODY_THERE)
            case m.SpeechStarted() if self._session.stream_of(mail.leg_id) is not None:
                super().handle(e.MediaHeard(mail.leg_id))
                super().handle(mail)
            case mail_types.AsrReported() if self._side.others is not None:
                self._side.others.on_asr(mail)
            case m.LegMoved() if self._session.stream_of(mail.leg_id) is not None:
                self._stream_moved(mail)
            case mail_types.StreamsMoved():
                self._go_on()
            case m.LegClosed():
                super().handle(mail)
                self._record.streams.pop(mail.leg_id, None)
            case _:
                super().handle(mail)

    def _tell(self, event: r.RecordingEvent) -> None:
        self._obey(self._session.handle_recording(event, self._services.clock.monotonic()))

    def _conclude(self) -> None:
        super()._conclude()
        del self._ears  # they know us, as others do that are let go there

    # ------------------------------------------------------------ commands of the call machine

    def _carry_out(self, command: c.CallCommand) -> None:
        match command:
            case c.OpenMedia(leg_id) if self._session.stream_of(leg_id) is not None:
                self._legs.open_beside(leg_id, self.leg_id)
            case c.AnswerLeg(leg_id) if leg_id == self.leg_id:
                self._answer_streams()
            case c.StopAgent():
                self._recorder.stop()
                self._ears.finish_all()
                super()._carry_out(command)
            case c.CloseMedia(leg_id):
                self._ears.finish(leg_id)
                super()._carry_out(command)
            case _:
                super()._carry_out(command)

    def _start_agent(self, _name: str, *, early: bool) -> None:
        """Nobody is started: the recorder is, and whoever may listen."""
        language = self._language
        self._recorder.begin(self._record_as or RecordingPolicy.ALWAYS, early=early)
        links = SupervisionLinks(self._machine.supervisors, self.post, lambda _note: None, self.call_id)
        heard = AsrOptions(language)
        supervision = SupervisionDesk(self._services, heard, self._tasks, self._book, links)
        self._side.others = SideVoices(supervision, self._ears, self.leg_id)
        self._orders.begin(None, None, supervision)
        # What an agent's vocabulary is prepared for at the start; nobody waits for it, and it may fail in peace.
        self._tasks.spawn("prepare recogniser", self._services.asr.prepare(heard), lambda _reason: None)

    @property
    def _language(self) -> str:
        return self._routed.languages[0] if self._routed is not None and self._routed.languages else ""

    # ------------------------------------------------------------ streams

    def _answer_streams(self) -> None:
        """Every stream has its port: answer, or take it that all stays as it was."""
        local_ip, ports = self._ports()
        streams = self._services.signalling.accept_streams(self.leg_id, local_ip, ports)
        if streams is None:
            self._tell(r.StreamsRefused())
        else:
            self._agreed(streams)

    def _agreed(self, streams: tuple[RecordedStream, ...]) -> None:
        """These streams there are from now on. Their audio is told to the worker after who hears it."""
        before = {stream.leg_id: stream for stream in map(replace, self._session.streams)}
        if streams and not self._machine.legs[self.leg_id].agreed:
            first = streams[0].session
            self._book.note(f.CallWasAnswered(first.codec, f"{first.remote_ip}:{first.remote_port}"))
        self._tell(r.StreamsAgreed(tuple(self._told(one) for one in streams)))
        sessions = {one.place: one.session for one in streams}
        for stream in self._session.streams:
            if (session := sessions.get(stream.place)) is not None:
                self._configure(stream, session, before.get(stream.leg_id))
            elif stream.leg_id in self._legs.sessions:  # the last one, which stays for the sake of the recording
                self._pause(stream, before.get(stream.leg_id))
        kept = {stream.leg_id for stream in self._session.streams}
        for leg_id, gone in before.items():
            if leg_id not in kept and gone.sink:
                self._book.note(StreamHasEnded(self._record.streams[leg_id]))

    def _stream_moved(self, moved: m.LegMoved) -> None:
        """Its media worker died, and another one goes on. The other streams follow at once: the client is told of
        all of them together."""
        self._book.note(f.MediaHasMoved("stream"))
        self._legs.settle(moved.leg_id, moved.port)
        if not self._moving:
            self._moving = True
            self.post(mail_types.StreamsMoved())

    def _go_on(self) -> None:
        self._moving = False
        self._recorder.go_on("the media worker failed")
        self._capture.lose("the media worker failed")
        local_ip, ports = self._ports()
        self._services.signalling.move_streams(self.leg_id, local_ip, ports)

    def _ports(self) -> tuple[str, dict[int, int]]:
        """Where the streams are received, by the numbers of their sections."""
        places = {stream.place: self._legs.place_of(stream.leg_id) for stream in self._session.streams}
        return next((ip for ip, _ in places.values()), ""), {place: port for place, (_, port) in places.items()}

    def _told(self, stream: RecordedStream) -> r.AgreedStream:
        who = self._notes.speaker(stream.label)
        return r.AgreedStream(stream.place, stream.label, who.participant, stream.session.receive)

    def _configure(self, stream: r.Stream, session: MediaSession, before: r.Stream | None) -> None:
        label = self._record.streams[stream.leg_id] = stream.label or str(stream.place)
        if before is None or not before.sink:
            side = "right" if stream.sink == RECORDED_OUT else "left"
            remote = f"{session.remote_ip}:{session.remote_port}"
            self._book.note(StreamWasAgreed(label, side, session.codec, remote))
            self._ears.language = self._language
            self._ears.listen(stream.leg_id)
        if stream.flows != (before.flows if before is not None and before.sink else True):
            self._book.note(StreamWasPaused(label, not stream.flows))
        if self._legs.sessions.get(stream.leg_id) != session:
            self._legs.configure(stream.leg_id, session)

    def _pause(self, stream: r.Stream, before: r.Stream | None) -> None:
        self._legs.configure(stream.leg_id, replace(self._legs.sessions[stream.leg_id], receive=False))
        if before is not None and before.flows:
            self._book.note(StreamWasPaused(self._record.streams[stream.leg_id], True))

    # ------------------------------------------------------------ the record

    def _speaker(self, leg_id: LegId) -> Speaker:
        return self._notes.speaker(self._record.streams.get(leg_id, ""))


def _is_possible(ordered: Ordered) -> bool:
    """Whether there is anything to order so where nobody can be talked with."""
    match ordered.order:
        case Supervise(wanted=wanted):
            return wanted is SupervisorInput.LISTEN
        case WhisperText() | MoveCall():
            return False
        case _:
            return True
