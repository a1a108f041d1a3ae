"""The provider chain over real sockets: a scripted server that misbehaves, another that stands in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from voicegw.base.breaker import BreakerConfig, BreakerState, CircuitBreaker
from voicegw.base.errors import ProviderError
from voicegw.inference.llm.attempt import Guarded
from voicegw.inference.llm.chain import ProviderChain
from voicegw.inference.llm.config import ChainConfig, ChatServerConfig
from voicegw.inference.llm.openai_chat import OpenAiChat
from voicegw.ports.llm import LlmMessage, LlmRequest, LlmRole, TextDelta
from voicegw.testing.faulty_llm_server import Fault, FaultyLlmServer, Script

REQUEST = LlmRequest((LlmMessage(LlmRole.USER, "Hello?"),))
CONFIG = ChainConfig(hedge_after_s=0.1, give_up_after_s=20.0)
PATIENT = ChainConfig(hedge_after_s=15.0, give_up_after_s=20.0)
"""Nobody else is asked for being faster."""
WELL = Script(words=("Good", " day."))

Body = Callable[[ProviderChain, list[FaultyLlmServer], list[Guarded]], Awaitable[None]]


def with_chain(body: Body, *servers: tuple[Script, ...], config: ChainConfig = CONFIG) -> None:
    """Run ``body`` with a chain of one model a server, each with its scripts."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            running: list[FaultyLlmServer] = []
            members: list[Guarded] = []
            for number, scripts in enumerate(servers):
                server = FaultyLlmServer(*scripts)
                await server.start()
                stack.push_async_callback(server.close)
                chat = OpenAiChat(ChatServerConfig(f"model{number}", server.base_url, "tiny"))
                await chat.start()
                stack.push_async_callback(chat.close)
                running.append(server)
                members.append(Guarded(chat, CircuitBreaker(BreakerConfig())))
            async with asyncio.timeout(30):
                await body(ProviderChain(members, config), running, members)

    asyncio.run(run())


async def said(chain: ProviderChain) -> str:
    events = [event async for event in chain.for_call().stream(REQUEST)]
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize(
    "bad",
    [
        Script(fault=Fault.REFUSE, status=500),
        Script(fault=Fault.HANG_UP),
        Script(fault=Fault.WRONG_TYPE),
        Script(fault=Fault.MALFORMED_CHUNK, fault_after=0),
        Script(fault=Fault.DIE, fault_after=0),
        Script(fault=Fault.STALL, fault_after=0),
        Script(fault=Fault.MUMBLE, fault_after=0),
    ],
)
def test_whatever_is_wrong_with_the_first_the_second_answers(bad: Script) -> None:
    async def body(chain: ProviderChain, servers: list[FaultyLlmServer], members: list[Guarded]) -> None:
        assert await said(chain) == "Good day."

    with_chain(body, (bad,), (WELL,))


def test_the_loser_of_a_race_is_told_to_stop() -> None:
    async def body(chain: ProviderChain, servers: list[FaultyLlmServer], members: list[Guarded]) -> None:
        assert await said(chain) == "Good day."
        await servers[0].gone.acquire()

    with_chain(body, (Script(first_token_s=60),), (WELL,))


def test_a_server_that_asks_to_be_left_alone_is() -> None:
    async def body(chain: ProviderChain, servers: list[FaultyLlmServer], members: list[Guarded]) -> None:
        for _ in range(3):
            assert await said(chain) == "Good day."
        assert members[0].breaker.state is BreakerState.OPEN
        assert [len(server.requests) for server in servers] == [1, 3]

    with_chain(body, (Script(fault=Fault.REFUSE, status=429, headers={"Retry-After": "30"}),), (WELL,))


def test_death_after_the_first_word_is_told() -> None:
    async def body(chain: ProviderChain, servers: list[FaultyLlmServer], members: list[Guarded]) -> None:
        heard: list[str] = []
        with pytest.raises(ProviderError) as caught:
            async for event in chain.for_call().stream(REQUEST):
                assert isinstance(event, TextDelta)
                heard.append(event.text)
        assert (heard, caught.value.provider) == (["Hello"], "model0")
        assert servers[1].requests == []

    with_chain(body, (Script(fault=Fault.DIE),), (WELL,), config=PATIENT)


def test_warming_up_leaves_a_connection_for_the_first_call() -> None:
    async def body(chain: ProviderChain, servers: list[FaultyLlmServer], members: list[Guarded]) -> None:
        assert (await chain.warm_up(REQUEST)).keys() == {"model0", "model1"}
        assert await said(chain) == "Good day."
        assert [server.connections for server in servers] == [1, 1]

    with_chain(body, (WELL,), (WELL,))
