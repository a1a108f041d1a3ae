"""Walks the steps of a script up to the next wait, and puts what is to be said into the outbox."""

from __future__ import annotations

from voicegw.agents.actions import (
    AgentAction,
    AnswerCall,
    Concealing,
    Disclosing,
    Ending,
    Gather,
    Hangup,
    PauseRecording,
    Say,
    SlotFilled,
    SwitchLanguage,
    Transfer,
)
from voicegw.agents.entities.slot import Value
from voicegw.agents.flow import Flow
from voicegw.agents.flow_graph import QUESTIONS
from voicegw.agents.flow_model import Step, Texts
from voicegw.agents.flow_state import FlowState
from voicegw.agents.global_intents import GlobalIntent
from voicegw.agents.questions import ConfirmQuestion, Question, dtmf_policy
from voicegw.agents.template import Template, plain
from voicegw.base.causes import HangupCause
from voicegw.dialplan.model import reject_cause

_NEEDS_ANSWER = (*QUESTIONS, "llm", "transfer", "answer")
"""Before the answer nothing is heard of a caller, and nobody can be moved."""
HUMAN_TARGET = "human"
"""Where a caller who asks for a person is transferred to, unless the script says otherwise."""


class FlowWalker:
    """Owns the state of one call; ``out`` collects the actions of the reply that is being made."""

    def __init__(self, flow: Flow, state: FlowState) -> None:
        self.flow = flow
        self.state = state
        self.out: list[AgentAction] = []

    @property
    def texts(self) -> Texts:
        """The standing sentences in the language of the moment."""
        return self.flow.script.texts_in(self.state.language)

    def speak(self, language: str) -> None:
        """Go on in another language."""
        self.state.language = language
        self.out.append(SwitchLanguage(language))

    # ------------------------------------------------------------ walking

    def advance(self) -> Step | None:
        """Walk until the reply has its ending; a step if a web service or a language model must be asked first."""
        for _ in range(self.flow.script.limits.max_steps):
            if self.state.ending is not None:
                self._finish(self.state.ending)
                return None
            if self.state.question is not None:
                return None
            if self.state.position >= len(self.flow.script.steps):
                self.hang_up(self.texts.goodbye)
                continue
            step = self.flow.step(self.state.position)
            if self.state.early and step.kind in _NEEDS_ANSWER:
                self.state.ending = AnswerCall()
                continue
            if step.webhook is not None or step.llm is not None:
                return step
            self._run(step)
        self.out.clear()
        self.hang_up(self.texts.failed, HangupCause.INTERNAL_ERROR)
        self._finish(Hangup(HangupCause.INTERNAL_ERROR))
        return None

    def _finish(self, ending: Ending) -> None:
        if not self.out or self.out[-1] != ending:
            self.out.append(ending)

    def _run(self, step: Step) -> None:
        state, texts = self.state, self.texts
        if step.say is not None:
            self.say(Say(self.text(step.say.text), step.say.interruptible))
            state.position = self.after()
        elif step.disclose is not None:
            self._disclose(self.text(step.disclose.text))
            state.position = self.after()
        elif step.language is not None:
            self.speak(step.language)
            state.position = self.after()
        elif step.recording is not None:
            self.out.append(PauseRecording(step.recording == "pause"))
            state.position = self.after()
        elif step.set is not None:
            for name, value in step.set.items():
                state.variables[name] = value.value(state.variables) if isinstance(value, Template) else value
            state.position = self.after()
        elif step.branch is not None:
            state.position = self._branch(step)
        elif step.goto is not None:
            state.position = self.flow.index[step.goto]
        elif step.answer is not None:
            state.position = self.after()
        elif step.refuse is not None:
            last_words = self.text(step.refuse.say) if step.refuse.say is not None else ""
            self._end(last_words, reject_cause(step.refuse.cause)[0])
        elif step.transfer is not None:
            self.transfer(step.transfer.target.plain(state.variables), step.transfer.say or texts.no_human)
        elif step.hangup is not None:
            self.hang_up(step.hangup.say or texts.goodbye)
        elif (question := self.flow.question(state.position)) is not None:
            self.ask(question)

    def _disclose(self, text: str) -> None:
        self.out.append(Disclosing(text))
        self.say(Say(text, interruptible=False))

    def _branch(self, step: Step) -> int:
        for case in step.branch or ():
            holds = case.if_ is None or case.if_.holds(self.state.variables)
            target = case.goto if case.else_ is None else case.else_
            if holds and target is not None:
                return self.flow.index[target]
        return self.after()

    def after(self) -> int:
        """The position after the current step."""
        step = self.flow.step(self.state.position)
        return self.flow.index[step.next] if step.next is not None else self.state.position + 1

    def move(self, position: int) -> None:
        """Something was understood: go there with a clean slate."""
        state = self.state
        state.position = position
        state.question = None
        state.return_to = None
        state.no_inputs = state.no_matches = 0
        state.content = ()

    # ------------------------------------------------------------ saying, asking, ending

    def text(self, template: Template) -> str:
        """The text with the variables of this moment."""
        return template.spoken(self.state.variables, self.state.language or self.flow.script.language)

    def say(self, say: Say) -> None:
        """Say something worth repeating."""
        if say.text:
            self.out.append(say)
            self.state.content = (*self.state.content, say)

    def ask(self, question: Question, before: str = "") -> None:
        """Say ``before`` and the question, and listen."""
        if self.state.question is not None:
            self.state.content = ()
        if before:
            self.out.append(Say(before))
        asked = self.text(question.prompt)
        if isinstance(question, ConfirmQuestion) and question.step.sensitive:
            self.out.append(Concealing(asked))
        self.say(Say(asked))
        if self.state.asr_down:
            self.out.append(Say(f"Please {question.keypad.hint}."))
        self.listen(question)

    def listen(self, question: Question) -> None:
        """End the reply with this question."""
        self.state.question = question
        ask = self.flow.step(self.state.position).ask
        own = ask.no_input_ms if ask else None
        sensitive = ask is not None and ask.sensitive
        self.out.append(
            Gather(
                phrases=self.flow.expected(self.state.position),
                boost=question.boost,
                grammar=question,
                dtmf=dtmf_policy(question.keypad),
                no_input_ms=own or self.flow.script.limits.no_input_ms,
                patient=question.patient,
                sensitive=sensitive,
            )
        )

    def fill(self, name: str, value: Value, confirmed: bool = False) -> None:
        """Save what the caller said."""
        self.state.variables[name] = value
        self.state.collected[name] = plain(value)
        sensitive = self.flow.sensitive(name)
        self.out.append(SlotFilled(name, plain(value), confirmed, sensitive))

    def leave_by(self, intent: GlobalIntent, cause: HangupCause = HangupCause.AGENT_HANGUP) -> None:
        """Go to a person, or to the end of the call, as the script has it."""
        script = self.flow.script
        human = intent is GlobalIntent.HUMAN
        target = script.globals.human.goto if human else script.globals.goodbye.goto
        if target is not None and cause is HangupCause.AGENT_HANGUP:
            self.move(self.flow.index[target])
        elif human:
            self.transfer(HUMAN_TARGET, self.texts.no_human)
        else:
            self.hang_up(self.texts.goodbye, cause)

    def transfer(self, target: str, apology: Template) -> None:
        """End the reply, and our part in the call."""
        self.state.question = None
        self.state.ending = Transfer(target, self.text(apology))

    def hang_up(self, last_words: Template, cause: HangupCause = HangupCause.AGENT_HANGUP) -> None:
        """Say the last words and end the call."""
        self._end(self.text(last_words), cause)

    def _end(self, last_words: str, cause: HangupCause) -> None:
        self.state.question = None
        if last_words:
            self.out.append(Say(last_words))
        self.state.ending = Hangup(cause)
