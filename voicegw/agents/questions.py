"""Questions: what each expects, and what an answer to it means. They decide; the session carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from voicegw.agents.actions import NO_DTMF, DtmfPolicy
from voicegw.agents.corrections import find_corrections, named_variable
from voicegw.agents.entities.slot import Keypad, Slot, Value
from voicegw.agents.entities.words import tokens
from voicegw.agents.entities.yes_no import YesNoSlot
from voicegw.agents.flow_model import AskStep, ConsentStep, IntentStep, MenuStep
from voicegw.agents.intents import IntentMatcher
from voicegw.agents.template import Template

_YES_NO = YesNoSlot()


@dataclass(frozen=True, slots=True)
class Fill:
    """The answer is understood: save it and go on."""

    name: str
    value: Value
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Confirm:
    """Read this value back before saving it. ``corrected``: the caller has just changed it."""

    value: Value
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """Go to this step."""

    target: str


@dataclass(frozen=True, slots=True)
class Correct:
    """These variables are something else: save them and ask this question again."""

    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class AskFor:
    """This variable is wrong: ask for it, then come back to this question."""

    variable: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The value read back is wrong, and the right one was not said."""


@dataclass(frozen=True, slots=True)
class Consented:
    """The caller said yes or no to being recorded."""

    given: bool
    answer: str


Outcome: TypeAlias = Fill | Confirm | Go | Correct | AskFor | Rejected | Consented


class Question(Protocol):
    """Something that waits for an answer."""

    @property
    def prompt(self) -> Template:
        """What is asked."""
        ...

    @property
    def again(self) -> tuple[Template, ...]:
        """What is asked after failures; may be empty."""
        ...

    @property
    def keypad(self) -> Keypad:
        """How it can be keyed in."""
        ...

    @property
    def patient(self) -> bool:
        """Whether pauses inside the answer are normal."""
        ...

    @property
    def boost(self) -> tuple[str, ...]:
        """What callers say to it."""
        ...

    def answer(self, text: str, confidence: float, now: datetime, /) -> Outcome | None:
        """What the spoken answer means; None if nothing."""
        ...

    def keys(self, keys: str, now: datetime, /) -> Outcome | None:
        """What the keys mean; None if nothing."""
        ...

    def is_complete(self, partial: str, /) -> bool:
        """See :class:`voicegw.agents.actions.Grammar`."""
        ...


def dtmf_policy(keypad: Keypad) -> DtmfPolicy:
    """Keys are collected as the keypad entry says."""
    return DtmfPolicy(max_digits=keypad.max_digits) if keypad.max_digits else NO_DTMF


@dataclass(frozen=True, slots=True)
class SlotQuestion:
    """An ``ask`` step. ``correctable``: slots of the variables that a "no, …" may change."""

    step: AskStep
    slot: Slot
    boost: tuple[str, ...]
    low_confidence: float
    correctable: Mapping[str, Slot]

    @property
    def prompt(self) -> Template:
        return self.step.prompt

    @property
    def again(self) -> tuple[Template, ...]:
        return self.step.again

    @property
    def keypad(self) -> Keypad:
        return self.slot.keypad

    @property
    def patient(self) -> bool:
        return self.slot.patient

    def answer(self, text: str, confidence: float, now: datetime, /) -> Outcome | None:
        parsed = self.slot.parse(text, now)
        if self.correctable and (parsed is None or not parsed.certain):
            if values := find_corrections(text, self.correctable, now):
                return Correct(values)
            if (parsed is None or not parsed.value) and (name := named_variable(text, self.correctable)):
                return AskFor(name)
        if parsed is None:
            return None
        doubtful = confidence < self.low_confidence or not parsed.certain
        return self._accept(parsed.value, doubtful)

    def _accept(self, value: Value, doubtful: bool) -> Outcome:
        if self.step.type in ("yes_no", "text") or self.step.confirm == "never":
            return Fill(self.step.save, value)
        if self.step.confirm == "always" or doubtful:
            return Confirm(value)
        return Fill(self.step.save, value)

    def keys(self, keys: str, now: datetime, /) -> Outcome | None:
        value = self.slot.parse_keys(keys, now)
        return None if value is None else self._accept(value, doubtful=False)

    def is_complete(self, partial: str, /) -> bool:
        return self.slot.is_complete(partial)


