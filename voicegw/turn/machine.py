"""The turn machine: who has the floor, decided from speech, words, keys and deadlines. Pure: event, now → commands.

One machine per call. Every state that waits has a deadline, so no lost event leaves the caller in silence.
Times are monotonic seconds; :meth:`TurnMachine.get_timer` says when :meth:`TurnMachine.handle_timer` is due.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from voicegw.turn import commands as c
from voicegw.turn import events as e
from voicegw.turn.back_channels import Heard
from voicegw.turn.barge_in import BargeInConfig, Verdict, is_back_channel, judge, may_be_back_channel
from voicegw.turn.endpointing import EndpointingConfig, PauseMemory, TurnSoFar, silence_needed_ms
from voicegw.turn.speculation import SpeculationConfig
from voicegw.turn.states import TURN_TABLE, TurnState, TurnTrigger

_S = TurnState
_T = TurnTrigger


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """How turns are taken."""

    endpointing: EndpointingConfig = field(default_factory=EndpointingConfig)
    barge_in: BargeInConfig = field(default_factory=BargeInConfig)
    speculation: SpeculationConfig = field(default_factory=SpeculationConfig)
    reply_late_ms: int = 2300
    """With nothing to hear for this long after their turn, something is said to bridge the wait. The half second
    before its end was silent too, and after three seconds callers ask whether anybody is there."""
    noise_grace_ms: int = 1500
    """After a noise that was no turn, the caller gets at least this long before a no-input prompt."""


class TurnMachine:
    """The floor of one call."""

    def __init__(self, config: TurnConfig, language: str = "en-US") -> None:
        self._config = config
        self._language = language
        self.state = _S.LISTENING
        self._talking = False
        self._onset_at = 0.0
        self._offset_at = 0.0
        self._text = ""
        self._complete = False
        self._patient = False
        self._end_probability: float | None = None
        self._pauses = PauseMemory()
        self._stretches = 0
        self._murmur: tuple[str, float] | None = None
        self._settled = False
        self._replying = False
        self._quiet_since = 0.0
        """Since when somebody who waits for a reply has heard nothing."""
        self._interruptible = True
        self._audible = False
        """Whether an utterance has begun that has not ended."""
        self._greeted = False
        self._no_input_ms = 0
        self._no_input_at: float | None = None
        self._deadline: float | None = None

    # ------------------------------------------------------------ inputs

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._deadline

    def handle(self, event: e.TurnEvent, now: float) -> list[c.TurnCommand]:
        """Take one event and return what is to be done about it, in order."""
        match event:
            case e.SpeechStarted():
                return self._speech_started(event)
            case e.SpeechPaused():
                return self._speculate() if self.state is _S.CALLER_SPEAKING else []
            case e.SpeechStopped():
                return self._speech_stopped(event, now)
            case e.PartialHeard():
                return self._partial_heard(event, now)
            case e.EndOfTurnGuessed(probability):
                self._end_probability = probability
                return self._arm()
            case e.LanguageChanged(language):
                self._language = language
                return []
            case e.ListeningChanged():
                self._no_input_ms, self._patient = event.no_input_ms, event.patient
                return self._restart_no_input(now)
            case e.ReplyStarted():
                self._await_reply(now)
                return self._arm()
            case e.ReplyEmpty():
                return self._reply_empty(now)
            case e.UtteranceStarted():
                return self._utterance_started(event, now)
            case e.UtteranceFinished():
                return self._utterance_finished(now)
            case e.KeyPressed():
                return self._key_pressed(now)
            case e.TurnSettled():
                return self._turn_settled(now)
            case e.AgentSuspended():
                return self._suspended()
            case e.AgentResumed():
                self._step(_T.AGENT_RESUMED)
                return self._restart_no_input(now)
            case _:
                assert_never(event)

    def handle_timer(self, now: float) -> list[c.TurnCommand]:
        """Act on the deadline if it has come."""
        if self._deadline is None or now < self._deadline:
            return []
        match self.state:
            case _S.LISTENING if self._replying:
                return self._bridge(now)
            case _S.LISTENING:
                self._no_input_at = None
                self._await_reply(now)
                return [c.PromptNoInput(), *self._arm()]
            case _S.CALLER_SPEAKING:
                self._offset_at = now
                self._step(_T.SPEECH_STOPPED)
                return self._end_turn(now, waited_ms=0)
            case _S.ENDPOINTING:
                return self._end_turn(now, self._silence_needed_ms())
            case _S.THINKING:
                return self._bridge(now)
            case _S.SPEAKING:
                return self._yield_floor(paused=False)
            case _S.YIELDED if not self._settled:
                self._settled = True
                return self._judge(now)
            case _S.YIELDED | _S.DECIDING:
                return self._judge(now, overdue=True)
            case _S.SUSPENDED:
                return self._arm()
            case _:
                assert_never(self.state)

    # ------------------------------------------------------------ speech

    def _speech_started(self, event: e.SpeechStarted) -> list[c.TurnCommand]:
        self._talking = True
        self._onset_at = event.onset_at
        self._end_probability = None
        match self.state:
            case _S.LISTENING if not self._replying:
                return self._begin_turn()
            case _S.LISTENING if self._greeted:
                # The agent has the floor while it looks something up: what it will say waits for the verdict.
                self._step(_T.UTTERANCE_STARTED)
                return self._yield_floor(paused=False)
            case _S.ENDPOINTING:
                self._learn_pause()
                self._step(_T.SPEECH_STARTED)
                return [c.BeginRecognition(event.onset_at), *self._arm()]
            case _S.THINKING:
                self._learn_pause()
                self._step(_T.SPEECH_STARTED)
                self._replying = False
                return [c.DropReply(), c.BeginRecognition(event.onset_at), *self._arm()]
            case _S.SPEAKING if self._interruptible:
                return self._yield_floor(paused=event.paused)
            case _S.DECIDING:
                self._settled = False
                self._step(_T.SPEECH_STARTED)
                return [c.BeginRecognition(event.onset_at), *self._arm()]
            case _S.SUSPENDED:
                self._step(_T.SPEECH_STARTED)
                return self._arm()
            case _:
                return self._arm()

    def _speech_stopped(self, event: e.SpeechStopped, now: float) -> list[c.TurnCommand]:
        self._talking = False
        self._offset_at = event.offset_at
        match self.state:
            case _S.LISTENING if self._replying:
                return self._arm()
            case _S.YIELDED:
                self._step(_T.SPEECH_STOPPED)
                return self._judge(now) or [c.AskForFinal()]
            case _S.CALLER_SPEAKING:
                self._step(_T.SPEECH_STOPPED)
                return [c.AskForFinal(), *self._speculate(), *self._arm()]
            case _ if TURN_TABLE.accepts(self.state, _T.SPEECH_STOPPED):
                self._step(_T.SPEECH_STOPPED)
                return self._arm()
            case _:
                return self._arm()

    def _partial_heard(self, event: e.PartialHeard, now: float) -> list[c.TurnCommand]:
        self._text, self._complete = event.text, event.complete
        if self.state in (_S.YIELDED, _S.DECIDING):
            return self._judge(now, overdue=event.final)
        speculate = self._speculate() if self.state is _S.ENDPOINTING else []
        return [*speculate, *self._arm()]

    def _speculate(self) -> list[c.TurnCommand]:
        """Prepare the reply, unless everything says that more is to come."""
        hopeless = not self._text or (self._patient and not self._complete)
        return [] if hopeless or not self._config.speculation.enabled else [c.Speculate()]

    def _learn_pause(self) -> None:
        """The silence that has just ended lay inside a turn."""
        pause_ms = (self._onset_at - self._offset_at) * 1000
        self._pauses = self._pauses.paused(self._config.endpointing, pause_ms)
        self._stretches += 1

    def _begin_turn(self) -> list[c.TurnCommand]:
        self._text, self._complete, self._stretches = "", False, 1
        self._step(_T.SPEECH_STARTED)
        return [c.BeginRecognition(self._onset_at), *self._arm()]

    def _end_turn(self, now: float, waited_ms: int) -> list[c.TurnCommand]:
        if self._stretches == 1:
            spoke_ms = (self._offset_at - self._onset_at) * 1000
            self._pauses = self._pauses.spoke(self._config.endpointing, spoke_ms)
        self._step(_T.TURN_ENDED)
        self._replying, self._quiet_since = True, now
        return [c.FinishRecognition(self._offset_at, waited_ms), *self._arm()]

    def _silence_needed_ms(self) -> int:
        so_far = TurnSoFar(self._complete, self._patient, self._end_probability)
        return silence_needed_ms(self._config.endpointing, self._pauses, so_far)

    # ------------------------------------------------------------ barge-in

    def _yield_floor(self, *, paused: bool) -> list[c.TurnCommand]:
        self._text, self._complete, self._stretches = "", False, 1
        self._murmur, self._settled = None, False
        self._step(_T.SPEECH_STARTED)
        pause: list[c.TurnCommand] = [] if paused else [c.PausePlayout()]
        return [*pause, c.BeginRecognition(self._onset_at), *self._arm()]

    def _judge(self, now: float, *, overdue: bool = False) -> list[c.TurnCommand]:
        config, heard = self._config.barge_in, self._heard(now)
        verdict = judge(config, heard, self._language, settled=self._settled, overdue=overdue)
        if verdict is Verdict.CONFIRM:
            self._step(_T.BARGE_IN_CONFIRMED)
            self._replying = self._audible = False
            ended = self._speculate() if self.state is _S.ENDPOINTING else []
            return [c.CutPlayout(c.CutReason.SPEECH), *ended, *self._arm()]
        if verdict is Verdict.REJECT:
            if self._audible and is_back_channel(config, heard, self._language):
                self._murmur = (self._text, self._offset_at)
            return [c.DropRecognition(), *self._give_back_floor(now)]
        return self._arm()

    def _give_back_floor(self, now: float) -> list[c.TurnCommand]:
        """It was no interruption: the agent goes on, or with nothing to say waits for its reply or the caller."""
        self._step(_T.BARGE_IN_REJECTED)
        if not self._audible:
            self._step(_T.UTTERANCE_FINISHED)
            self._quiet_since = now
            self._restart_no_input(now)
        return [c.ResumePlayout(), *self._arm()]

    def _heard(self, now: float) -> Heard:
        still_speaking = self.state is _S.YIELDED
        end = now if still_speaking else self._offset_at
        speech_ms = (end - self._onset_at) * 1000
        return Heard(self._text, speech_ms, still_speaking=still_speaking, complete=self._complete)

    def _confirm_ms(self) -> int:
        """How long a sound may go on until it is an interruption whatever it says."""
        config = self._config.barge_in
        murmuring = may_be_back_channel(config, self._text, self._language)
        return config.words.back_channel_ms if murmuring else config.confirm_ms

    # ------------------------------------------------------------ the agent's speech

    def _utterance_started(self, event: e.UtteranceStarted, now: float) -> list[c.TurnCommand]:
        if self.state in (_S.LISTENING, _S.THINKING):
            self._step(_T.UTTERANCE_STARTED)
            self._onset_at = now if self._talking else self._onset_at
        self._interruptible = event.interruptible
        self._replying = self._audible = self._greeted = True
        return self._arm()

    def _await_reply(self, now: float) -> None:
        """Who waits already has waited since before: what goes on behind the scenes is nothing to hear."""
        if not self._replying:
            self._quiet_since = now
        self._replying = True

    def _utterance_finished(self, now: float) -> list[c.TurnCommand]:
        self._replying = self._audible = False
        if self.state is not _S.SPEAKING:
            return self._arm()
        self._step(_T.UTTERANCE_FINISHED)
        restarted = self._restart_no_input(now)
        if self._talking:
            return [*restarted, *self._begin_turn()]
        return [*restarted, *self._late_answer(now)]

    def _late_answer(self, now: float) -> list[c.TurnCommand]:
        """A "yes" over the last word of a question is its answer."""
        murmur, self._murmur = self._murmur, None
        if murmur is None or now - murmur[1] > self._config.barge_in.late_answer_ms / 1000:
            return []
        return [c.TakeBackChannel(*murmur)]

    def _reply_empty(self, now: float) -> list[c.TurnCommand]:
        self._replying, self._greeted = False, True
        if self.state is _S.THINKING:
            self._step(_T.REPLY_EMPTY)
        if self._no_input_ms:
            soonest = now + self._config.noise_grace_ms / 1000
            self._no_input_at = max(self._no_input_at or 0.0, soonest)
        if self.state is _S.LISTENING and self._talking:
            return self._begin_turn()
        return self._arm()

    def _bridge(self, now: float) -> list[c.TurnCommand]:
        """Silence is as long to callers the third time: the interval stays the same."""
        self._quiet_since = now
        return [c.ReplyLate(), *self._arm()]

    # ------------------------------------------------------------ keypad and hand-over

    def _key_pressed(self, now: float) -> list[c.TurnCommand]:
        commands: list[c.TurnCommand] = []
        if self.state in (_S.YIELDED, _S.DECIDING):
            cut = self._audible and self._interruptible
            commands.append(c.DropRecognition())
            if cut:
                self._step(_T.BARGE_IN_REJECTED)
            else:
                commands += self._give_back_floor(now)
        if self.state is _S.SPEAKING and self._interruptible:
            self._step(_T.UTTERANCE_FINISHED)
            self._replying = self._audible = False
            commands.append(c.CutPlayout(c.CutReason.KEYPAD))
        return [*commands, *self._restart_no_input(now)]

    def _turn_settled(self, now: float) -> list[c.TurnCommand]:
        commands = self._key_pressed(now)
        match self.state:
            case _S.CALLER_SPEAKING:
                self._step(_T.SPEECH_STOPPED)
                self._step(_T.TURN_ENDED)
                commands.append(c.DropRecognition())
            case _S.ENDPOINTING:
                self._step(_T.TURN_ENDED)
                commands.append(c.DropRecognition())
            case _S.THINKING:
                commands.append(c.DropReply())
            case _:
                pass
        if self.state is _S.SUSPENDED:
            self._replying = False
        else:
            self._await_reply(now)
        return [*commands, *self._arm()]

    def _suspended(self) -> list[c.TurnCommand]:
        if self.state is _S.SUSPENDED:
            return []
        self._step(_T.AGENT_SUSPENDED)
        self._replying = self._audible = False
        return [c.CutPlayout(c.CutReason.SUSPENDED), c.DropRecognition(), *self._arm()]

    # ------------------------------------------------------------ plumbing

    def _step(self, trigger: TurnTrigger) -> None:
        self.state = TURN_TABLE.next(self.state, trigger)

    def _restart_no_input(self, now: float) -> list[c.TurnCommand]:
        self._no_input_at = now + self._no_input_ms / 1000 if self._no_input_ms else None
        return self._arm()

    def _arm(self) -> list[c.TurnCommand]:
        """Set the one deadline of the present state. Returns nothing to do, for use at the end of a handler."""
        self._deadline = self._next_deadline()
        return []

    def _next_deadline(self) -> float | None:
        config = self._config
        match self.state:
            case _S.LISTENING if self._replying:
                return self._quiet_since + config.reply_late_ms / 1000
            case _S.LISTENING:
                return None if self._talking else self._no_input_at
            case _S.CALLER_SPEAKING:
                return self._onset_at + config.endpointing.max_turn_ms / 1000
            case _S.ENDPOINTING:
                return self._offset_at + self._silence_needed_ms() / 1000
            case _S.THINKING:
                return self._quiet_since + config.reply_late_ms / 1000
            case _S.SPEAKING:
                overlap = self._talking and self._interruptible
                return self._onset_at + config.barge_in.overlap_ms / 1000 if overlap else None
            case _S.YIELDED:
                wait_ms = self._confirm_ms() if self._settled else config.barge_in.settle_ms
                return self._onset_at + wait_ms / 1000
            case _S.DECIDING:
                return self._offset_at + config.barge_in.decide_ms / 1000
            case _S.SUSPENDED:
                return None
            case _:
                assert_never(self.state)
