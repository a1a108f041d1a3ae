"""One call: the call machine's commands carried out. It owns every decision of the call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import assert_never

from voicegw.agents.agent import Agent, CallFacts
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.censor import Censor
from voicegw.call.consent import RecordingPolicy
from voicegw.call.edges import AGENT_EAR, Edge
from voicegw.call.machine import CallMachine
from voicegw.gateway.events import (
    LegBarred,
    LegKeysSent,
    LegMessage,
    LegReferralFailed,
    LegReferred,
    LegReplaced,
    LegTrunkFailed,
)
from voicegw.gateway.tolls.calls import Payer
from voicegw.media import messages as m
from voicegw.ports.tracing import trace_var
from voicegw.runtime import mail as mail_types
from voicegw.runtime.agent_gate import Reason
from voicegw.runtime.agent_side import AgentSide
from voicegw.runtime.call_capture import CallCapture
from voicegw.runtime.call_legs import Caller, CallLegs
from voicegw.runtime.call_orders import OrderDesk
from voicegw.runtime.call_recorder import CallRecorder
from voicegw.runtime.call_task import CallTask
from voicegw.runtime.closing import Closing
from voicegw.runtime.conversation_links import ConversationLinks
from voicegw.runtime.far_ends import FarEndChange, fact_of
from voicegw.runtime.introduction import limited, signalled
from voicegw.runtime.line_watch import LineWatch
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.look_up import LookUp
from voicegw.runtime.offer import Offer
from voicegw.runtime.orders import Ordered
from voicegw.runtime.record_keeper import RecordKeeper
from voicegw.runtime.services import CallServices
from voicegw.runtime.tone_causes import TONE_CAUSES
from voicegw.runtime.transfers import failed_turn
from voicegw.sdp.negotiate import MediaSession

log = logging.getLogger(__name__)


class CallRuntime(CallTask):
    """The call task. Others reach it by :meth:`post` and :meth:`hear` only."""

    def __init__(
        self,
        call_id: CallId,
        offer: Offer,
        services: CallServices,
        on_gone: Callable[[CallId], None],
        adopt: Callable[[CallRuntime, LegId], None],
        machine: CallMachine | None = None,
    ) -> None:
        """``machine``: for a call that goes by other rules than those of caller and agent."""
        super().__init__(call_id, services)
        self.leg_id = offer.leg_id
        self._offer = offer
        self._on_gone = on_gone
        config = limited(services.call_config, offer.max_call_s)
        self._machine = machine or CallMachine(config, services.transfers, services.supervision)
        redactor = services.redactor()
        censor = Censor(redactor)
        self._book = LogBook(call_id, services.clock, services.facts, services.on_fact, censor)
        self._record = RecordKeeper(services, self._machine, self._book)
        self._recorder = CallRecorder(
            call_id,
            services.media,
            services.recordings,
            self._book,
            services.counters,
            suffix=services.recording_format,
        )
        self._capture = CallCapture(call_id, services, self._book, hides_keys=redactor.hides_keys)
        capture = self._capture
        self._recorder.on_heard = lambda audible, revoked: capture.hear(audible=audible, revoked=revoked)
        self._legs = CallLegs(call_id, services, self._tasks, self.post, partial(self._adopt, adopt))
        self._lines = LineWatch(services, self._book, self._legs.ends, self._record.whose)
        self._look_up = LookUp(offer.told, self._tasks, self.post, self._book)
        self._orders = OrderDesk(
            services,
            offer.leg_id,
            self._machine,
            self._book,
            self.handle,
            self.post,
            self._recorder,
            self._capture,
        )
        self._side = AgentSide(call_id, offer.leg_id, services, self._tasks, self._book, self._mailbox.put_nowait)
        self._edges: tuple[Edge, ...] = ()
        self._held = False
        self._cause: HangupCause | None = None
        self._closing = Closing(services.clock, self._is_pending, self._is_settled, self._capture.finish)
        self._open_ends: set[str] = set()
        self._routed: f.CallWasRouted | None = None
        self._record_as: RecordingPolicy | None = None
        self._announced: Agent | None = None
        self._media_lost = False

    def _adopt(self, adopt: Callable[[CallRuntime, LegId], None], leg_id: LegId) -> None:
        """One more leg is of this call."""
        adopt(self, leg_id)
        self._capture.follow(leg_id)

    @property
    def leg_ids(self) -> tuple[LegId, ...]:
        """All legs that the call ever had."""
        return (self.leg_id, *(leg_id for leg_id in self._machine.legs if leg_id != self.leg_id))

    def hear(self, pcm: bytes, ear: str = AGENT_EAR, rate_hz: int = 8000) -> None:
        """What an ear of the call got since the last time."""
        self._side.hear(pcm, ear, rate_hz)

    @property
    def machine(self) -> CallMachine:
        """To look at only."""
        return self._machine

    def _begin(self) -> None:
        if self._services.tracing is not None:
            trace_var.set(self._services.tracing.trace(self.call_id, self._offer.headers, self._offer.trunk))
        self._record.begin(self.call_id, self._offer, self._routed)
        self._look_up.note_told()

    def _fail(self) -> None:
        for leg_id in self.leg_ids:
            self._services.signalling.hangup(leg_id, HangupCause.INTERNAL_ERROR)
            self._services.media.send(m.CloseLeg(leg_id))
        self._cause = HangupCause.INTERNAL_ERROR

    def _conclude(self) -> None:
        if self._side.others is not None:
            self._side.others.stop()
        self._refuse_orders()
        self._recorder.lose("the recorder did not report its end in time")
        self._capture.lose("its end was not reported in time")
        self._record.close(self._cause or HangupCause.INTERNAL_ERROR, self.leg_ids)
        # They know us: without these cycles the memory of a call, its last seconds of audio included, is free
        # now and not when the garbage collector comes by.
        self._side.let_go()
        self._orders.end()
        del self._closing, self._legs, self._lines, self._look_up, self._orders
        self._on_gone(self.call_id)

    # ------------------------------------------------------------ the mailbox

    @property
    def closed(self) -> bool:
        """Whether the record can be closed."""
        return self._closing.over

    def _is_pending(self) -> bool:
        return bool(self._open_ends) or self._recorder.pending or self._side.pending

    def _is_settled(self) -> bool:
        return all(map(self._services.signalling.is_settled, self.leg_ids))

    def get_timer(self) -> float | None:
        """When :meth:`handle_timers` is due, or None."""
        own = (self._machine.get_timer(), self._closing.get_timer(), self._record.get_timer())
        timers = (*own, self._lines.get_timer(), *self._side.get_timers())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timers(self) -> None:
        """Act on every deadline that has come."""
        self._obey(self._machine.handle_timer(self._services.clock.monotonic()))
        self._record.handle_timer(self._services.clock.monotonic(), self.leg_ids)
        self._lines.handle_timer(self._services.clock.monotonic())
        self._side.handle_timers(self._services.clock.monotonic())

    def handle(self, mail: mail_types.Mail) -> None:
        """Handle one thing now."""
        match mail:
            case mail_types.MediaChanged(leg_id, session):
                self._session_agreed(leg_id, session)
            case mail_types.EarlyMediaOffered(leg_id, session):
                self._legs.configure(leg_id, session, listens=False)
                if leg_id == self.leg_id:
                    self._heard_early(session)
            case Ordered():
                self._orders.take(mail)
            case e.MediaOpened():
                self._capture.media_opened()
                self._obey(self._machine.handle(mail, self._services.clock.monotonic()))
            case mail_types.CallerLookedUp():
                self._look_up.end(mail)
                self._legs.open(self.leg_id)
            case (
                mail_types.AsrReported()
                | mail_types.EndOfTurnEstimated()
                | mail_types.AgentActed()
                | mail_types.AgentReplied()
                | mail_types.SentenceBegun()
                | mail_types.SpeechMade()
                | mail_types.SpeechDone()
            ):
                self._side.on_child(mail)
            case (
                LegReferred()
                | LegReferralFailed()
                | LegReplaced()
                | LegMessage()
                | LegKeysSent()
                | LegTrunkFailed()
                | LegBarred()
            ):
                self._far_end_changed(mail)
            case mail_types.RecordingClientSaid() | mail_types.StreamsMoved():
                pass  # only recording sessions have clients, and they take this themselves
            case m.Message():
                self._handle_media(mail)
            case e.MediaLost():
                self._lose_media()
                self._obey(self._machine.handle(mail, self._services.clock.monotonic()))
            case _:
                self._obey(self._machine.handle(mail, self._services.clock.monotonic()))

    def _far_end_changed(self, mail: FarEndChange) -> None:
        self._book.note(fact_of(mail, self._record.whose(mail.leg_id)[0]))
        self._side.on_far_end(mail)
        if isinstance(mail, LegTrunkFailed):
            self.handle(e.LegRedialled(mail.leg_id))
        elif isinstance(mail, LegBarred) and mail.running and mail.ends:
            self._end_barred(mail)

    def _end_barred(self, barred: LegBarred) -> None:
        """The call may not go on, or what goes on is only a supervisor's leg."""
        cause = barred.barred.cause
        if self._machine.supervisors.find(barred.leg_id) is not None:
            self._services.signalling.hangup(barred.leg_id, cause)
        else:
            self.handle(e.ShutdownRequested(cause))

    def _handle_media(self, mail: mail_types.MediaMail) -> None:
        match mail:
            case m.LegMoved():
                self._leg_moved(mail)
            case m.LegClosed():
                self._open_ends.discard(mail.leg_id)
                self._record.heard(mail)
            case m.RecordingStarted() | m.RecordingEnded() | m.RecordingDiscarded() | m.RecordingFailed():
                self._recorder.on_media(mail)
            case m.CaptureStarted() | m.CaptureEnded():
                self._capture.on_media(mail)
            case m.QualityRated():
                self._record.heard(mail)
            case m.LegProbed():
                self._lines.probed(mail)
            case m.MediaTimedOut():
                self.handle(e.MediaSilent(mail.leg_id, mail.silent_ms))
            case m.MediaLatched():
                self.handle(e.MediaHeard(mail.leg_id))
            case m.DtmfReceived() if mail.leg_id != self.leg_id:
                if not self._side.on_key(mail.leg_id, mail.digit):
                    self.handle(e.KeyPressed(mail.leg_id, mail.digit))
            case m.DtmfSent(leg_id, digits) if digits:
                self._book.note(f.KeysWereSent(self._record.whose(leg_id)[0], digits, "audio"))
            case m.ToneHeard():
                self._book.note(f.ToneWasHeard(self._record.whose(mail.leg_id)[0], mail.tone))
                if (cause := TONE_CAUSES.get(mail.tone)) is not None:
                    self.handle(e.TonePlayed(mail.leg_id, cause))
            case m.SpeechStarted() | m.SpeechPaused() | m.SpeechStopped():
                self._side.on_speech(mail)
            case _:
                self._side.on_media(mail)

    # ------------------------------------------------------------ commands of the call machine

    def _obey(self, commands: list[c.CallCommand]) -> None:
        for command in commands:
            self._carry_out(command)
        if self._side.others is not None:
            self._side.others.settle()

    def _carry_out(self, command: c.CallCommand) -> None:
        signalling = self._services.signalling
        match command:
            case c.SendRinging(leg_id):
                signalling.ring(leg_id)
            case c.OpenMedia(leg_id):
                if leg_id != self.leg_id or not self._asks_who_is_calling():
                    self._legs.open(leg_id)
            case c.SendEarly(leg_id):
                self._send_early(leg_id)
            case c.AnswerLeg(leg_id):
                self._answer(leg_id)
            case c.RejectLeg(leg_id, cause):
                signalling.reject(leg_id, cause)
            case c.EndLeg(leg_id, cause):
                signalling.hangup(leg_id, cause)
            case c.CloseMedia(leg_id):
                self._close_media(leg_id)
            case c.StartAgent(agent, early):
                self._start_agent(agent, early=early)
            case c.PartFromCaller(cause):
                if self._side.conversation is not None:
                    self._side.conversation.part(cause)
            case c.StopAgent():
                self._side.stop()
            case c.FinishCall(cause):
                self._cause = cause
                self._closing.begin()
            case c.ChangeMix(edges):
                self._edges = edges
                self._recorder.mix(edges)
            case c.RecordFact(fact):
                if self._side.others is None or not self._side.others.awaits(fact, self._edges):
                    self._book.note(fact)
            case c.SuspendAgent(absence):
                if self._side.gate is not None:
                    self._side.gate.close(Reason(absence.value))
            case c.ResumeAgent(absence, failure):
                if self._side.gate is not None:
                    self._side.gate.open(
                        Reason(absence.value), failed_turn(failure) if failure is not None else None
                    )
            case c.ReferCaller(leg_id, uri, replaced, headers):
                signalling.refer(leg_id, "" if replaced is not None else uri, replaced, headers, self._payer)
            case c.DialTarget() | c.InviteTarget() | c.ComfortCaller() | c.BriefTarget():
                if self._side.transfers is not None:
                    self._side.transfers.carry_out(command, self.post)
            case c.DialLeg(leg_id, uri):
                self._legs.open_towards(leg_id, uri)
            case c.InviteLeg(leg_id, uri):
                self._legs.invite(
                    leg_id, uri, self._caller if leg_id == self.leg_id else self._to_supervisor(leg_id)
                )
            case _:
                assert_never(command)

    def _close_media(self, leg_id: LegId) -> None:
        if self._media_lost:
            return
        if leg_id == self.leg_id:
            self._recorder.stop()
        self._lines.forget(leg_id)
        self._services.media.send(m.CloseLeg(leg_id))
        self._open_ends.add(leg_id)

    def _leg_moved(self, moved: m.LegMoved) -> None:
        """Its media worker died, and another one goes on."""
        self._book.note(f.MediaHasMoved(self._record.whose(moved.leg_id)[0]))
        self._legs.moved(moved.leg_id, moved.port)
        if moved.leg_id == self.leg_id:
            self._recorder.go_on("the media worker failed")
            self._capture.lose("the media worker failed")

    def _lose_media(self) -> None:
        """The worker is gone, and with it everything that it was still to report."""
        self._media_lost = True
        self._recorder.lose("the media worker failed")
        self._capture.lose("the media worker failed")
        self._open_ends.clear()

    def _send_early(self, leg_id: LegId) -> None:
        try:
            session = self._legs.early(leg_id)
        except LocalError as error:
            log.info("the caller hears nothing before the answer: %s", error)
            self.handle(e.EarlyMediaRefused(leg_id))
            return
        if session is not None:
            self._heard_early(session)

    def _heard_early(self, session: MediaSession) -> None:
        if self._side.conversation is None and not self._machine.legs[self.leg_id].agreed:
            self._book.note(f.CallWasHeardEarly(session.codec, f"{session.remote_ip}:{session.remote_port}"))
        self.handle(e.EarlyMediaAgreed(self.leg_id))

    def _answer(self, leg_id: LegId) -> None:
        session = self._legs.answer(leg_id)
        if session is not None:
            self._session_agreed(leg_id, session)

    def _session_agreed(self, leg_id: LegId, session: MediaSession) -> None:
        held = not session.send
        if not self._machine.legs[leg_id].agreed:
            self._lines.answered(leg_id)
        if leg_id != self.leg_id:
            self._legs.configure(leg_id, session, listens=self._is_heard(leg_id))
            self.handle(e.SessionAgreed(leg_id, held=held))
            return
        if not self._machine.legs[leg_id].agreed:
            self._book.note(f.CallWasAnswered(session.codec, f"{session.remote_ip}:{session.remote_port}"))
            self._recorder.answer()
        was_held, self._held = self._held, held
        if held != was_held:
            self._book.note(f.CallWasHeld(held))
        self._legs.configure(leg_id, session)
        self.handle(e.SessionAgreed(leg_id, held=held))
        if self._side.gate is not None and held != was_held:
            if held:
                self._side.gate.close(Reason.HOLD)
            else:
                self._side.gate.open(Reason.HOLD)

    def _is_heard(self, leg_id: LegId) -> bool:
        """Whether what somebody else than the caller says may be put down in writing."""
        is_supervisor = self._machine.supervisors.find(leg_id) is not None
        return is_supervisor or self._services.transfers.transcribe

    def _asks_who_is_calling(self) -> bool:
        return self._look_up.begin(self._agent(self._machine.agent), self._call_facts())

    @property
    def _caller(self) -> Caller:
        """As whom legs of ours present themselves."""
        offer = self._offer
        return Caller(offer.calling, offer.display_name, withheld=offer.parties.withheld, payer=self._payer)

    def _to_supervisor(self, leg_id: LegId) -> Caller:
        """As whom we call a supervisor's phone; it is they who pay for it."""
        presence = self._machine.supervisors.find(leg_id)
        return Caller(self._offer.called, payer=Payer(user=presence.name if presence is not None else ""))

    @property
    def _payer(self) -> Payer:
        """On whose behalf legs of ours are called."""
        given, caller = self._offer.payer, "" if self._offer.uri else self._offer.calling
        return Payer(self._machine.agent, given.user, given.key, caller)

    def _call_facts(self) -> CallFacts:
        offer = self._offer
        said = signalled(offer.trunk, offer.display_name, offer.parties)
        return CallFacts(self.call_id, offer.called, offer.calling, offer.headers, self._look_up.known, said)

    def _agent(self, name: str) -> Agent:
        return self._announced or self._services.agents[name]

    def _start_agent(self, name: str, *, early: bool) -> None:
        facts = replace(self._call_facts(), early=early)
        links = ConversationLinks(
            self.post,
            lambda cause: self.post(e.AgentFinished(cause)),
            lambda digits: self._legs.press(self.leg_id, digits),
            self._recorder,
            self._orders.can_move,
            self._orders.move,
            lambda: self.post(e.AnswerWanted()),
            lambda: self._legs.rate_hz,
        )
        agent = self._agent(name)
        self._recorder.begin(self._record_as or agent.recording, early=early)
        conversation, gate, supervision = self._side.open(
            agent, facts, self._caller, links, self._legs, self._machine
        )
        self._orders.begin(conversation, gate, supervision)
        if self._held:
            gate.close(Reason.HOLD)
        conversation.start()

    # ------------------------------------------------------------ the record

    def note_route(
        self,
        route: str,
        agent: str,
        recording: RecordingPolicy | None = None,
        announced: Agent | None = None,
        languages: tuple[str, ...] = (),
    ) -> None:
        """The dialplan's decision, for the record: taken before the call task begins, written after the offer.

        ``recording`` is the route's own policy, in place of the agent's, and so is ``announced`` in place of the
        agent itself; ``languages`` are spoken where there is no agent.
        """
        self._record_as, self._announced = recording, announced
        chosen = self._services.agents.get(agent)
        self._routed = f.CallWasRouted(route, agent, tuple(chosen.languages) if chosen else languages)
