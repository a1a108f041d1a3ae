"""The way down when the models of an agent are dead: script, keypad menu, person, last words. Never silence.

Each rung is used only if the agent has it; the last one needs nothing. A call stays on the rung it came to, but
for two cases: the menu that is offered because the caller cannot be heard is left as soon as they can be, and the
models are asked again when a person gives the call back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from voicegw.agents.actions import AgentAction, DtmfPolicy, Gather, Hangup, Say, ServiceMoved, Transfer
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, TurnKind
from voicegw.agents.ladder_model import LadderMenu, LadderModel, MenuChoice
from voicegw.base.causes import HangupCause

ONE_KEY = DtmfPolicy(max_digits=1, terminator="")
MAX_DEAF_TURNS = 3
"""Without a menu: after so many turns in a row that nobody could hear, the agent steps down."""


class Rung(Enum):
    """Who serves the call, from top to bottom; the values stand in the record."""

    MODEL = "model"
    SCRIPT = "script"
    MENU = "menu"
    HUMAN = "human"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class LadderTexts:
    """What the agent says when it must step down, and when it cannot hear."""

    failed: str
    asr_down: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands. ``deaf``: the menu is offered because the caller cannot be heard."""

    rung: Rung = Rung.MODEL
    deaf: bool = False
    misses: int = 0
    deaf_turns: int = 0


class Ladder:
    """The rungs of one call below its models. ``place`` may be kept and put back: it is all the state there is."""

    def __init__(
        self, model: LadderModel, texts: LadderTexts, no_input_ms: int, script: AgentSession | None
    ) -> None:
        self.place = Place()
        self._model = model
        self._texts = texts
        self._no_input_ms = no_input_ms
        self._script = script

    @property
    def serves(self) -> bool:
        """Whether turns are answered here and not by a model."""
        return self.place.deaf or self.place.rung is not Rung.MODEL

    @property
    def scripted(self) -> AgentSession | None:
        """The script, if it is what serves the call."""
        return self._script if self.place.rung is Rung.SCRIPT and not self.place.deaf else None

    def hear(self, turn: CallerTurn) -> tuple[ServiceMoved, ...]:
        """What the turn says about hearing. Comes before the question whether the ladder serves."""
        place = self.place
        if turn.kind is TurnKind.ASR_DOWN:
            self.place = replace(place, deaf_turns=place.deaf_turns + 1)
            if self._model.menu is None or place.deaf or place.rung not in (Rung.MODEL, Rung.SCRIPT):
                return ()
            self.place = replace(self.place, deaf=True, misses=0)
            return (ServiceMoved(Rung.MENU.value, "the caller cannot be heard"),)
        if turn.kind is TurnKind.SPEECH:
            self.place = replace(place, deaf=False, deaf_turns=0)
            return (ServiceMoved(place.rung.value, "the caller can be heard again"),) if place.deaf else ()
        if turn.kind is TurnKind.HANDED_BACK and self.serves:
            self.place = Place()
            return (ServiceMoved(Rung.MODEL.value, "a person gave the call back"),)
        return ()

    @property
    def given_up_hearing(self) -> bool:
        """Whether a model was left without ears for too long and there is no menu to help."""
        return self.place.rung is Rung.MODEL and not self.place.deaf and self.place.deaf_turns >= MAX_DEAF_TURNS

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """Answer a turn on the rung where the call stands."""
        menu = self._model.menu
        if menu is not None and (self.place.deaf or self.place.rung is Rung.MENU):
            async for action in self._choose(menu, turn, context):
                yield action
        elif self._script is not None and self.place.rung is Rung.SCRIPT:
            async for action in self._script.reply(turn, context):
                yield action
        else:
            async for action in self.step_down("nobody took the call", context):
                yield action

    async def step_down(self, reason: str, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """To the next rung that the agent has, and its first words."""
        from_model = self.place.rung is Rung.MODEL and not self.place.deaf
        rung = self._below(Rung.MENU if self.place.deaf else self.place.rung)
        self.place = Place(rung)
        yield ServiceMoved(rung.value, reason)
        match rung:
            case Rung.SCRIPT if self._script is not None:
                yield Say(self._texts.failed)
                async for action in self._script.reply(CallerTurn(TurnKind.CALL_STARTED), context):
                    yield action
            case Rung.MENU if self._model.menu is not None:
                yield Say(self._texts.failed)
                for action in self._offer(self._model.menu):
                    yield action
            case Rung.HUMAN:
                if from_model:
                    yield Say(self._texts.failed)
                for action in self._transfer(self._model.human):
                    yield action
            case _:
                for action in self._end(self._model.message, HangupCause.PROVIDERS_DOWN):
                    yield action

    def _below(self, rung: Rung) -> Rung:
        here = {
            Rung.SCRIPT: self._script is not None,
            Rung.MENU: self._model.menu is not None,
            Rung.HUMAN: bool(self._model.human),
            Rung.MESSAGE: True,
        }
        order = list(Rung)
        return next((one for one in order[order.index(rung) + 1 :] if here[one]), Rung.MESSAGE)

    # ------------------------------------------------------------ the menu

    async def _choose(
        self, menu: LadderMenu, turn: CallerTurn, context: AgentContext
    ) -> AsyncGenerator[AgentAction, None]:
        if turn.kind is TurnKind.TRANSFER_FAILED:
            async for action in self.step_down("nobody took the call", context):
                yield action
            return
        choice = menu.keys.get(turn.dtmf) if turn.kind is TurnKind.DTMF else None
        if choice is not None:
            self.place = replace(self.place, misses=0)
            for action in self._take(menu, choice):
                yield action
            return
        misses = self.place.misses + (1 if self._is_miss(turn) else 0)
        self.place = replace(self.place, misses=misses)
        if misses > menu.max_misses:
            async for action in self.step_down("no key of the menu was pressed", context):
                yield action
            return
        if turn.kind is TurnKind.ASR_DOWN:
            yield Say(self._texts.asr_down, interruptible=False)
        for action in self._offer(menu):
            yield action

    def _is_miss(self, turn: CallerTurn) -> bool:
        """The turn that brought the menu was no answer to it."""
        return not (turn.kind is TurnKind.ASR_DOWN and self.place.deaf and self.place.deaf_turns == 1)

    def _take(self, menu: LadderMenu, choice: MenuChoice) -> Iterator[AgentAction]:
        if choice.transfer:
            yield from self._transfer(choice.transfer)
        elif choice.message:
            yield from self._end(choice.message, HangupCause.AGENT_HANGUP)
        else:
            yield Say(choice.say)
            yield from self._offer(menu)

    def _offer(self, menu: LadderMenu) -> Iterator[AgentAction]:
        yield Say(menu.prompt)
        yield Gather(dtmf=ONE_KEY, no_input_ms=self._no_input_ms)

    # ------------------------------------------------------------ ends

    def _transfer(self, target: str) -> Iterator[AgentAction]:
        yield Say(self._model.connecting, interruptible=False)
        yield Transfer(target, self._model.message)

    def _end(self, message: str, cause: HangupCause) -> Iterator[AgentAction]:
        yield Say(message, interruptible=False)
        yield Hangup(cause)
