"""One conversation: the turn machine's commands carried out with an ear, a mouth and an agent session.

Runs inside the call task only; everything it is told arrives through the call's mailbox, one thing at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from voicegw.agents.actions import (
    AnswerCall,
    Gather,
    Hangup,
    Say,
    ToolWaits,
    Transfer,
)
from voicegw.agents.agent import Agent, CallerTurn, CallFacts, TurnKind
from voicegw.base.causes import HangupCause
from voicegw.base.ids import GenerationId, UtteranceId
from voicegw.call import facts as f
from voicegw.media import messages as m
from voicegw.runtime import mail as mail_types
from voicegw.runtime.agent_wishes import AgentWishes
from voicegw.runtime.conversation_links import ConversationLinks
from voicegw.runtime.expected import Expected
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mouth import Mouth, SpeechMail
from voicegw.runtime.replies import Replies, Report
from voicegw.runtime.services import CallServices
from voicegw.runtime.speaking import Speaking
from voicegw.runtime.tasks import ChildTasks
from voicegw.runtime.told import ToldAction
from voicegw.runtime.tongue import Tongue
from voicegw.runtime.turn_book import TurnBook
from voicegw.runtime.turn_ear import TurnEar
from voicegw.runtime.understanding import Outcome, Prepared, Understanding
from voicegw.runtime.waits import ToolQueue
from voicegw.turn import commands as c
from voicegw.turn import events as e
from voicegw.turn.machine import TurnMachine
from voicegw.turn.states import TurnState

TAIL_MS = 400
"""Silence after the last words before the BYE: what left our socket still waits in the caller's jitter buffer."""


