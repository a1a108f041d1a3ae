"""The language models of one agent: ordered fallback, hedging, circuit breakers and a budget per call.

The decisions are in race.py, breaker.py and budget.py; this file carries them out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.inference.llm.attempt import Attempt, Guarded
from voicegw.inference.llm.budget import CallBudget
from voicegw.inference.llm.config import BudgetConfig, ChainConfig
from voicegw.inference.llm.heat import Heat, Sleep
from voicegw.inference.llm.race import Race
from voicegw.ports.llm import LlmAnswering, LlmEvent, LlmRequest, LlmRestarted, ToolCallRequested

log = logging.getLogger(__name__)


class ProviderChain:
    """Made once an agent; :meth:`for_call` gives each call its own account. Who made the providers starts them."""

    def __init__(
        self,
        members: Sequence[Guarded],
        config: ChainConfig | None = None,
        *,
        clock: Clock | None = None,
        counters: Counters | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._members = tuple(members)
        self._config = config or ChainConfig()
        self._clock = clock or SystemClock()
        self._counters = counters if counters is not None else Counters()
        self._sleep = sleep

    def for_call(self, budget: BudgetConfig | None = None) -> CallModels:
        """The :class:`~voicegw.ports.llm.Llm` of one call."""
        account = CallBudget(budget or BudgetConfig())
        return CallModels(self._members, self._config, account, self._clock, self._counters, self._sleep)

    async def warm_up(self, request: LlmRequest) -> dict[str, float]:
        """Warm every provider up with what the agent's calls begin with; seconds to the first word of each that
        answered. One that did not is a warning, and its breaker knows."""
        times = await asyncio.gather(*(self._warm(member, request) for member in self._members))
        return {member.provider.name: s for member, s in zip(self._members, times, strict=True) if s is not None}

    async def _warm(self, member: Guarded, request: LlmRequest) -> float | None:
        try:
            seconds = await member.provider.warm_up(request)
        except ProviderError as error:
            log.warning("language model did not warm up: %s", error)
            member.breaker.failed(self._clock.monotonic())
            return None
        member.breaker.succeeded()
        return seconds


class CallModels:
    """The models of one call; an :class:`~voicegw.ports.llm.Llm`. ``account`` tells what was spent so far."""

    def __init__(
        self,
        members: Sequence[Guarded],
        config: ChainConfig,
        account: CallBudget,
        clock: Clock,
        counters: Counters,
        sleep: Sleep,
    ) -> None:
        self.account = account
        self._members = members
        self._config = config
        self._clock = clock
        self._counters = counters
        self._sleep = sleep
        self._torn = ""
        self._other = False

    async def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        """See :meth:`voicegw.ports.llm.Llm.stream`.

        Nothing is yielded twice. A provider that dies before its first word is replaced silently. After it, the
        failure is raised, because the caller has heard a part; or, where the request allows ``restart_after_text``
        and no tool call was yielded, LlmRestarted comes and the next provider begins anew. Who died in the middle
        of an answer is asked last in the rest of this call, so that somebody else is asked to go on.
        Raises BudgetExceeded before any provider is asked.
        """
        left_out: set[str] = set()
        while True:
            acted = False
            async with self._heat(request, left_out) as heat:
                winner, events = await heat.run()
                if answering := self._answering(winner.name, heat):
                    yield answering
                try:
                    while events:
                        for event in events:
                            acted = acted or isinstance(event, ToolCallRequested)
                            yield event
                        events = await winner.more()
                    return
                except ProviderError as error:
                    left_out.add(winner.name)
                    self._torn = winner.name
                    if acted or not request.restart_after_text or not self._usable(left_out):
                        raise
                    log.warning("the answer begins anew with another model: %s", error)
            yield LlmRestarted()

    def _usable(self, left_out: set[str]) -> list[Guarded]:
        now = self._clock.monotonic()
        usable = [
            member
            for member in self._members
            if member.provider.name not in left_out and member.breaker.allows(now)
        ]
        return sorted(usable, key=lambda member: member.provider.name == self._torn)

    def _answering(self, name: str, heat: Heat) -> LlmAnswering | None:
        """Who speaks, where the consumer may believe that somebody else does."""
        first = name == self._members[0].provider.name
        if first and not self._other:
            return None
        self._other = not first
        reasons = heat.reasons
        before = [member.provider.name for member in self._members]
        before = before[: before.index(name)]
        told = "; ".join(reasons.get(one) or self._not_asked(one) for one in before)
        return LlmAnswering(name, told)

    def _not_asked(self, name: str) -> str:
        why = "died in the middle of an answer" if name == self._torn else "left alone after failures"
        return f"{name}: {why}"

    def _heat(self, request: LlmRequest, left_out: set[str]) -> Heat:
        admitted = self.account.admit(request)
        usable = self._usable(left_out)

        def ask(runner: int) -> Attempt:
            return Attempt(usable[runner], admitted, self.account, self._clock, self._counters)

        return Heat(Race(len(usable), self._config, self._clock.monotonic()), ask, self._clock, self._sleep)
