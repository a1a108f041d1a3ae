"""The agent's replies: one at a time, each with an id, refused by it once dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, CallFacts, HistoryLine
from voicegw.base.ids import GenerationId, RandomBytes, token
from voicegw.runtime.mail import AgentActed, AgentReplied
from voicegw.runtime.tasks import ChildTasks
from voicegw.turn.generation import Basis, Generation, GenerationState, GenerationTrigger
from voicegw.turn.history import History


class Replies:
    """Runs the agent session's replies as child tasks and knows which one counts."""

    def __init__(
        self,
        session: AgentSession,
        facts: CallFacts,
        tasks: ChildTasks,
        post: Callable[[AgentActed | AgentReplied], None],
        random: RandomBytes,
    ) -> None:
        self._session = session
        self._facts = facts
        self._tasks = tasks
        self._post = post
        self._random = random
        self._task: asyncio.Task[None] | None = None
        self._current: Generation | None = None
        self._checkpoint: object = None
        self._heard: list[str] = []

    @property
    def pending(self) -> bool:
        """Whether more of the current reply is to come."""
        return self._current is not None and self._current.state is GenerationState.COMMITTED

    def begin(self, turn: CallerTurn, history: History, now: datetime) -> None:
        """Ask the agent for its reply to ``turn``; one that is under way is dropped."""
        self.drop()
        self._checkpoint = self._session.checkpoint()
        self._heard = []
        basis = Basis(turn.text, len(history.entries))
        generation = Generation(GenerationId(token(self._random)), basis).after(GenerationTrigger.COMMIT)
        self._current = generation
        lines = tuple(HistoryLine(said.speaker.value, said.text) for said in history.entries)
        context = AgentContext(self._facts, now, lines)
        self._task = self._tasks.spawn(
            "agent",
            self._run(generation.id, turn, context),
            lambda reason: self._post(AgentReplied(generation.id, reason)),
        )

    def accepts(self, generation_id: GenerationId) -> bool:
        """Whether a report belongs to the reply that counts."""
        return self.pending and self._current is not None and self._current.id == generation_id

    def complete(self) -> None:
        """The current reply is all there."""
        if self._current is not None:
            self._current = self._current.after(GenerationTrigger.FINISH)

    def drop(self) -> None:
        """What still comes of the current reply is refused, then its work is cancelled."""
        if self._current is not None and self._current.state is GenerationState.COMMITTED:
            self._current = self._current.after(GenerationTrigger.DROP)
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def undo(self) -> None:
        """The current reply was never audible and never will be: as if its turn had not happened yet."""
        if self._current is not None:
            self.drop()
            self._current = None
            self._session.restore(self._checkpoint)

    def heard(self, text: str) -> None:
        """One more piece of the current reply was heard; the agent is told of all of them together."""
        self._heard.append(text)
        self._session.heard(" ".join(self._heard))

    async def _run(self, generation_id: GenerationId, turn: CallerTurn, context: AgentContext) -> None:
        async for action in self._session.reply(turn, context):
            self._post(AgentActed(generation_id, action))
        self._post(AgentReplied(generation_id))
