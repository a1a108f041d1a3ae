"""The models in one scripted call: which step is led by one, what it gave back, and what of it was heard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from types import MappingProxyType

from voicegw.agents.actions import AgentAction, Hangup, Say, StepFinished, SwitchLanguage
from voicegw.agents.agent import AgentContext, CallerTurn, CallFacts
from voicegw.agents.flow_llm import FAILED, Known, LlmStepKit, LlmStepRun, StepTools
from voicegw.agents.flow_walk import FlowWalker

NO_KITS: Mapping[int, LlmStepKit] = MappingProxyType({})
"""Where there are no models: every step that wants one fails at once."""


class FlowModels:
    """At most one step at a time is led by a model; it moves the walker when it is over."""

    def __init__(self, walker: FlowWalker, facts: CallFacts, kits: Mapping[int, LlmStepKit]) -> None:
        self.run: LlmStepRun | None = None
        self._walker = walker
        self._facts = facts
        self._kits = kits
        self._tools: StepTools | None = None
        self._left: LlmStepRun | None = None
        self._said: list[str] = []
        self._before: tuple[str, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether the reply has had its ending from the model."""
        return self.run is not None or self._walker.state.ending is not None

    def new_reply(self) -> None:
        """The one before it is over for good: so is a step that it ended."""
        if self._left is not None:
            self._left.settle()
            self._left = None
        self._said, self._before = [], ()

    def note(self, actions: Iterable[AgentAction]) -> None:
        """The reply says this too."""
        self._said += [action.text for action in actions if isinstance(action, Say)]

    def heard(self, text: str) -> None:
        """What was heard of the whole reply: the model is told of its own words in it."""
        if self.run is not None:
            before = len(" ".join(self._before).split())
            self.run.heard(" ".join(text.split()[before:]))

    def checkpoint(self) -> object:
        """What :meth:`restore` needs."""
        inner = self.run.checkpoint() if self.run is not None else None
        return self.run, inner, self._left, self._before

    def restore(self, checkpoint: object) -> None:
        """As if the replies since had not been."""
        match checkpoint:
            case (LlmStepRun() | None as run, inner, LlmStepRun() | None as left, tuple() as before):
                self.run, self._left, self._before = run, left, before
                if run is not None:
                    run.restore(inner)

    async def begin(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """The walker stands at a step for a model: hand it over."""
        state = self._walker.state
        kit = self._kits.get(state.position)
        if kit is None:
            self._take_back(StepFinished(FAILED))
            return
        self._tools = self._tools or StepTools(self._facts, kit)
        known = Known(state.variables, state.collected, state.language or self._walker.flow.script.language)
        self.run = LlmStepRun(kit, self._tools, known, turn, context)
        said = tuple(self._said)
        # What goes before an opening counts as the step's own; a model that begins itself is told of it.
        self._before = () if kit.step.say is not None else said
        async with aclosing(self._led(self.run.begin(said, context))) as actions:
            async for action in actions:
                yield action

    async def go_on(self, turn: CallerTurn, context: AgentContext) -> AsyncGenerator[AgentAction, None]:
        """A turn of the caller inside the step."""
        if self.run is None:
            return
        async with aclosing(self._led(self.run.reply(turn, context))) as actions:
            async for action in actions:
                yield action

    def leave(self) -> None:
        """The step is over without an outcome."""
        self.run, self._left = None, self.run

    async def _led(self, actions: AsyncGenerator[AgentAction, None]) -> AsyncGenerator[AgentAction, None]:
        finished: StepFinished | None = None
        async with aclosing(actions):
            async for action in actions:
                if isinstance(action, StepFinished):
                    finished = finished or action
                    continue
                if isinstance(action, SwitchLanguage):
                    self._walker.state.language = action.language
                if isinstance(action, Hangup):
                    # After a transfer that does not come about the model has the caller back.
                    self.leave()
                    self._walker.state.ending = action
                self.note([action])
                yield action
        if finished is not None:
            self._take_back(finished)

    def _take_back(self, finished: StepFinished) -> None:
        """The script goes on with what the model found out."""
        walker = self._walker
        step = walker.flow.step(walker.state.position).llm
        assert step is not None
        self.leave()
        for name, value in finished.values.items():
            walker.fill(name, value)
        target = step.on_failure if finished.outcome == FAILED else step.until[finished.outcome].goto
        walker.move(walker.flow.index[target])
