"""The tools of one agent in one call: what an LLM agent holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from voicegw.agents.actions import AgentAction
from voicegw.agents.agent import CallFacts
from voicegw.agents.tools.approval import Asked, Verdict
from voicegw.agents.tools.canonical import JsonObject, canonical_json
from voicegw.agents.tools.desk import Job, ToolDesk
from voicegw.agents.tools.keys import KeyBook
from voicegw.agents.tools.registry import CallRefused, ToolRegistry
from voicegw.agents.tools.tool import Action, Tool, ToolOutcome
from voicegw.agents.tools.written import written_arguments
from voicegw.base.errors import LocalError
from voicegw.ports.tools import IdempotencyKey, ToolCall, ToolEffect, ToolRequest, ToolResult, ToolRunner, ToolSpec


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A checked call with its key. Running it again is a retry; preparing again is asking again."""

    tool: Tool
    call: ToolCall
    arguments: JsonObject
    key: IdempotencyKey

    @property
    def may_speculate(self) -> bool:
        """Whether it may run for a reply that is not committed yet."""
        return self.tool.effect is ToolEffect.NONE and not self.tool.approval_s

    @property
    def written(self) -> str:
        """Its arguments as they may be written down and shown."""
        return written_arguments(self.call.arguments_json, self.tool.sensitive)


class CallTools:
    """Keeps the wishes of one call apart and hands them to the desk.

    ``current`` is asked at the beginning of each reply, so that tools do not change in the middle of one.
    """

    def __init__(self, facts: CallFacts, current: Callable[[], ToolRegistry], desk: ToolDesk) -> None:
        self._facts = facts
        self._current = current
        self._registry = current()
        self._desk = desk
        self._keys = KeyBook(facts.call_id)
        self._asked: dict[IdempotencyKey, Asked] = {}

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told."""
        return self._registry.specs

    @property
    def version(self) -> int:
        """Of the tools as they are now, which the next reply will have."""
        return self._current().version

    def begin_reply(self, turn: int) -> None:
        """A model begins to answer ``turn`` (counted from 0), for the first time or again."""
        self._registry = self._current()
        self._keys.begin_reply(turn)

    def prepare(self, call: ToolCall, *, by_model: bool = True) -> PreparedCall | ToolResult:
        """Check a request of the reply, in the order in which the model made them. FAILED if it cannot be run."""
        try:
            tool, arguments = self._registry.check(call, by_model=by_model)
        except CallRefused as error:
            return ToolResult.failed(str(error))
        canonical = ToolCall(call.id, call.name, canonical_json(arguments))
        return PreparedCall(tool, canonical, arguments, self._keys.key_for(call.name, arguments))

    async def run(self, prepared: PreparedCall, *, committed: bool = True) -> ToolOutcome:
        """Run it, once per key, and wait for the result. Cancelling the wait does not cancel the tool.

        One that needs a person's approval is run only where :meth:`ask` has got it, and fails otherwise.
        Raises LocalError for a tool with an effect where the reply is not ``committed``.
        """
        if not committed and not prepared.may_speculate:
            raise LocalError(f"the tool {prepared.call.name!r} must wait until its reply is committed")
        if prepared.tool.approval_s:
            verdict = self.ask(prepared).verdict or Verdict(False)
            if not verdict.approved:
                return await self._refuse(prepared, verdict)
        match prepared.tool.work:
            case Action(make):
                return _act(make, prepared.arguments)
            case runner:
                return ToolOutcome(await self._desk.run(self._job(prepared, runner)))

    def ask(self, prepared: PreparedCall) -> Asked:
        """The wish before a person: the same one however often it is asked for."""
        asked = self._asked.get(prepared.key)
        if asked is None:
            asked = self._desk.ask(self._facts.call_id, prepared.key, prepared.tool.approval_s)
            self._asked[prepared.key] = asked
        return asked

    async def _refuse(self, prepared: PreparedCall, verdict: Verdict) -> ToolOutcome:
        """It is not run: the model reads why, and the ledger knows."""
        match prepared.tool.work:
            case Action():
                return ToolOutcome(ToolResult.failed(verdict.reason))
            case runner:
                return ToolOutcome(await self._desk.refuse(self._job(prepared, runner), verdict.reason))

    def settle(self, prepared: Iterable[PreparedCall]) -> None:
        """These calls and their results are part of every later prompt: asking for them again is a new wish.

        Call it when the turn is over and what remains in the history is certain, never while a reply may still be
        taken back.
        """
        self._keys.settle(one.key for one in prepared)

    def _job(self, prepared: PreparedCall, runner: ToolRunner) -> Job:
        facts = self._facts
        timeout_s = prepared.tool.timeout_s
        request = ToolRequest(
            prepared.call, prepared.key, timeout_s, facts.call_id, calling=facts.calling, called=facts.called
        )
        return Job(prepared.tool, runner, request)


def _act(make: Callable[[JsonObject], AgentAction], arguments: JsonObject) -> ToolOutcome:
    try:
        action = make(arguments)
    except ValueError as error:
        return ToolOutcome(ToolResult.failed(str(error)))
    return ToolOutcome(ToolResult.done({"accepted": True}), (action,))
