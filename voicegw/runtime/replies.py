"""The agent's replies: one at a time, each with an id, refused by it once dropped.

A reply may be prepared before the caller's turn is over. Until it is committed, on an equal basis only, all that it
wants done is held back here; the agent session is put back to where it was if the caller goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from voicegw.agents.actions import Say
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, CallFacts, HistoryLine
from voicegw.base.ids import GenerationId, RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.runtime.mail import AgentActed, AgentReplied
from voicegw.runtime.tasks import ChildTasks
from voicegw.turn.generation import Basis, Generation, GenerationState, GenerationTrigger
from voicegw.turn.history import History
from voicegw.turn.speculation import SpeculationConfig, SpeculationTally

Report: TypeAlias = AgentActed | AgentReplied
Settled: TypeAlias = Callable[[], Awaitable[None]]


async def already_settled() -> None:
    """It is known of everything how much was heard."""


class Replies:
    """Runs the agent session's replies as child tasks and knows which one counts."""

    def __init__(
        self,
        session: AgentSession,
        facts: CallFacts,
        tasks: ChildTasks,
        post: Callable[[Report], None],
        random: RandomBytes,
        speculation: SpeculationConfig,
        counters: Counters,
        on_dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._session = session
        self._facts = facts
        self._tasks = tasks
        self._post = post
        self._random = random
        self._speculation = speculation
        self._counters = counters
        self._on_dropped = on_dropped
        self._tally = SpeculationTally()
        self._task: asyncio.Task[None] | None = None
        self._current: Generation | None = None
        self._committed = asyncio.Event()
        self._held: list[Report] = []
        self._checkpoint: object = None
        self._told_of: GenerationId | None = None
        """The reply that the session made last: what it is told was heard is heard of this one."""
        self._heard: list[str] = []
        self._notes: tuple[str, ...] = ()

    def note(self, text: str) -> None:
        """Something that the agent should know with its next reply."""
        self._notes = (*self._notes, text)

    @property
    def pending(self) -> bool:
        """Whether more of the current reply is to come."""
        return self._is(GenerationState.COMMITTED)

    @property
    def speculating(self) -> bool:
        """Whether the current reply is one that nobody may hear yet."""
        return self._is(GenerationState.PENDING)

    @property
    def collected(self) -> Mapping[str, str]:
        """See :class:`voicegw.agents.agent.AgentSession`."""
        return self._session.collected

    # ------------------------------------------------------------ a reply that is wanted

    def begin(
        self, turn: CallerTurn, history: Callable[[], History], now: datetime, settled: Settled = already_settled
    ) -> None:
        """Ask the agent for its reply to ``turn``; one that is under way is dropped.

        The agent begins once ``settled`` returns: then it has been told how much of its last words was heard, and
        ``history`` has them.
        """
        self._clear()
        self._tally = self._tally.next_turn()
        self._run(turn, history, now, settled)
        self._commit()

    def accepts(self, generation_id: GenerationId) -> bool:
        """Whether a report belongs to the reply that counts."""
        return self.pending and self._current is not None and self._current.id == generation_id

    def complete(self) -> None:
        """The current reply is all there."""
        if self._current is not None:
            self._current = self._current.after(GenerationTrigger.FINISH)

    def drop(self) -> None:
        """What still comes of the current reply is refused, then its work is cancelled."""
        self.forget_speculation()
        self._kill()

    def undo(self) -> None:
        """The current reply was never audible and never will be: as if its turn had not happened yet."""
        if self._current is not None:
            self._kill()
            if self._told_of == self._current.id:
                self._told_of = None
                self._session.restore(self._checkpoint)
            self._current = None

    def heard(self, generation_id: GenerationId, text: str) -> None:
        """One more piece of a reply was heard; the agent is told of all of them together.

        A piece that is told after the agent began its next reply is in the history only: the agent would take it
        for the new one's.
        """
        if generation_id == self._told_of:
            self._heard.append(text)
            self._session.heard(" ".join(self._heard))

    # ------------------------------------------------------------ a reply that may be wanted

    def speculate(self, turn: CallerTurn, history: History, now: datetime) -> bool:
        """Prepare the reply to a turn that may not be over; True if that is a new one.

        One that is prepared on the same basis goes on; one on another basis is dropped.
        """
        if not self._session.speculative or self.pending:
            return False
        if self.speculating and self._current is not None:
            if self._current.matches(self._basis(turn.text, history)):
                return False
            self.forget_speculation()
        if not self._tally.allows(self._speculation):
            return False
        self._tally = self._tally.start()
        self._counters.add("speculation_started")
        self._clear()
        self._run(turn, lambda: history, now, already_settled)
        return True

    def hold(self, report: Report) -> bool:
        """Keep what the reply in preparation wants done until it is committed; False if it is not its report."""
        if not self.speculating or self._current is None or self._current.id != report.generation_id:
            return False
        self._held.append(report)
        return True

    def commit(self, text: str, history: History) -> list[Report] | None:
        """The turn is over and said ``text``: what was held back, or None if no reply was made from just that."""
        if self._current is None or not self._current.matches(self._basis(text, history)):
            self.forget_speculation()
            return None
        held, self._held = self._held, []
        self._tally = self._tally.commit().next_turn()
        self._counters.add("speculation_committed")
        self._commit()
        return held

    def forget_speculation(self) -> None:
        """The turn went on, or was none."""
        if not self.speculating:
            return
        self._counters.add("speculation_wasted")
        vain = sum(_characters(report) for report in self._held)
        self._counters.add("speculation_wasted_characters", vain)
        self.undo()

    # ------------------------------------------------------------ plumbing

    def _is(self, state: GenerationState) -> bool:
        return self._current is not None and self._current.state is state

    def _basis(self, text: str, history: History) -> Basis:
        return Basis(text, len(history.entries) + len(self._notes), self._session.tools_version)

    def _kill(self) -> None:
        if self._current is not None and (self.pending or self.speculating):
            self._current = self._current.after(GenerationTrigger.DROP)
            self._on_dropped()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _clear(self) -> None:
        self.drop()
        self._held = []
        self._committed = asyncio.Event()

    def _commit(self) -> None:
        assert self._current is not None
        self._current = self._current.after(GenerationTrigger.COMMIT)
        self._committed.set()

    def _run(self, turn: CallerTurn, history: Callable[[], History], now: datetime, settled: Settled) -> None:
        generation_id = GenerationId(token(self._random))
        self._current = Generation(generation_id, self._basis(turn.text, history()))
        committed, notes = self._committed, self._notes

        async def wait_until_committed() -> None:
            await committed.wait()

        async def report() -> None:
            await settled()
            lines = tuple(HistoryLine(said.speaker.value, said.text) for said in history().entries)
            context = AgentContext(self._facts, now, lines, notes, wait_until_committed)
            await self._report(generation_id, turn, context)

        self._task = self._tasks.spawn(
            "agent", report(), lambda reason: self._post(AgentReplied(generation_id, reason))
        )

    async def _report(self, generation_id: GenerationId, turn: CallerTurn, context: AgentContext) -> None:
        self._checkpoint = self._session.checkpoint()
        self._told_of, self._heard = generation_id, []
        async for action in self._session.reply(turn, context):
            self._post(AgentActed(generation_id, action))
        self._post(AgentReplied(generation_id))


def _characters(report: Report) -> int:
    """Of speech that nobody will hear."""
    if isinstance(report, AgentActed) and isinstance(report.action, Say):
        return len(report.action.text)
    return 0
