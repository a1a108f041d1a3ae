"""What a caller's turn changes: answers, corrections, "repeat", silence, and the end of patience."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from voicegw.agents.actions import AnswerCall, ConsentAnswered, Hangup, Say, Transfer
from voicegw.agents.agent import CallerTurn, TurnKind
from voicegw.agents.entities.slot import Digits
from voicegw.agents.flow_walk import FlowWalker
from voicegw.agents.global_intents import LIKELY, SURE, GlobalIntent
from voicegw.agents.questions import (
    AskFor,
    Confirm,
    ConfirmQuestion,
    Consented,
    ConsentQuestion,
    Correct,
    Fill,
    Go,
    Outcome,
    Question,
    Rejected,
)
from voicegw.base.causes import HangupCause


class Answers:
    """Turns in, changes of the walker's state out."""

    def __init__(self, walker: FlowWalker) -> None:
        self._walker = walker

    def take(self, turn: CallerTurn, now: datetime) -> None:
        """Let the turn change what is to be done next."""
        state, texts = self._walker.state, self._walker.texts
        question = state.question
        if turn.kind is TurnKind.TRANSFER_FAILED:
            self._transfer_failed()
        if turn.kind is TurnKind.ANSWERED and isinstance(state.ending, AnswerCall):
            state.ending, state.early = None, False
        if state.ending is not None:
            return
        if not state.started:
            self._start()
        elif question is None:
            return
        elif turn.kind is TurnKind.SPEECH:
            state.asr_down = False
            self._speech(question, turn, now)
        elif turn.kind is TurnKind.DTMF:
            self._keys(question, turn.dtmf, now)
        elif turn.kind is TurnKind.NO_INPUT:
            self._no_input(question, self._walker.text(texts.no_input))
        elif turn.kind is TurnKind.ASR_DOWN:
            state.asr_down = True
            self._no_input(question, self._walker.text(texts.asr_down))
        else:
            self._ask_again(question)

    def change_language(self, language: str) -> bool:
        """The caller speaks another language: go where the script has it, if it does."""
        known = self._walker.flow.script.languages.get(language)
        if known is None or known.goto is None or self._walker.state.ending is not None:
            return False
        self._walker.speak(language)
        self._walker.move(self._walker.flow.index[known.goto])
        return True

    def wish_to_leave(self, turn: CallerTurn) -> GlobalIntent | None:
        """What the caller of a model's step wants that is the script's business, not the model's."""
        if turn.kind is TurnKind.DTMF and turn.dtmf == "0":
            return GlobalIntent.HUMAN
        found = self._walker.flow.globals.match(turn.text, SURE) if turn.kind is TurnKind.SPEECH else None
        return found if found is not GlobalIntent.REPEAT else None

    def _start(self) -> None:
        walker = self._walker
        walker.state.started = True
        script = walker.flow.script
        if script.greeting is not None:
            walker.state.greeting = Say(walker.text(script.greeting), script.greeting_interruptible)
            walker.say(walker.state.greeting)

    def _transfer_failed(self) -> None:
        """Nobody took the call: go on where the script says, or part with the words that it has for this."""
        state, flow = self._walker.state, self._walker.flow
        ending, state.ending = state.ending, None
        if not isinstance(ending, Transfer):
            return
        at_step = state.position < len(flow.script.steps)
        step = flow.step(state.position).transfer if at_step else None
        if step is not None and step.on_failure is not None:
            self._walker.move(flow.index[step.on_failure])
            return
        self._walker.out.append(Say(ending.apology))
        state.ending = Hangup()

    def _speech(self, question: Question, turn: CallerTurn, now: datetime) -> None:
        """A global that is sure, then an answer, then a global that is likely, then "sorry?"."""
        globals_ = self._walker.flow.globals
        if found := globals_.match(turn.text, SURE):
            self._global(found, question)
        elif (outcome := question.answer(turn.text, turn.confidence, now)) is not None:
            self._carry_out(outcome, question)
        elif found := globals_.match(turn.text, LIKELY):
            self._global(found, question)
        else:
            self._no_match(question)

    def _keys(self, question: Question, keys: str, now: datetime) -> None:
        if (outcome := question.keys(keys, now)) is not None:
            self._carry_out(outcome, question)
        elif keys == "0":
            self._walker.leave_by(GlobalIntent.HUMAN)
        else:
            self._no_match(question)

    def _global(self, intent: GlobalIntent, question: Question) -> None:
        if intent is GlobalIntent.REPEAT:
            self._repeat(question)
        else:
            self._walker.leave_by(intent)

    def _repeat(self, question: Question) -> None:
        """All of the last reply; the greeting only if it was not heard."""
        state = self._walker.state
        state.no_inputs = 0
        skip = state.greeting if state.heard_all else None
        self._walker.out += [say for say in state.content if say is not skip]
        self._walker.listen(question)

    # ------------------------------------------------------------ outcomes

    def _carry_out(self, outcome: Outcome, question: Question) -> None:
        walker = self._walker
        match outcome:
            case Fill():
                walker.fill(outcome.name, outcome.value, outcome.confirmed)
                back = walker.state.return_to
                walker.move(walker.after() if back is None else back)
            case Go():
                walker.move(walker.flow.index[outcome.target])
            case Confirm():
                self._confirm(outcome, question)
            case Correct():
                for name, value in outcome.values.items():
                    walker.fill(name, value)
                walker.state.no_inputs = walker.state.no_matches = 0
                walker.ask(question, walker.text(walker.texts.corrected))
            case AskFor():
                self._ask_for(outcome.variable, question)
            case Consented():
                self._consented(outcome, question)
            case Rejected():
                self._rejected(question)
            case _:
                assert_never(outcome)

    def _consented(self, outcome: Consented, question: Question) -> None:
        """Tell it and go on; after a no where the script says."""
        walker = self._walker
        asked = walker.text(question.prompt)
        walker.out.append(ConsentAnswered(asked, outcome.answer, outcome.given))
        step = walker.flow.step(walker.state.position).consent
        elsewhere = step.refused if step is not None and not outcome.given else None
        walker.move(walker.after() if elsewhere is None else walker.flow.index[elsewhere])

    def _confirm(self, outcome: Confirm, question: Question) -> None:
        """Read the value back."""
        walker, position = self._walker, self._walker.state.position
        ask = walker.flow.step(position).ask
        if ask is None:
            self._no_match(question)
            return
        slot = walker.flow.slots[position]
        value, texts = outcome.value, walker.texts
        readable = slot.spoken(value) if isinstance(value, str) and not isinstance(value, Digits) else value
        walker.state.variables["value"] = readable
        walker.state.no_inputs = 0
        boost = walker.flow.boost(position, confirming=True)
        read_back = ConfirmQuestion(ask, slot, value, ask.confirm_prompt or texts.confirm, boost)
        walker.ask(read_back, walker.text(texts.corrected) if outcome.corrected else "")

    def _ask_for(self, variable: str, question: Question) -> None:
        """A detour to the question about one variable, and back here."""
        walker, here = self._walker, self._walker.state.position
        found = walker.flow.asks_for(variable)
        if found is None:
            self._no_match(question)
            return
        walker.move(found[0])
        walker.state.return_to = here

    def _rejected(self, question: Question) -> None:
        walker = self._walker
        walker.state.no_matches += 1
        if walker.state.no_matches >= walker.flow.script.limits.max_no_match:
            self._give_up(HangupCause.AGENT_HANGUP)
            return
        original = walker.flow.question(walker.state.position)
        walker.ask(original or question, walker.text(walker.texts.rejected))

    # ------------------------------------------------------------ asking again and giving up

    def _no_match(self, question: Question) -> None:
        walker = self._walker
        walker.state.no_matches += 1
        walker.state.no_inputs = 0
        if walker.state.no_matches >= walker.flow.script.limits.max_no_match:
            self._give_up(HangupCause.AGENT_HANGUP)
        else:
            apology = walker.text(walker.texts.no_match)
            self._ask_again(question, walker.state.no_matches, apology)

    def _no_input(self, question: Question, apology: str) -> None:
        walker = self._walker
        walker.state.no_inputs += 1
        if walker.state.no_inputs >= walker.flow.script.limits.max_no_input:
            self._give_up(HangupCause.NO_INPUT)
        else:
            self._ask_again(question, walker.state.no_inputs, apology)

    def _ask_again(self, question: Question, times: int = 0, apology: str = "") -> None:
        """The author's own wording for this failure, else the apology and the question; by keypad if need be."""
        walker = self._walker
        if walker.state.asr_down:
            # Not to be cut off: whoever talks to a deaf agent must hear that it is deaf.
            walker.out.append(Say(f"{apology} Please {question.keypad.hint}.".strip(), interruptible=False))
            walker.listen(question)
        elif times and question.again:
            walker.state.content = ()
            walker.say(Say(walker.text(question.again[min(times, len(question.again)) - 1])))
            walker.listen(question)
        else:
            walker.ask(question, apology)

    def _give_up(self, cause: HangupCause) -> None:
        walker = self._walker
        if isinstance(walker.state.question, ConsentQuestion):
            self._consented(Consented(given=False, answer=""), walker.state.question)
            return
        texts, limits = walker.texts, walker.flow.script.limits
        if text := walker.text(texts.gave_up):
            walker.out.append(Say(text))
        if limits.give_up == "human":
            walker.leave_by(GlobalIntent.HUMAN)
        else:
            walker.hang_up(texts.goodbye, cause)
