"""The chat adapter against a server that we did not write: llama.cpp's, with a tiny random model made here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.interop.llama_peer import TOOL_CALL_TOKEN, LlamaServer
from voicegw.base.breaker import BreakerConfig, CircuitBreaker
from voicegw.base.errors import ProviderError
from voicegw.inference.llm.attempt import Guarded
from voicegw.inference.llm.chain import ProviderChain
from voicegw.inference.llm.config import ChainConfig, ChatServerConfig
from voicegw.inference.llm.openai_chat import OpenAiChat
from voicegw.ports.llm import (
    FinishReason,
    LlmEvent,
    LlmFinished,
    LlmMessage,
    LlmRejected,
    LlmRequest,
    LlmRestarted,
    LlmRole,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
    ToolSpec,
)

pytestmark = pytest.mark.interop

FOREVER = 12000
"""Tokens that take the tiny model many seconds."""
LOOK_UP = ToolSpec(
    "look_up",
    "Find an order.",
    '{"type": "object", "properties": {"order": {"enum": ["4711", "1234"]}}, "required": ["order"]}',
)
REQUEST = LlmRequest(
    (
        LlmMessage(LlmRole.SYSTEM, "You answer the telephone of a small shop. Be brief and friendly."),
        LlmMessage(LlmRole.USER, "Where is my order?"),
    ),
    max_tokens=40,
    temperature=0.0,
)
LONG = replace(REQUEST, max_tokens=FOREVER)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with LlamaServer(tmp_path_factory.mktemp("llama")) as server:
        yield server


def with_chat(server: LlamaServer, body: Callable[[OpenAiChat], Awaitable[None]], **config: Any) -> None:
    """Run ``body`` with an adapter for the server. The model goes on with its noise until it is told to stop."""

    async def run() -> None:
        extra: dict[str, object] = {"ignore_eos": True, **config.pop("extra_body", {})}
        chat = OpenAiChat(ChatServerConfig("llama", server.base_url, "tiny", extra_body=extra, **config))
        await chat.start()
        try:
            async with asyncio.timeout(30):
                await body(chat)
        finally:
            await chat.close()

    asyncio.run(run())


async def answer(chat: OpenAiChat, request: LlmRequest = REQUEST) -> list[LlmEvent]:
    return [event async for event in chat.stream(request)]


def text_of(events: list[LlmEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_an_answer_streams_and_the_next_turn_finds_its_prompt_cached(llama: LlamaServer) -> None:
    async def body(chat: OpenAiChat) -> None:
        assert await chat.warm_up(REQUEST) > 0
        first = await answer(chat)
        assert sum(isinstance(event, TextDelta) for event in first) > 5
        finished, usage = first[-2:]
        assert finished == LlmFinished(FinishReason.LENGTH)
        assert isinstance(usage, LlmUsage)
        assert usage.completion_tokens == 40
        said = LlmMessage(LlmRole.ASSISTANT, text_of(first))
        more = replace(REQUEST, messages=(*REQUEST.messages, said, LlmMessage(LlmRole.USER, "It is 4711.")))
        counted = (await answer(chat, more))[-1]
        assert isinstance(counted, LlmUsage)
        # All of the first prompt but the marks of its end: the order of the messages suits the server's cache.
        assert counted.cached_tokens >= usage.prompt_tokens - 5
        assert counted.prompt_tokens > usage.prompt_tokens + 40

    with_chat(llama, body)


def test_a_tool_is_called_and_its_result_is_taken(llama: LlamaServer) -> None:
    async def body(chat: OpenAiChat) -> None:
        request = replace(REQUEST, tools=(LOOK_UP,), max_tokens=300)
        call, finished, usage = await answer(chat, request)
        assert isinstance(call, ToolCallRequested)
        assert isinstance(usage, LlmUsage)
        assert (call.name, finished) == ("look_up", LlmFinished(FinishReason.TOOL_CALLS))
        assert json.loads(call.arguments_json)["order"] in ("4711", "1234")
        asked = LlmMessage(LlmRole.ASSISTANT, tool_calls=(call,))
        result = LlmMessage(LlmRole.TOOL, '{"status": "shipped"}', tool_call_id=call.id)
        answered = await answer(chat, replace(request, messages=(*REQUEST.messages, asked, result)))
        assert isinstance(answered[-1], LlmUsage)
        assert answered[-1].prompt_tokens > usage.prompt_tokens

    one_call: dict[str, object] = {"logit_bias": [[TOOL_CALL_TOKEN, 100]], "stop": ["</tool_call>"]}
    with_chat(llama, body, extra_body=one_call)


def test_closing_in_mid_answer_stops_the_model(llama: LlamaServer) -> None:
    async def body(chat: OpenAiChat) -> None:
        async with aclosing(chat.stream(LONG)) as events:
            for _ in range(5):
                assert isinstance(await anext(events), TextDelta)
        assert await asyncio.to_thread(llama.wait_idle, 3.0)
        assert len(text_of(await answer(chat))) > 0

    with_chat(llama, body)


def test_a_slow_start_is_a_clear_error(llama: LlamaServer) -> None:
    """The server does one answer at a time, so a second one waits as long as the first takes."""

    async def body(chat: OpenAiChat) -> None:
        async with aclosing(chat.stream(LONG)) as busy:
            await anext(busy)
            with pytest.raises(ProviderError, match="no first word within 1 s") as caught:
                await answer(chat)
            assert caught.value.retryable
        assert await asyncio.to_thread(llama.wait_idle, 20.0)

    with_chat(llama, body, first_token_timeout_s=1.0)
    with_chat(llama, answers)


async def answers(chat: OpenAiChat) -> None:
    assert len(text_of(await answer(chat))) > 0


def test_a_prompt_that_is_too_long_is_the_fault_of_the_request(llama: LlamaServer) -> None:
    async def body(chat: OpenAiChat) -> None:
        with pytest.raises(LlmRejected, match="400"):
            await answer(chat, LlmRequest((LlmMessage(LlmRole.USER, "word " * 4000),)))

    with_chat(llama, body)


def test_death_in_mid_token_is_mended_by_another_model_if_nobody_heard_it(
    llama: LlamaServer, tmp_path: Path
) -> None:
    async def body(well: OpenAiChat) -> None:
        with LlamaServer(tmp_path / "mortal") as mortal:
            config = ChatServerConfig("mortal", mortal.base_url, "tiny", extra_body={"ignore_eos": True})
            dying = OpenAiChat(config)
            await dying.start()
            members = [Guarded(chat, CircuitBreaker(BreakerConfig())) for chat in (dying, well)]
            models = ProviderChain(members, ChainConfig(hedge_after_s=5.0)).for_call()
            heard: list[LlmEvent] = []
            async for event in models.stream(replace(REQUEST, max_tokens=8000, restart_after_text=True)):
                heard.append(event)
                if len(heard) == 5:
                    mortal.process.kill()
                if LlmRestarted() in heard and text_of(heard[heard.index(LlmRestarted()) :]):
                    break
            assert LlmRestarted() in heard[4:]
            assert all(isinstance(event, TextDelta) for event in heard[:5])
            with pytest.raises(ProviderError) as caught:
                await answer(dying)
            assert caught.value.retryable
            await dying.close()

    with_chat(llama, body)
