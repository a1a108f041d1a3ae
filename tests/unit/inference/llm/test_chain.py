"""The provider chain on a manual clock: fallback, hedging, breakers, budget."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.inference.llm.fakes import FakeModel, Step, Time
from voicegw.base.breaker import BreakerConfig, BreakerState, CircuitBreaker
from voicegw.base.errors import LocalError, ProviderError
from voicegw.base.metrics import Counters
from voicegw.inference.llm.attempt import Guarded
from voicegw.inference.llm.chain import CallModels, ProviderChain
from voicegw.inference.llm.config import BudgetConfig, ChainConfig
from voicegw.ports.llm import (
    BudgetExceeded,
    FinishReason,
    LlmAnswering,
    LlmEvent,
    LlmFinished,
    LlmMessage,
    LlmOverloaded,
    LlmPrice,
    LlmRejected,
    LlmRequest,
    LlmRestarted,
    LlmRole,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
)

CONFIG = ChainConfig(hedge_after_s=1.0, give_up_after_s=5.0, breaker=BreakerConfig(open_after=2, open_s=10.0))
REQUEST = LlmRequest((LlmMessage(LlmRole.USER, "Hello?"),))
MAY_RESTART = replace(REQUEST, restart_after_text=True)
END = LlmFinished(FinishReason.STOP)
CALL = ToolCallRequested("a", "look_up", "{}")
USAGE = LlmUsage(10, 0, 2)
NEVER = 1000.0


def says(*words: str, after: float = 0.1) -> list[Step]:
    return [after, *(TextDelta(word) for word in words), END, USAGE]


def down(name: str, after: float = 0.1) -> list[Step]:
    return [after, ProviderError(name, "down", retryable=True)]


class Chain:
    """A chain of fakes in its world."""

    def __init__(self, time: Time, *models: FakeModel, config: ChainConfig = CONFIG) -> None:
        self.time = time
        self.models = models
        self.counters = Counters()
        self.told: list[LlmAnswering] = []
        self.breakers = [CircuitBreaker(config.breaker) for _ in models]
        members = [Guarded(model, breaker) for model, breaker in zip(models, self.breakers, strict=True)]
        self.chain = ProviderChain(members, config, clock=time.clock, counters=self.counters, sleep=time.sleep)
        self.call = self.chain.for_call()

    async def answer(
        self, request: LlmRequest = REQUEST, call: CallModels | None = None, within_s: float = 20.0
    ) -> list[tuple[float, LlmEvent | str]]:
        """Every event, or the text of the error, with the second it came in."""
        begin = self.time.clock.monotonic()
        heard: list[tuple[float, LlmEvent | str]] = []

        def note(what: LlmEvent | str) -> None:
            heard.append((round(self.time.clock.monotonic() - begin, 3), what))

        async def listen() -> None:
            try:
                async for event in (call or self.call).stream(request):
                    if isinstance(event, LlmAnswering):
                        self.told.append(event)
                    else:
                        note(event)
            except ProviderError as error:
                note(str(error))

        task = asyncio.create_task(listen())
        await self.time.advance(within_s)
        await task
        return heard


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(body, 10))


def test_the_first_answers_and_the_second_is_left_in_peace() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, says("Hi", "!")), FakeModel("b", time, says("Yo")))
        assert await world.answer() == [(0.1, TextDelta("Hi")), (0.1, TextDelta("!")), (0.1, END), (0.1, USAGE)]
        assert [model.log for model in world.models] == [["asked", "ended"], []]

    run(body())


def test_a_failure_before_the_first_word_is_not_noticed() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, down("a")), FakeModel("b", time, says("Yo")))
        assert await world.answer() == [(0.2, TextDelta("Yo")), (0.2, END), (0.2, USAGE)]

    run(body())


def test_a_late_first_is_hedged_and_the_quicker_is_kept() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, says("Hi", after=3.0)), FakeModel("b", time, says("Yo")))
        assert (await world.answer())[0] == (1.1, TextDelta("Yo"))
        assert [model.log for model in world.models] == [["asked", "cancelled"], ["asked", "ended"]]
        assert world.counters.get("llm_late_a") == 1

    run(body())


def test_who_answers_is_told_where_it_is_not_the_first_and_when_the_first_is_back() -> None:
    async def body() -> None:
        time = Time()
        first = FakeModel("a", time, down("a"), says("Hi", after=3.0), says("Hi"), says("Hi"))
        world = Chain(time, first, FakeModel("b", time, says("Yo"), says("Yo")))
        for _ in range(4):
            await world.answer()
        assert world.told == [
            LlmAnswering("b", "a: down"),
            LlmAnswering("b", "a: late"),
            LlmAnswering("a"),
        ]

    run(body())


def test_who_died_in_the_middle_of_an_answer_is_asked_last_from_then_on() -> None:
    async def body() -> None:
        time = Time()
        torn: list[Step] = [0.1, TextDelta("Your"), *down("a")]
        world = Chain(time, FakeModel("a", time, torn, says("Hi")), FakeModel("b", time, says("Yo")))
        await world.answer()
        assert (await world.answer())[0] == (0.1, TextDelta("Yo"))
        assert world.told == [LlmAnswering("b", "a: died in the middle of an answer")]
        assert (await world.answer(call=world.chain.for_call()))[0] == (0.1, TextDelta("Hi"))

    run(body())


def test_a_late_first_that_still_speaks_first_is_kept() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(
            time, FakeModel("a", time, says("Hi", after=1.5)), FakeModel("b", time, says("Yo", after=1.0))
        )
        assert await world.answer() == [(1.5, TextDelta("Hi")), (1.5, END), (1.5, USAGE)]
        assert world.models[1].log == ["asked", "cancelled"]
        assert world.breakers[1].state is BreakerState.CLOSED

    run(body())


def test_both_at_the_same_moment_is_one_answer() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(
            time, FakeModel("a", time, says("Hi", after=1.5)), FakeModel("b", time, says("Yo", after=0.5))
        )
        events = [event for _, event in await world.answer()]
        assert events in ([TextDelta("Hi"), END, USAGE], [TextDelta("Yo"), END, USAGE])

    run(body())


def test_nobody_speaks_in_time() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, *(FakeModel(name, time, [NEVER]) for name in "abc"))
        assert await world.answer() == [(5.0, "llm: no model said a word in time")]
        assert [model.log for model in world.models] == [["asked", "cancelled"], ["asked", "cancelled"], []]

    run(body())


def test_everybody_fails_and_the_last_reason_is_told() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, down("a")), FakeModel("b", time, down("b")))
        assert await world.answer() == [(0.2, "b: down")]

    run(body())


def test_a_failure_after_the_first_word_is_told_and_not_mended() -> None:
    async def body() -> None:
        time = Time()
        torn: list[Step] = [0.1, TextDelta("Your balance is"), *down("a")]
        world = Chain(time, FakeModel("a", time, torn), FakeModel("b", time, says("Yo")))
        assert await world.answer() == [(0.1, TextDelta("Your balance is")), (0.2, "a: down")]
        assert world.models[1].log == []

    run(body())


def test_an_answer_that_nobody_heard_begins_anew() -> None:
    async def body() -> None:
        time = Time()
        torn: list[Step] = [0.1, TextDelta("Your"), *down("a")]
        world = Chain(
            time, FakeModel("a", time, torn), FakeModel("b", time, torn), FakeModel("c", time, says("Yo"))
        )
        assert await world.answer(MAY_RESTART) == [
            (0.1, TextDelta("Your")),
            (0.2, LlmRestarted()),
            (0.3, TextDelta("Your")),
            (0.4, LlmRestarted()),
            (0.5, TextDelta("Yo")),
            (0.5, END),
            (0.5, USAGE),
        ]

    run(body())


def test_an_answer_that_asked_for_a_tool_never_begins_anew() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [CALL, *down("a")]), FakeModel("b", time, says("Yo")))
        assert await world.answer(MAY_RESTART) == [(0.0, CALL), (0.1, "a: down")]

    run(body())


def test_without_another_model_the_failure_is_told() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [TextDelta("Your"), *down("a")]))
        assert await world.answer(MAY_RESTART) == [(0.0, TextDelta("Your")), (0.1, "a: down")]

    run(body())


def test_a_provider_that_keeps_failing_is_left_alone_and_tried_again() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(
            time, FakeModel("a", time, down("a"), down("a"), says("Hi")), FakeModel("b", time, says("Yo"))
        )
        firsts = [(await world.answer(within_s=1.0))[0] for _ in range(3)]
        assert firsts == [(0.2, TextDelta("Yo")), (0.2, TextDelta("Yo")), (0.1, TextDelta("Yo"))]
        await time.advance(10)
        assert (await world.answer())[0] == (0.1, TextDelta("Hi"))
        assert world.breakers[0].state is BreakerState.CLOSED

    run(body())


def test_a_provider_that_is_always_late_is_left_alone() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, says("Hi", after=3.0)), FakeModel("b", time, says("Yo")))
        firsts = [(await world.answer(within_s=2.0))[0] for _ in range(3)]
        assert [when for when, _ in firsts] == [1.1, 1.1, 0.1]

    run(body())


def test_all_breakers_open_is_told_at_once() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [LlmOverloaded("a", "HTTP 429", 8.0)]))
        assert await world.answer(within_s=1.0) == [(0.0, "a: HTTP 429")]
        assert await world.answer(within_s=1.0) == [(0.0, "llm: no model can be asked now")]

    run(body())


def test_a_refused_request_says_nothing_of_the_provider() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [LlmRejected("a", "too long")]), FakeModel("b", time, says("Yo")))
        for _ in range(3):
            assert (await world.answer())[0] == (0.1, TextDelta("Yo"))
        assert world.breakers[0].state is BreakerState.CLOSED

    run(body())


def test_our_own_mistake_is_not_taken_for_a_provider_failure() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [LocalError("a bad schema")]))
        with pytest.raises(LocalError):
            async for _ in world.call.stream(REQUEST):
                pass

    run(body())


def test_closing_ends_all_who_were_asked() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [NEVER]), FakeModel("b", time, [0.1, TextDelta("Yo"), NEVER]))
        async with aclosing(world.call.stream(REQUEST)) as events:
            first = asyncio.ensure_future(anext(events))
            await time.advance(2.0)
            assert await first == LlmAnswering("b", "a: late")
        assert [model.log[-1] for model in world.models] == ["cancelled", "cancelled"]

    run(body())


def test_cancelling_the_consumer_ends_all_who_were_asked() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, [NEVER]), FakeModel("b", time, [NEVER]))
        waiting = asyncio.ensure_future(anext(world.call.stream(REQUEST)))
        await time.advance(2.0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [model.log[-1] for model in world.models] == ["cancelled", "cancelled"]
        assert [breaker.state for breaker in world.breakers] == [BreakerState.CLOSED] * 2

    run(body())


def test_the_account_of_a_call_is_its_own_and_stops_it() -> None:
    async def body() -> None:
        time = Time()
        price = LlmPrice(prompt_per_million=100.0, completion_per_million=500.0)
        world = Chain(time, FakeModel("a", time, says("Hi"), price=price))
        budget = BudgetConfig(max_money=0.003)
        call, other = world.chain.for_call(budget), world.chain.for_call(budget)
        for _ in range(2):
            assert (await world.answer(call=call))[0] == (0.1, TextDelta("Hi"))
        assert call.account.spent_money == pytest.approx(0.004)
        assert "has cost" in str((await world.answer(call=call))[0][1])
        assert (await world.answer(call=other))[0] == (0.1, TextDelta("Hi"))
        with pytest.raises(BudgetExceeded):
            await anext(call.stream(REQUEST))

    run(body())


def test_what_was_cancelled_is_paid_and_what_failed_at_once_is_not() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(
            time, FakeModel("a", time, down("a")), FakeModel("b", time, [NEVER]), FakeModel("c", time, says("Yo"))
        )
        await world.answer()
        cancelled = 4 + 2
        assert world.call.account.spent_tokens == cancelled + USAGE.prompt_tokens + USAGE.completion_tokens

    run(body())


def test_tokens_that_are_left_bound_the_answer() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, says("Hi")))
        await world.answer(call=world.chain.for_call(BudgetConfig(max_tokens=50)))
        assert world.models[0].requests[0].max_tokens == 44

    run(body())


def test_warming_up_asks_everybody() -> None:
    async def body() -> None:
        time = Time()
        world = Chain(time, FakeModel("a", time, says("Hi", after=0.4)), FakeModel("b", time, down("b")))
        warming = asyncio.create_task(world.chain.warm_up(REQUEST))
        await time.advance(1.0)
        assert await warming == {"a": pytest.approx(0.4)}

    run(body())
