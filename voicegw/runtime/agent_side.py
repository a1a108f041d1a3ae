"""Our side of a call, once somebody of ours has the caller: the agent's conversation, and whoever else is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from voicegw.agents.agent import Agent, CallFacts
from voicegw.base.ids import CallId, LegId
from voicegw.call.edges import AGENT_EAR
from voicegw.call.machine import CallMachine
from voicegw.gateway.events import LegMessage
from voicegw.media import messages as m
from voicegw.ports.asr import AsrOptions
from voicegw.runtime import mail as mail_types
from voicegw.runtime.agent_gate import AgentGate
from voicegw.runtime.bridge_ear import BridgeEar, BridgeLinks
from voicegw.runtime.call_legs import Caller, CallLegs
from voicegw.runtime.conversation import Conversation
from voicegw.runtime.conversation_links import ConversationLinks
from voicegw.runtime.far_ends import FarEndChange, note_of
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.services import CallServices
from voicegw.runtime.side_voices import SideVoices
from voicegw.runtime.supervision import SupervisionDesk, SupervisionLinks
from voicegw.runtime.tasks import ChildTasks
from voicegw.runtime.transfers import TransferDesk


class AgentSide:
    """``leg_id`` is the caller's. All parts are None until they begin; a recording session has ``others`` alone."""

    def __init__(
        self,
        call_id: CallId,
        leg_id: LegId,
        services: CallServices,
        tasks: ChildTasks,
        book: LogBook,
        post: Callable[[mail_types.Mail], None],
    ) -> None:
        self._call_id = call_id
        self._leg_id = leg_id
        self._services = services
        self._tasks = tasks
        self._book = book
        self._post = post
        self.conversation: Conversation | None = None
        self.gate: AgentGate | None = None
        self.transfers: TransferDesk | None = None
        self.others: SideVoices | None = None

    def open(
        self,
        agent: Agent,
        facts: CallFacts,
        caller: Caller,
        links: ConversationLinks,
        legs: CallLegs,
        machine: CallMachine,
    ) -> tuple[Conversation, AgentGate, SupervisionDesk]:
        """Have everybody ready; the conversation is not started."""
        services = self._services
        self.conversation = conversation = Conversation(agent, facts, services, self._tasks, self._book, links)
        self.gate = AgentGate(conversation)
        self.transfers = TransferDesk(self._call_id, services, agent, legs, self._tasks, self._book, caller)
        supervision = SupervisionDesk(
            services,
            AsrOptions(agent.language, agent.phrases()),
            self._tasks,
            self._book,
            SupervisionLinks(
                machine.supervisors, self._post, conversation.note, self._call_id, links.recorder.toggle_pause
            ),
        )
        bridge = None
        if services.transfers.transcribe:
            ours = BridgeLinks(
                self._leg_id, lambda: machine.bridged_to, self._post, conversation.note, self._call_id
            )
            bridge = BridgeEar(services, agent, self._tasks, self._book, ours)
        self.others = SideVoices(supervision, bridge, self._leg_id)
        return conversation, self.gate, supervision

    def stop(self) -> None:
        """The caller is gone."""
        if self.conversation is not None:
            self.conversation.stop()
        if self.others is not None:
            self.others.stop()

    def let_go(self) -> None:
        """Nobody is there any more."""
        if self.others is not None:
            self.others.let_go()
        self.conversation = self.gate = self.transfers = self.others = None

    @property
    def pending(self) -> bool:
        """Whether last words are still to be written down."""
        return self.others is not None and self.others.pending

    def get_timers(self) -> tuple[float | None, float | None]:
        """When :meth:`handle_timers` is due."""
        conversation = self.conversation.get_timer() if self.conversation else None
        return conversation, self.others.get_timer() if self.others else None

    def handle_timers(self, now: float) -> None:
        """Act on every deadline that has come."""
        if self.conversation is not None:
            self.conversation.handle_timer()
        if self.others is not None:
            self.others.handle_timer(now)

    # ------------------------------------------------------------ what is heard

    def hear(self, pcm: bytes, ear: str, rate_hz: int) -> None:
        """What an ear of the call got since the last time."""
        if self.conversation is not None and ear == AGENT_EAR:
            self.conversation.hear(pcm, rate_hz)
        if self.others is not None:
            self.others.hear(pcm, ear, rate_hz)

    def on_speech(self, mail: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """Somebody begins to speak, or stops."""
        if self.others is not None:
            self.others.on_speech(mail)
        if self.conversation is not None and mail.leg_id == self._leg_id:
            self.conversation.on_media(mail)

    def on_key(self, leg_id: LegId, digit: str) -> bool:
        """A key of somebody else than the caller; True if it was meant for us."""
        return self.others is not None and self.others.on_key(leg_id, digit)

    def on_media(self, mail: mail_types.MediaMail) -> None:
        """Any other news of the media worker."""
        if isinstance(mail, m.PlayoutCut) and self.transfers is not None:
            self.transfers.was_cut(mail)
        match mail:
            case m.MixChanged():
                if self.others is not None:
                    self.others.mixed(mail)
            case m.PlayoutFinished() if self.transfers is not None and self.transfers.ended(mail.utterance_id):
                pass
            case _:
                if self.conversation is not None:
                    self.conversation.on_media(mail)

    def on_child(self, mail: mail_types.ChildMail) -> None:
        """News of a recogniser, a synthesiser or the agent."""
        conversation = self.conversation
        if conversation is None:
            return
        match mail:
            case mail_types.AsrReported():
                if self.others is None or not self.others.on_asr(mail):
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

    def on_far_end(self, mail: FarEndChange) -> None:
        """What the caller's side says beside the audio."""
        if self.conversation is None or mail.leg_id != self._leg_id:
            return
        if isinstance(mail, LegMessage):
            self.conversation.write(mail.text)
        elif note := note_of(mail):
            self.conversation.note(note)