@dataclass(frozen=True, slots=True)
class ConfirmQuestion:
    """The read-back of a value; a better value in the answer replaces it."""

    step: AskStep
    slot: Slot
    value: Value
    prompt: Template
    boost: tuple[str, ...]

    @property
    def again(self) -> tuple[Template, ...]:
        return ()

    @property
    def keypad(self) -> Keypad:
        return _YES_NO.keypad

    @property
    def patient(self) -> bool:
        return False

    def answer(self, text: str, _confidence: float, now: datetime, /) -> Outcome | None:
        verdict = _YES_NO.parse(text, now)
        if verdict and verdict.value and verdict.certain:
            return self._confirmed()
        other = self.slot.parse(text, now)
        if other is not None and other.value != self.value:
            return Confirm(other.value, corrected=True)
        if verdict is None:
            return self._confirmed() if other is not None else None
        return self._confirmed() if verdict.value else Rejected()

    def _confirmed(self) -> Fill:
        return Fill(self.step.save, self.value, confirmed=True)

    def keys(self, keys: str, now: datetime, /) -> Outcome | None:
        verdict = _YES_NO.parse_keys(keys, now)
        if verdict is None:
            return None
        return self._confirmed() if verdict else Rejected()

    def is_complete(self, partial: str, /) -> bool:
        return _YES_NO.is_complete(partial)


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """A ``consent`` step."""

    step: ConsentStep
    boost: tuple[str, ...]

    @property
    def prompt(self) -> Template:
        return self.step.prompt

    @property
    def again(self) -> tuple[Template, ...]:
        return self.step.again

    @property
    def keypad(self) -> Keypad:
        return _YES_NO.keypad

    @property
    def patient(self) -> bool:
        return False

    def answer(self, text: str, _confidence: float, now: datetime, /) -> Outcome | None:
        verdict = _YES_NO.parse(text, now)
        return Consented(bool(verdict.value), text) if verdict is not None else None

    def keys(self, keys: str, now: datetime, /) -> Outcome | None:
        verdict = _YES_NO.parse_keys(keys, now)
        return Consented(bool(verdict), keys) if verdict is not None else None

    def is_complete(self, partial: str, /) -> bool:
        return _YES_NO.is_complete(partial)


@dataclass(frozen=True, slots=True)
class MenuQuestion:
    """A ``menu`` step."""

    step: MenuStep
    matcher: IntentMatcher
    boost: tuple[str, ...]

    @property
    def prompt(self) -> Template:
        return self.step.prompt

    @property
    def again(self) -> tuple[Template, ...]:
        return self.step.again

    @property
    def keypad(self) -> Keypad:
        return Keypad(1, _press({key: item.phrases[0] for key, item in self.step.keys.items()}))

    @property
    def patient(self) -> bool:
        return False

    def answer(self, text: str, _confidence: float, _now: datetime, /) -> Outcome | None:
        found = self.matcher.match(text)
        return Go(self.step.keys[found.name].goto) if found else None

    def keys(self, keys: str, _now: datetime, /) -> Outcome | None:
        item = self.step.keys.get(keys)
        return Go(item.goto) if item else None

    def is_complete(self, partial: str, /) -> bool:
        return " ".join(tokens(partial)) in self.boost


@dataclass(frozen=True, slots=True)
class IntentQuestion:
    """An ``intent`` step; by keypad, the intents are numbered in their order."""

    step: IntentStep
    matcher: IntentMatcher
    boost: tuple[str, ...]
    labels: tuple[str, ...]
    """The first phrase of each intent."""

    @property
    def prompt(self) -> Template:
        return self.step.prompt

    @property
    def again(self) -> tuple[Template, ...]:
        return self.step.again

    @property
    def keypad(self) -> Keypad:
        return Keypad(1, _press({str(i): label for i, label in enumerate(self.labels[:9], 1)}))

    @property
    def patient(self) -> bool:
        return False

    def answer(self, text: str, _confidence: float, _now: datetime, /) -> Outcome | None:
        found = self.matcher.match(text)
        if found:
            return Go(self.step.on[found.name])
        return Go(self.step.otherwise) if self.step.otherwise else None

    def keys(self, keys: str, _now: datetime, /) -> Outcome | None:
        targets = tuple(self.step.on.values())
        number = int(keys) if keys.isascii() and keys.isdigit() else 0
        return Go(targets[number - 1]) if 1 <= number <= len(targets) else None

    def is_complete(self, partial: str, /) -> bool:
        return " ".join(tokens(partial)) in self.boost


def _press(labels: Mapping[str, str]) -> str:
    parts = [f"press {'star' if key == '*' else key} for {label}" for key, label in labels.items()]
    return ", or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
