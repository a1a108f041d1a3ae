"""One call: a mailbox, a task, and the call machine's commands carried out. It owns every decision of the call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from voicegw.agents.agent import CallFacts
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.base.log import call_id_var
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.machine import CallMachine
from voicegw.media import messages as m
from voicegw.runtime import mail as mail_types
from voicegw.runtime.conversation import Conversation, ConversationLinks
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks
from voicegw.sdp.negotiate import MediaSession, NotAcceptable

log = logging.getLogger(__name__)

CLOSING_S = 2.0
"""How long the record waits for the media worker's last words (statistics, the recording's name)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the INVITE said."""

    leg_id: LegId
    sip_call_id: str
    called: str
    calling: str
    display_name: str
    headers: Mapping[str, str]


class CallRuntime:
    """The call task. Others reach it by :meth:`post` and :meth:`hear` only."""

    def __init__(
        self, call_id: CallId, offer: Offer, services: CallServices, on_gone: Callable[[CallId], None]
    ) -> None:
        self.call_id = call_id
        self.leg_id = offer.leg_id
        self._offer = offer
        self._services = services
        self._on_gone = on_gone
        self._machine = CallMachine(services.call_config)
        self._mailbox: asyncio.Queue[mail_types.Mail] = asyncio.Queue()
        self._tasks = ChildTasks()
        self._book = LogBook(call_id, services.clock, services.facts, services.on_fact)
        self._conversation: Conversation | None = None
        self._session: MediaSession | None = None
        self._held = False
        self._cause: HangupCause | None = None
        self._closing_at: float | None = None
        self._open_ends: set[str] = set()
        self._routed: f.CallWasRouted | None = None
        self._recording = ""
        self._media_lost = False

    def post(self, mail: mail_types.Mail) -> None:
        """Put something into the mailbox; it is handled in the order of arrival."""
        self._mailbox.put_nowait(mail)

    def hear(self, pcm: bytes) -> None:
        """20 ms of the caller's audio."""
        if self._conversation is not None:
            self._conversation.hear(pcm)

    async def run(self) -> None:
        """Live until the record is closed. The boundary of the call: whatever fails inside ends this call only."""
        call_id_var.set(self.call_id)
        try:
            self._note_offer()
            if self._routed is not None:
                self._book.note(self._routed)
            while not self.closed:
                await self._handle_next()
        except Exception:  # one of the three boundaries of DESIGN §6
            log.exception("call task failed")
            self._services.counters.add("call_task_failed")
            self._services.signalling.hangup(self.leg_id, HangupCause.INTERNAL_ERROR)
            self._services.media.send(m.CloseLeg(self.leg_id))
            self._cause = HangupCause.INTERNAL_ERROR
        finally:
            await self._tasks.close()
            self._close_record()
            # It knows us by our mailbox: without this cycle the memory of a call, its last seconds of audio
            # included, is free now and not when the garbage collector comes by.
            self._conversation = None
            self._on_gone(self.call_id)

    # ------------------------------------------------------------ the mailbox

    @property
    def closed(self) -> bool:
        """Whether the record can be closed."""
        if self._closing_at is None:
            return False
        return not self._open_ends or self._services.clock.monotonic() >= self._closing_at

    async def _handle_next(self) -> None:
        timer = self.get_timer()
        timeout = None if timer is None else max(0.0, timer - self._services.clock.monotonic())
        try:
            async with asyncio.timeout(timeout):
                mail = await self._mailbox.get()
        except TimeoutError:
            self.handle_timers()
            return
        self.handle(mail)

    def handle_waiting(self) -> int:
        """Handle all that waits in the mailbox and return how much it was."""
        count = 0
        while not self._mailbox.empty():
            self.handle(self._mailbox.get_nowait())
            count += 1
        return count

    def get_timer(self) -> float | None:
        """When :meth:`handle_timers` is due, or None."""
        conversation = self._conversation.get_timer() if self._conversation else None
        timers = (self._machine.get_timer(), conversation, self._closing_at)
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timers(self) -> None:
        """Act on every deadline that has come."""
        self._obey(self._machine.handle_timer(self._services.clock.monotonic()))
        if self._conversation is not None:
            self._conversation.handle_timer()

    def handle(self, mail: mail_types.Mail) -> None:
        """Handle one thing now."""
        match mail:
            case mail_types.MediaChanged(session):
                self._session_agreed(session)
            case (
                mail_types.AsrReported()
                | mail_types.EndOfTurnEstimated()
                | mail_types.AgentActed()
                | mail_types.AgentReplied()
                | mail_types.SentenceBegun()
                | mail_types.SpeechMade()
                | mail_types.SpeechDone()
            ):
                self._handle_child(mail)
            case m.Message():
                self._handle_media(mail)
            case e.MediaLost():
                self._lose_media()
                self._obey(self._machine.handle(mail, self._services.clock.monotonic()))
            case _:
                self._obey(self._machine.handle(mail, self._services.clock.monotonic()))

    def _handle_child(self, mail: mail_types.ChildMail) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        match mail:
            case mail_types.AsrReported():
                conversation.on_asr(mail)
            case mail_types.EndOfTurnEstimated():
                conversation.on_end_estimated(mail)
            case mail_types.AgentActed():
                conversation.on_action(mail)
            case mail_types.AgentReplied():
                conversation.on_replied(mail)
            case mail_types.SentenceBegun() | mail_types.SpeechMade() | mail_types.SpeechDone():
                conversation.on_speech(mail)
            case _:
                assert_never(mail)

    def _handle_media(self, mail: mail_types.MediaMail) -> None:
        match mail:
            case m.LegClosed():
                self._open_ends.discard("leg")
                self._note_statistics(mail.stats)
            case m.RecordingEnded():
                self._open_ends.discard("recording")
                self._book.note(f.RecordingHasEnded(mail.path, mail.samples, mail.dropped_samples))
            case m.RecordingFailed():
                self._open_ends.discard("recording")
                self._services.counters.add("recording_failed")
                self._book.note(f.RecordingHasFailed(mail.path, mail.reason))
                log.error("recording failed, the call goes on", extra={"path": mail.path, "reason": mail.reason})
            case m.MediaTimedOut():
                self.handle(e.MediaSilent(mail.leg_id, mail.silent_ms))
            case _:
                if self._conversation is not None:
                    self._conversation.on_media(mail)

    # ------------------------------------------------------------ commands of the call machine

    def _obey(self, commands: list[c.CallCommand]) -> None:
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: c.CallCommand) -> None:
        signalling = self._services.signalling
        match command:
            case c.SendRinging(leg_id):
                signalling.ring(leg_id)
            case c.OpenMedia(leg_id):
                self._tasks.spawn(
                    "open media", self._open_media(leg_id), lambda _: self.post(e.MediaRefused(leg_id))
                )
            case c.AnswerLeg(leg_id):
                self._answer(leg_id)
            case c.RejectLeg(leg_id, cause):
                signalling.reject(leg_id, cause)
            case c.EndLeg(leg_id, cause):
                signalling.hangup(leg_id, cause)
            case c.CloseMedia(leg_id):
                self._close_media(leg_id)
            case c.StartAgent(agent):
                self._start_agent(agent)
            case c.PartFromCaller(cause):
                if self._conversation is not None:
                    self._conversation.part(cause)
            case c.StopAgent():
                if self._conversation is not None:
                    self._conversation.stop()
            case c.FinishCall(cause):
                self._cause = cause
                self._closing_at = self._services.clock.monotonic() + CLOSING_S
            case _:
                assert_never(command)

    async def _open_media(self, leg_id: LegId) -> None:
        signalling = self._services.signalling
        try:
            self._media_ip = signalling.media_address(leg_id)
            bind_ip = signalling.media_bind_address(leg_id)
            self._media_port = await self._services.media.open_leg(leg_id, self.call_id, bind_ip)
        except LocalError as error:
            log.warning("no media for this call: %s", error)
            self.post(e.MediaRefused(leg_id))
            return
        self.post(e.MediaOpened(leg_id))

    def _close_media(self, leg_id: LegId) -> None:
        if self._media_lost:
            return
        if "recording" in self._open_ends:
            self._services.media.send(m.StopRecording(self.call_id))
        self._services.media.send(m.CloseLeg(leg_id))
        self._open_ends.add("leg")

    def _lose_media(self) -> None:
        """The worker is gone, and with it everything that it was still to report."""
        self._media_lost = True
        self._give_up_recording("the media worker failed")
        self._open_ends.clear()

    def _give_up_recording(self, reason: str) -> None:
        if "recording" in self._open_ends:
            self._open_ends.discard("recording")
            self._book.note(f.RecordingHasFailed(self._recording, reason))

    def _answer(self, leg_id: LegId) -> None:
        try:
            session = self._services.signalling.accept(leg_id, self._media_ip, self._media_port)
        except NotAcceptable:
            return  # The gateway has sent 488; LegEnded follows and cleans up.
        if session is not None:
            self._session_agreed(session)

    def _session_agreed(self, session: MediaSession) -> None:
        if self._session is None:
            self._book.note(f.CallWasAnswered(session.codec, f"{session.remote_ip}:{session.remote_port}"))
        held = not session.send
        if held != self._held:
            self._held = held
            self._book.note(f.CallWasHeld(held))
        was_held = self._session is not None and not self._session.send
        self._session = session
        self._configure_leg(session)
        self.handle(e.SessionAgreed(self.leg_id, held=held))
        if self._conversation is not None and held != was_held:
            if held:
                self._conversation.hold()
            else:
                self._conversation.resume()

    def _configure_leg(self, session: MediaSession) -> None:
        self._services.media.send(
            m.ConfigureLeg(
                self.leg_id,
                session.remote_ip,
                session.remote_port,
                session.codec,
                session.payload_type,
                dtmf_payload_type=session.dtmf_payload_type,
                receive_payload_type=session.receive_payload_type,
                dtmf_receive_payload_type=session.dtmf_receive_payload_type,
                ptime_ms=session.ptime_ms,
                send=session.send,
                receive=session.receive,
            )
        )

    def _start_agent(self, name: str) -> None:
        media, leg = self._services.media, self.leg_id
        edges = ((leg, "agent_ear", 1.0), (leg, "rec_in", 1.0), ("agent", leg, 1.0), ("agent", "rec_out", 1.0))
        media.send(m.SetMix(self.call_id, edges))
        if self._services.recordings is not None:
            self._recording = str(self._services.recordings / f"{self.call_id}.wav")
            media.send(m.StartRecording(self.call_id, self._recording))
            self._open_ends.add("recording")
        offer = self._offer
        facts = CallFacts(self.call_id, offer.called, offer.calling, offer.headers)
        links = ConversationLinks(self.post, lambda cause: self.post(e.AgentFinished(cause)), leg)
        self._conversation = Conversation(
            self._services.agents[name], facts, self._services, self._tasks, self._book, links
        )
        self._conversation.start()

    # ------------------------------------------------------------ the record

    def note_route(self, route: str, agent: str) -> None:
        """The dialplan's decision, for the record: taken before the call task begins, written after the offer."""
        self._routed = f.CallWasRouted(route, agent)

    def _note_offer(self) -> None:
        offer = self._offer
        started = datetime.fromtimestamp(self._services.clock.wall(), UTC).isoformat(timespec="milliseconds")
        self._book.note(
            f.CallWasOffered(
                self.call_id, offer.sip_call_id, offer.called, offer.calling, offer.display_name, started
            )
        )

    def _note_statistics(self, stats: m.LegStats) -> None:
        self._book.note(
            f.MediaWasMeasured(
                stats.packets_sent,
                stats.packets_received,
                stats.packets_lost,
                stats.packets_late,
                stats.packets_rejected,
                stats.jitter_ms,
            )
        )

    def _close_record(self) -> None:
        self._give_up_recording("the recorder did not report its end in time")
        cause = (self._cause or HangupCause.INTERNAL_ERROR).value
        duration_ms = self._book.position_ms(self._services.clock.monotonic())
        self._book.note(
            f.CallHasEnded(cause.name, cause.side.value, cause.failure, cause.q850, cause.text, duration_ms)
        )
        self._book.close()
        log.info("call ended", extra={"cause": cause.name, "duration_ms": duration_ms})
