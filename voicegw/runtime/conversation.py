"""One conversation: the turn machine's commands carried out with an ear, a mouth and an agent session.

Runs inside the call task only; everything it is told arrives through the call's mailbox, one thing at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from voicegw.agents.actions import (
    AnswerCall,
    Concealing,
    ConsentAnswered,
    Disclosing,
    Gather,
    Hangup,
    PauseRecording,
    Say,
    SendDtmf,
    ServiceMoved,
    StepFinished,
    SwitchLanguage,
    ToolWaits,
    Transfer,
)
from voicegw.agents.agent import Agent, CallerTurn, CallFacts, TurnKind
from voicegw.base.causes import HangupCause
from voicegw.base.ids import GenerationId, UtteranceId
from voicegw.call import facts as f
from voicegw.media import messages as m
from voicegw.ports.asr import AsrFailed, AsrFinal, AsrOptions, AsrPartial
from voicegw.ports.tts import TtsRequest
from voicegw.runtime import mail as mail_types
from voicegw.runtime.conversation_links import ConversationLinks
from voicegw.runtime.house_texts import HouseWords
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mouth import Mouth, SpeechMail
from voicegw.runtime.replies import Replies, Report
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks
from voicegw.runtime.told import ToldAction, told
from voicegw.runtime.tongue import Tongue
from voicegw.runtime.turn_book import TurnBook
from voicegw.runtime.turn_ear import TurnEar
from voicegw.runtime.waits import ToolQueue
from voicegw.turn import commands as c
from voicegw.turn import events as e
from voicegw.turn.history import Speaker
from voicegw.turn.keypad import Keypad, KeypadPolicy
from voicegw.turn.machine import TurnMachine
from voicegw.turn.states import TurnState

NO_MATCH_SPEECH_MS = 600
"""Speech this long with no recognised word is a turn that was not understood; shorter is noise."""
TAIL_MS = 400
"""Silence after the last words before the BYE: what left our socket still waits in the caller's jitter buffer."""
ASR_DOWN_QUIET_S = 12.0
"""The agent says at most this often that it cannot hear."""


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
        self._agent = agent
        self._call_id = facts.call_id
        self._services = services
        self._book = book
        self._links = links
        self._tongue = Tongue(agent, services.asr.capabilities.languages)
        self._turn = TurnMachine(services.turn_config, agent.language)
        self._keypad = Keypad()
        self._hearing = TurnEar(services, tasks, links.post)
        self._mouth = Mouth(
            facts.call_id, services.speaker, services.media, tasks, links.post, services.random, agent.lexicon
        )
        self._tool_queue = ToolQueue(book)
        self._replies = Replies(
            agent.open(facts),
            facts,
            tasks,
            links.post,
            services.random,
            services.turn_config.speculation,
            services.counters,
            self._tool_queue.withdraw,
        )
        self._gather: Gather | None = None
        self._ending: HangupCause | Transfer | AnswerCall | None = None
        self._fillers = 0
        """Said during the running reply; they are no part of it."""
        self._agent_consoles = self._over = False
        self._notes = TurnBook(book, services.clock)
        self._asr_down_at = float("-inf")

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
        self._say_house(self._house_words.parting(cause))

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
        self._keypad.clear()
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
        timers = [timer for timer in (self._turn.get_timer(), self._keypad.get_timer()) if timer is not None]
        return min(timers, default=None)

    def handle_timer(self) -> None:
        """Act on whatever deadline has come."""
        now = self._now()
        if (digits := self._keypad.handle_timer(now)) is not None:
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
        """A report of a recognition stream; one that is closed is refused."""
        match heard := self._hearing.take(report):
            case AsrPartial(text):
                self._tell(e.PartialHeard(text, self._is_complete(text), final=self._hearing.has_final))
            case AsrFinal() | AsrFailed():
                self._recognised(heard)
            case None:
                pass
            case _:
                assert_never(heard)

    def on_end_estimated(self, mail: mail_types.EndOfTurnEstimated) -> None:
        """The end-of-turn model's word; one about another silence is refused."""
        if self._hearing.accepts(mail):
            self._tell(e.EndOfTurnGuessed(mail.probability))

    def _recognised(self, result: AsrFinal | AsrFailed) -> None:
        """The turn is over, and this is what was said in it."""
        if isinstance(result, AsrFinal):
            self._final_text(result)
        else:
            self._asr_failed(result.reason)

    def _is_complete(self, text: str) -> bool:
        grammar = self._gather.grammar if self._gather else None
        return grammar is not None and grammar.is_complete(_joined(self._notes.carried, text))

    def _final_text(self, final: AsrFinal) -> None:
        self._notes.watch.text_final = self._now()
        self._services.counters.add("asr_audio_ms", round(final.audio_ms))
        self._services.counters.add("asr_decode_ms", round(final.decode_ms))
        text = _joined(self._notes.carried, final.text)
        if not text and self._notes.speech_ms < NO_MATCH_SPEECH_MS:
            self._replies.forget_speculation()
            self._tell(e.ReplyEmpty())
            return
        self._notes.take(text, final.confidence)
        if language := self._tongue.changed_by(final):
            self._replies.forget_speculation()  # it would have been in the old one
        prepared = self._replies.commit(text, self._notes.history)
        if prepared is None:
            self._reply(CallerTurn(TurnKind.SPEECH, text, final.confidence, language=language))
        else:
            self._carry_on_with(prepared)

    def _carry_on_with(self, prepared: list[Report]) -> None:
        """The reply was prepared while the turn was ending: everything it wants done is done now."""
        self._notes.watch.speculated = True
        self._begin_reply()
        for report in prepared:
            if isinstance(report, mail_types.AgentActed):
                self.on_action(report)
            else:
                self.on_replied(report)

    def _speculate(self) -> None:
        if not self._hearing.text or self._ending is not None or self._over or self._mouth.unsettled:
            return
        turn = CallerTurn(TurnKind.SPEECH, _joined(self._notes.carried, self._hearing.text))
        if self._replies.speculate(turn, self._notes.history, self._local_time()):
            self._mouth.forget_prepared()

    def _asr_failed(self, reason: str) -> None:
        self._services.counters.add("asr_failed")
        now = self._now()
        quiet = now - self._asr_down_at < ASR_DOWN_QUIET_S
        consequence = "already told the caller" if quiet else "the agent says so and offers the keypad"
        self._book.note(f.SpeechHasFailed(self._services.asr.name, reason, consequence))
        if quiet:
            self._tell(e.ReplyEmpty())
            return
        self._asr_down_at = now
        self._tell(e.TurnSettled())
        self._reply(CallerTurn(TurnKind.ASR_DOWN))

    # ------------------------------------------------------------ from the keypad

    def _key(self, digit: str) -> None:
        self._book.note(f.KeyWasPressed(digit))
        if self._ending is not None or self._turn.state is TurnState.SUSPENDED:
            return  # Keys while somebody else has the caller are not for the agent.
        if self._gather is not None and self._gather.dtmf.max_digits:
            self._tell(e.KeyPressed())
        digits = self._keypad.press(digit, self._now())
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
                self._mouth.prepare(self._request(mail.action))
            return
        if not self._replies.accepts(mail.generation_id):
            return
        if isinstance(mail.action, ToldAction):
            self._write_down(mail.action)
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
            case SendDtmf(digits):
                self._links.press(digits)
            case SwitchLanguage(language) if self._tongue.switch(language):
                self._services.counters.add("language_switched")
                self._language_changed()
            case StepFinished() | SwitchLanguage():
                pass
            case Disclosing(text):
                self._book.censor.disclosing(text)
            case Concealing(text):
                self._book.censor.conceal(text)
            case ConsentAnswered():
                self._links.recorder.answered(mail.action)
            case PauseRecording(paused):
                self._links.recorder.pause("agent", paused=paused)
            case _:
                assert_never(mail.action)

    def _write_down(self, action: ToldAction) -> None:
        if isinstance(action, ServiceMoved):
            self._services.counters.add(f"ladder_{action.to.partition(':')[0]}")
        self._agent_consoles = isinstance(action, ToolWaits)
        self._tool_queue.note(action)
        self._book.note(told(action))

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
            self._say_house(self._house_words.apology)
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
        self._gather = None
        self._fillers, self._agent_consoles = 0, False
        self._tongue.mark()
        self._links.recorder.settle()
        self._keypad.ignore()
        self._tell(e.ReplyStarted())

    def _listen_for(self, gather: Gather) -> None:
        self._gather = gather
        self._links.recorder.listen(sensitive=gather.sensitive)
        now = self._now()
        self._tell(e.ListeningChanged(gather.no_input_ms, gather.patient))
        policy = gather.dtmf
        digits = self._keypad.expect(KeypadPolicy(policy.max_digits, policy.terminator, policy.inter_digit_ms), now)
        if digits is not None:
            self._mouth.cut()
            self._typed(dtmf=digits)

    def _say(self, say: Say, reply: GenerationId | None = None) -> None:
        utterance_id = self._mouth.say(self._request(say), interruptible=say.interruptible, reply=reply)
        for made in self._mouth.take_made(utterance_id):
            self.on_speech(made)

    def _say_house(self, text: str) -> None:
        """The server's own words, in the language of the call where it has some."""
        language = self._services.texts.language_for(self._tongue.language)
        self._say(Say(text, interruptible=False, language=language))

    @property
    def _house_words(self) -> HouseWords:
        return self._services.texts.of(self._tongue.language)

    def _request(self, say: Say) -> TtsRequest:
        language = say.language or self._tongue.language
        voice = say.voice or self._tongue.voice(language)
        return TtsRequest(say.text, voice, language, sample_rate_hz=self._links.rate_hz())

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
            self._say_house(self._house_words.apology)
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
                self._hearing.begin(self._asr_options(), onset_at)
            case c.AskForFinal():
                asked = self._notes.history.last(Speaker.AGENT)
                said = asked.text if asked is not None else ""
                self._hearing.ask_whether_over(self._notes.carried, said, self._tongue.language)
            case c.FinishRecognition(offset_at, waited_ms):
                self._notes.turn_ended(offset_at, waited_ms)
                self._finish_recognition()
            case c.Speculate():
                self._speculate()
            case c.TakeBackChannel(text, offset_at):
                self._take_back_channel(text, offset_at)
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

    def _finish_recognition(self) -> None:
        match result := self._hearing.finish():
            case AsrFinal() | AsrFailed():
                self._recognised(result)
            case False:
                self._replies.forget_speculation()
                self._tell(e.ReplyEmpty())
            case _:
                pass  # it is on its way

    def _take_back_channel(self, text: str, offset_at: float) -> None:
        """A "yes" over the last word of a question; a question with a grammar has judged it already."""
        gather = self._gather
        if self._replies.pending or self._ending is not None or gather is None or gather.grammar is not None:
            return
        self._notes.murmured(text, offset_at)
        self._reply(CallerTurn(TurnKind.SPEECH, text))

    def _reply_late(self) -> None:
        self._services.counters.add("reply_late")
        if not self._mouth.busy and not self._agent_consoles:
            fillers = self._house_words.fillers
            self._say_house(fillers[self._fillers % len(fillers)])
            self._fillers += 1

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

    def _asr_options(self) -> AsrOptions:
        gather = self._gather
        phrases = gather.phrases if gather and gather.phrases else self._agent.phrases()
        boost = gather.boost if gather else ()
        return AsrOptions(self._tongue.recognised_as, phrases, boost, caller=str(self._call_id))

    def _language_changed(self) -> None:
        self._book.note(f.LanguageHasChanged(self._tongue.language))
        self._tell(e.LanguageChanged(self._tongue.language))

    def _local_time(self) -> datetime:
        return datetime.fromtimestamp(self._services.clock.wall()).astimezone()

    def _now(self) -> float:
        return self._services.clock.monotonic()


def _joined(first: str, second: str) -> str:
    return f"{first} {second}".strip()