class Conversation:
    """From the agent's first word to its last."""

    def __init__(
        self,
        agent: Agent,
        facts: CallFacts,
        services: CallServices,
        tasks: ChildTasks,
        book: LogBook,
        links: ConversationLinks,
    ) -> None:
        self._services = services
        self._book = book
        self._links = links
        self._tongue = Tongue(agent, services.asr.capabilities.languages)
        self._turn = TurnMachine(services.turn_config, agent.language)
        self._expected = Expected(agent, str(facts.call_id))
        self._hearing = TurnEar(services, tasks, links.post)
        self._mouth = Mouth(
            facts.call_id, services.speaker, services.media, tasks, links.post, services.random, agent.lexicon
        )
        self._speaking = Speaking(self._mouth, self._tongue, services.texts, links.rate_hz)
        tool_queue = ToolQueue(book)
        self._wishes = AgentWishes(services, book, links, self._tongue, tool_queue)
        self._replies = Replies(
            agent.open(facts),
            facts,
            tasks,
            links.post,
            services.random,
            services.turn_config.speculation,
            services.counters,
            tool_queue.withdraw,
        )
        self._ending: HangupCause | Transfer | AnswerCall | None = None
        self._over = False
        self._notes = TurnBook(book, services.clock)
        self._understanding = Understanding(
            self._hearing, self._notes, self._replies, self._expected, self._tongue, services, book
        )

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """The caller is listening: the agent begins."""
        self._reply(CallerTurn(TurnKind.CALL_STARTED))

    def hear(self, pcm: bytes, rate_hz: int = 8000) -> None:
        """The caller's next audio."""
        self._hearing.hear(pcm, rate_hz)

    def part(self, cause: HangupCause) -> None:
        """Say goodbye whatever is going on, then finish with ``cause``."""
        self._replies.drop()
        self._mouth.cut()
        self._hearing.drop()
        self._ending = cause
        self._say_house(self._speaking.house_words.parting(cause))

    def stop(self) -> None:
        """The caller is gone."""
        self._notes.commit()
        self._over = True
        self._replies.drop()
        self._hearing.drop()
        self._mouth.cut()

    def hold(self) -> None:
        """The caller is on hold and hears nothing."""
        self._replies.drop()
        self._notes.commit()
        self._expected.clear()
        self._tell(e.AgentSuspended())

    def resume(self, turn: CallerTurn) -> None:
        """The caller is back, and this is what the agent has to answer."""
        self._tell(e.AgentResumed())
        self._reply(turn)

    def answer(self, turn: CallerTurn) -> None:
        """Something that is no speech of the caller wants an answer of the agent."""
        self._reply(turn)

    def write(self, text: str) -> None:
        """The caller wrote this: it is answered like speech, in place of whatever was heard."""
        if self._ending is None and not self._over and self._turn.state is not TurnState.SUSPENDED:
            self._typed(text)
        else:
            self.note(f"The caller wrote: {text}")

    def note(self, text: str) -> None:
        """Tell the agent something that it could not hear; it knows from its next reply on."""
        self._replies.note(text)

    def leave(self, transfer: Transfer) -> None:
        """Somebody wants the caller moved: what is being said is said to its end, then it happens."""
        if self._ending is None and not self._over:
            self._replies.drop()
            self._ending = transfer
            if not self._mouth.busy:
                self._finish(transfer)

    @property
    def collected(self) -> Mapping[str, str]:
        """What the agent has understood, by name."""
        return self._replies.collected

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None: after the last word there is nothing to wait for."""
        if self._over:
            return None
        timers = [timer for timer in (self._turn.get_timer(), self._expected.get_timer()) if timer is not None]
        return min(timers, default=None)

    def handle_timer(self) -> None:
        """Act on whatever deadline has come."""
        now = self._now()
        if (digits := self._expected.handle_timer(now)) is not None:
            self._typed(dtmf=digits)
        self._obey(self._turn.handle_timer(now))

    # ------------------------------------------------------------ from the media worker

    def on_media(self, event: mail_types.MediaMail) -> None:
        """An event of the media worker about this call."""
        match event:
            case m.SpeechStarted():
                self._notes.speech_began(event.onset_at)
                self._tell(e.SpeechStarted(event.onset_at, event.paused))
            case m.SpeechPaused():
                self._tell(e.SpeechPaused(event.offset_at))
            case m.SpeechStopped():
                self._tell(e.SpeechStopped(event.offset_at))
            case m.DtmfReceived():
                self._key(event.digit)
            case m.PlayoutStarted():
                self._utterance_started(event)
            case m.PlayoutPaused():
                self._notes.paused(event.at)
            case m.PlayoutFinished():
                self._utterance_ended(event.utterance_id, event.sent_samples, event.at, cut=False)
            case m.PlayoutCut():
                self._utterance_ended(event.utterance_id, event.sent_samples, event.at, cut=True)
            case m.PlayoutStarved():
                self._services.counters.add("playout_starved")
            case _:
                pass

    def _utterance_started(self, event: m.PlayoutStarted) -> None:
        utterance = self._mouth.get(event.utterance_id)
        if utterance is None:
            return
        self._notes.audible(utterance, event.at)
        self._tell(e.UtteranceStarted(utterance.id, utterance.interruptible))

    def _utterance_ended(self, utterance_id: UtteranceId, sent_samples: int, at: float, *, cut: bool) -> None:
        ended = self._mouth.end(utterance_id, sent_samples)
        if ended is None:
            return
        utterance, playout = ended
        self._notes.spoken(utterance, playout, at, cut=cut)
        if utterance.reply is not None:
            self._replies.heard(utterance.reply, playout.heard_text)
        if not cut:
            self._after_utterance()

    def _after_utterance(self) -> None:
        if self._mouth.busy:
            return
        self._tell(e.UtteranceFinished())
        if self._ending is not None:
            self._finish(self._ending)
        elif self._replies.pending:
            self._tell(e.ReplyStarted())

    # ------------------------------------------------------------ from the recogniser

    def on_asr(self, report: mail_types.AsrReported) -> None:
        """A report of a recognition stream."""
        self._follow(self._understanding.on_asr(report))

    def on_end_estimated(self, mail: mail_types.EndOfTurnEstimated) -> None:
        """The end-of-turn model's word; one about another silence is refused."""
        if self._hearing.accepts(mail):
            self._tell(e.EndOfTurnGuessed(mail.probability))

    def _follow(self, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            match outcome:
                case CallerTurn():
                    self._reply(outcome)
                case Prepared(reports):
                    self._carry_on_with(reports)
                case _:
                    self._tell(outcome)

    def _carry_on_with(self, prepared: list[Report]) -> None:
        """The reply was prepared while the turn was ending: everything it wants done is done now."""
        self._notes.watch.speculated = True
        self._begin_reply()
        for report in prepared:
            if isinstance(report, mail_types.AgentActed):
                self.on_action(report)
            else:
                self.on_replied(report)

    # ------------------------------------------------------------ from the keypad

    def _key(self, digit: str) -> None:
        self._book.note(f.KeyWasPressed(digit))
        if self._ending is not None or self._turn.state is TurnState.SUSPENDED:
            return  # Keys while somebody else has the caller are not for the agent.
        if self._expected.takes_keys:
            self._tell(e.KeyPressed())
        digits = self._expected.press(digit, self._now())
        if digits is not None:
            self._typed(dtmf=digits)

    def _typed(self, text: str = "", dtmf: str = "") -> None:
        self._tell(e.TurnSettled())
        self._notes.take_typed(text, dtmf)
        self._reply(CallerTurn(TurnKind.DTMF if dtmf else TurnKind.SPEECH, text, dtmf=dtmf))

    # ------------------------------------------------------------ from the agent

    def on_action(self, mail: mail_types.AgentActed) -> None:
        """One action of the reply; actions of a dropped reply are refused."""
        if self._replies.hold(mail):
            if isinstance(mail.action, Say):
                self._speaking.prepare(mail.action)
            return
        if not self._replies.accepts(mail.generation_id):
            return
        if isinstance(mail.action, ToldAction):
            self._speaking.consoled = isinstance(mail.action, ToolWaits)
            self._wishes.write_down(mail.action)
            return
        match mail.action:
            case Say():
                self._notes.watch.agent_spoke = self._notes.watch.agent_spoke or self._now()
                self._say(mail.action, mail.generation_id)
            case Gather():
                self._listen_for(mail.action)
            case Hangup(cause):
                self._ending = cause
            case AnswerCall():
                self._ending = mail.action
            case Transfer() if self._links.can_move(mail.action.target):
                self._ending = mail.action
            case Transfer(apology=apology):
                self._say(Say(apology, interruptible=False))
                self._ending = HangupCause.AGENT_HANGUP
            case _:
                if self._wishes.grant(mail.action):
                    self._language_changed()

    def on_replied(self, mail: mail_types.AgentReplied) -> None:
        """The reply is complete."""
        if self._replies.hold(mail):
            if mail.failure:
                self._replies.forget_speculation()
            return
        if not self._replies.accepts(mail.generation_id):
            return
        self._replies.complete()
        if mail.failure:
            self._services.counters.add("agent_failed")
            self._ending = HangupCause.INTERNAL_ERROR
            self._say_house(self._speaking.house_words.apology)
        if self._mouth.busy:
            return
        self._notes.commit()
        if self._ending is not None:
            self._finish(self._ending)
        else:
            self._tell(e.ReplyEmpty())

    def _reply(self, turn: CallerTurn) -> None:
        if self._ending is not None and not self._over and not self._mouth.busy:
            self._finish(self._ending)  # the caller talked over the last words: there is nothing left to say
        if self._ending is not None or self._over:
            return
        self._begin_reply()
        self._replies.begin(turn, lambda: self._notes.history, self._local_time(), self._mouth.settled)

    def _begin_reply(self) -> None:
        self._speaking.begin_reply()
        self._links.recorder.settle()
        self._expected.forget()
        self._tell(e.ReplyStarted())

    def _listen_for(self, gather: Gather) -> None:
        self._links.recorder.listen(sensitive=gather.sensitive)
        now = self._now()
        self._tell(e.ListeningChanged(gather.no_input_ms, gather.patient))
        digits = self._expected.ask(gather, now)
        if digits is not None:
            self._mouth.cut()
            self._typed(dtmf=digits)

    def _say(self, say: Say, reply: GenerationId | None = None) -> None:
        for made in self._speaking.say(say, reply):
            self.on_speech(made)

    def _say_house(self, text: str) -> None:
        for made in self._speaking.say_house(text):
            self.on_speech(made)

    # ------------------------------------------------------------ from the synthesiser

    def on_speech(self, mail: SpeechMail) -> None:
        """Something of an utterance is made."""
        if self._mouth.keep(mail):
            return
        match mail:
            case mail_types.SentenceBegun():
                self._mouth.begin_sentence(mail)
            case mail_types.SpeechMade():
                self._audio_made(mail)
            case mail_types.SpeechDone():
                self._speech_done(mail)
            case _:
                assert_never(mail)

    def _audio_made(self, mail: mail_types.SpeechMade) -> None:
        """Audio of an utterance. A goodbye is not interruptible."""
        if self._mouth.add_audio(mail, protected=self._ending is not None):
            self._notes.watch.audio_made = self._notes.watch.audio_made or self._now()

    def _speech_done(self, mail: mail_types.SpeechDone) -> None:
        """All audio of an utterance is made, or no more can be."""
        if mail.failure:
            self._services.counters.add("tts_failed")
            self._book.note(f.SpeechHasFailed("tts", mail.failure, "the rest of the utterance is missing"))
        silent = self._mouth.finish_audio(mail, tail_ms=TAIL_MS if self._ending is not None else 0)
        if silent is None:
            return
        if silent.failure and self._ending is None:
            # Without a voice there is no conversation, and dead air is worse than a clear end. The apology is a
            # prompt: it is heard although no engine works.
            self._ending = HangupCause.INTERNAL_ERROR
            self._replies.drop()
            if self._mouth.playing() is None:
                self._mouth.cut()
            self._say_house(self._speaking.house_words.apology)
        self._after_utterance()

    # ------------------------------------------------------------ commands of the turn machine

    def _tell(self, event: e.TurnEvent) -> None:
        if not self._over:
            self._obey(self._turn.handle(event, self._now()))

    def _obey(self, commands: list[c.TurnCommand]) -> None:
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: c.TurnCommand) -> None:
        match command:
            case c.BeginRecognition(onset_at):
                self._understanding.begin(onset_at)
            case c.AskForFinal():
                self._understanding.ask_whether_over()
            case c.FinishRecognition(offset_at, waited_ms):
                self._notes.turn_ended(offset_at, waited_ms)
                self._follow(self._understanding.finish())
            case c.Speculate():
                if self._ending is None and not self._over and not self._mouth.unsettled:
                    self._speculate()
            case c.TakeBackChannel(text, offset_at):
                if self._ending is None:
                    self._follow(self._understanding.take_back_channel(text, offset_at))
            case c.DropRecognition():
                self._hearing.drop()
            case c.DropReply():
                self._replies.undo()
                if self._tongue.undo():
                    self._language_changed()
                self._links.recorder.undo()
                self._mouth.cut()
            case c.PausePlayout():
                self._mouth.pause()
            case c.ResumePlayout():
                self._notes.resumed()
                self._mouth.resume()
            case c.CutPlayout(reason):
                self._notes.interrupted(self._mouth.playing(), reason)
                self._replies.drop()
                self._mouth.cut()
            case c.PromptNoInput():
                self._book.note(f.CallerWasSilent())
                self._reply(CallerTurn(TurnKind.NO_INPUT))
            case c.ReplyLate():
                self._reply_late()
            case _:
                assert_never(command)

    def _speculate(self) -> None:
        if self._understanding.speculate(self._local_time()):
            self._mouth.forget_prepared()

    def _reply_late(self) -> None:
        self._services.counters.add("reply_late")
        for made in self._speaking.fill():
            self.on_speech(made)

    # ------------------------------------------------------------ small things

    def _finish(self, ending: HangupCause | Transfer | AnswerCall) -> None:
        if self._over:
            return
        if not isinstance(ending, HangupCause):
            self._ending = None
            self._links.answer() if isinstance(ending, AnswerCall) else self._links.move(ending)
            return
        self._over = True
        self._hearing.drop()
        self._links.finished(ending)

    def _language_changed(self) -> None:
        self._wishes.language_changed()
        self._tell(e.LanguageChanged(self._tongue.language))

    def _local_time(self) -> datetime:
        return datetime.fromtimestamp(self._services.clock.wall()).astimezone()

    def _now(self) -> float:
        return self._services.clock.monotonic()
