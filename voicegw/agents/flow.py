"""A script made ready to run: slots built, phrases gathered, names looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voicegw.agents.agent import Expectation
from voicegw.agents.entities import yes_no
from voicegw.agents.entities.slot import Slot
from voicegw.agents.entities.words import tokens
from voicegw.agents.flow_model import AskStep, FlowFile, Step
from voicegw.agents.global_intents import GlobalMatcher
from voicegw.agents.intents import IntentMatcher
from voicegw.agents.questions import ConsentQuestion, IntentQuestion, MenuQuestion, Question, SlotQuestion
from voicegw.agents.slots import build_slot
from voicegw.agents.template import Variable

MAX_CORRECTIONS = 100
"""At a read-back yes and no matter most; this many wordings of another value are expected beside them."""
KEY_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class Flow:
    """A checked script with all that can be worked out before the first call. Immutable; shared by calls."""

    script: FlowFile
    file: str
    index: Mapping[str, int]
    """Step name → position."""
    slots: Mapping[int, Slot]
    """Position of an ask step → what understands its answers."""
    matchers: Mapping[int, IntentMatcher]
    """Position of a menu or intent step → the same."""
    boosts: Mapping[int, tuple[str, ...]]
    """Position of a question → what callers say to it."""
    globals: GlobalMatcher
    phrases: tuple[str, ...]
    """Everything that callers may say: see :func:`agent_phrases`."""
    start_values: Mapping[str, Variable]

    @property
    def name(self) -> str:
        """As the dialplan calls it."""
        return self.script.name

    def step(self, position: int) -> Step:
        """The step at ``position``."""
        return self.script.steps[position]

    def boost(self, position: int, *, confirming: bool = False) -> tuple[str, ...]:
        """What callers say to the question at ``position``, or to the read-back of its answer."""
        own = self.boosts.get(position, ())
        return tuple(dict.fromkeys((*yes_no.COMMON, *own[:MAX_CORRECTIONS]))) if confirming else own

    def expected(self, position: int) -> tuple[str, ...]:
        """All that makes sense as an answer at ``position``: to the question, corrections, and the globals.

        Less than what the whole agent understands, on purpose: what would not be understood here must not
        compete in the recogniser ("six two" is not "eight p.m." where digits are asked for).
        """
        ask = self.step(position).ask
        own = [*self.boost(position), *yes_no.COMMON, *self.globals.phrases]
        for name in ask.corrects if ask else ():
            place = self.asks_for(name)
            own += self.boost(place[0]) if place else ()
        return tuple(dict.fromkeys(own))

    def expectations(self) -> tuple[Expectation, ...]:
        """What may be listened for, for every question and every read-back: the models to compile ahead."""
        found: dict[Expectation, None] = {}
        for position, step in enumerate(self.script.steps):
            if step.llm and step.llm.hints:
                found[Expectation(step.llm.hints, ())] = None
            if self.question(position) is None:
                continue
            found[Expectation(self.expected(position), self.boost(position))] = None
            if step.ask and step.ask.type not in ("yes_no", "text") and step.ask.confirm != "never":
                found[Expectation(self.expected(position), self.boost(position, confirming=True))] = None
        return tuple(found)

    def question(self, position: int) -> Question | None:
        """The question that the step at ``position`` asks; None if it asks nothing."""
        step = self.step(position)
        boost = self.boost(position)
        if step.ask:
            slot, low = self.slots[position], self.script.limits.low_confidence
            return SlotQuestion(step.ask, slot, boost, low, self._correctable(step.ask))
        if step.consent:
            return ConsentQuestion(step.consent, boost)
        if step.menu:
            return MenuQuestion(step.menu, self.matchers[position], boost)
        if step.intent:
            labels = tuple(self.script.intents[name].phrases[0] for name in step.intent.on)
            return IntentQuestion(step.intent, self.matchers[position], boost, labels)
        return None

    def _correctable(self, ask: AskStep) -> dict[str, Slot]:
        found = {name: self.asks_for(name) for name in ask.corrects}
        return {name: self.slots[place[0]] for name, place in found.items() if place}

    def sensitive(self, variable: str) -> bool:
        """Whether any step that finds ``variable`` out declares it so."""
        steps = self.script.steps
        asked = (step.ask.sensitive for step in steps if step.ask and step.ask.save == variable)
        collected = (
            step.llm.collect[variable].sensitive for step in steps if step.llm and variable in step.llm.collect
        )
        return any((*asked, *collected))

    def asks_for(self, variable: str) -> tuple[int, AskStep] | None:
        """The first ask step that saves ``variable``."""
        for position, step in enumerate(self.script.steps):
            if step.ask and step.ask.save == variable:
                return position, step.ask
        return None


def compile_flow(script: FlowFile, file: str, start_values: Mapping[str, Variable]) -> Flow:
    """Work everything out; the script must have passed :func:`voicegw.agents.flow_check.check_flow`."""
    slots = {i: build_slot(step.ask) for i, step in enumerate(script.steps) if step.ask}
    examples = {i: found for i, step in enumerate(script.steps) if (found := _examples(script, step))}
    boosts = {i: slot.phrases() for i, slot in slots.items()}
    boosts |= {i: yes_no.COMMON for i, step in enumerate(script.steps) if step.consent}
    boosts |= {i: _words(sum(found.values(), ())) for i, found in examples.items()}
    globals_ = GlobalMatcher(script.globals)
    index = {step.id: i for i, step in enumerate(script.steps) if step.id}
    return Flow(
        script=script,
        file=file,
        index=index,
        slots=slots,
        matchers={i: IntentMatcher(found) for i, found in examples.items()},
        boosts=boosts,
        globals=globals_,
        phrases=_all_phrases(boosts, globals_),
        start_values=start_values,
    )


def agent_phrases(flow: Flow) -> tuple[str, ...]:
    """All sentences that callers of this agent may say, in plain lower-case words, each once."""
    return flow.phrases


def _examples(script: FlowFile, step: Step) -> dict[str, tuple[str, ...]]:
    """What is said to a menu (by key) or to an intent question (by intent)."""
    if step.menu:
        return {key: (*item.phrases, *_key_phrases(key)) for key, item in step.menu.keys.items()}
    if step.intent:
        return {name: script.intents[name].phrases for name in step.intent.on}
    return {}


def _key_phrases(key: str) -> tuple[str, ...]:
    if not key.isdigit():
        return ()
    word = KEY_WORDS[int(key)]
    return (word, f"number {word}", f"option {word}", f"press {word}")


def _words(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Phrases of the author as a recogniser writes them."""
    return tuple(dict.fromkeys(" ".join(tokens(phrase)) for phrase in phrases))


def _all_phrases(boosts: Mapping[int, tuple[str, ...]], globals_: GlobalMatcher) -> tuple[str, ...]:
    every = [phrase for boost in boosts.values() for phrase in boost]
    return tuple(dict.fromkeys([*every, *yes_no.COMMON, *globals_.phrases]))
