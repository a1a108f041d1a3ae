"""The chat adapter over real sockets, against a server of ours that misbehaves on request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from voicegw.base.errors import ConfigError, LocalError, ProviderError
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.inference.llm.openai_chat import OpenAiChat
from voicegw.ports.llm import (
    FinishReason,
    LlmEvent,
    LlmFinished,
    LlmMessage,
    LlmOverloaded,
    LlmRejected,
    LlmRequest,
    LlmRole,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
    ToolSpec,
)
from voicegw.testing.faulty_llm_server import Fault, FaultyLlmServer, Script, ScriptedTool

REQUEST = LlmRequest((LlmMessage(LlmRole.SYSTEM, "Be brief."), LlmMessage(LlmRole.USER, "Hello?")))
WELL = [
    TextDelta("Hello"),
    TextDelta(" there"),
    TextDelta("."),
    LlmFinished(FinishReason.STOP),
    LlmUsage(40, 30, 3),
]
SOON = {"idle_timeout_s": 1.0}
"""In mid-answer. Whoever begins has as long as ever: a busy machine may need it."""

Body = Callable[[OpenAiChat, FaultyLlmServer], Awaitable[None]]


def with_server(body: Body, *scripts: Script, **config: Any) -> None:
    """Run ``body`` with a started adapter and the server behind it."""

    async def run() -> None:
        server = FaultyLlmServer(*scripts)
        await server.start()
        chat = OpenAiChat(
            ChatServerConfig("scripted", server.base_url, "tiny", **config), environ={"KEY": "secret"}
        )
        await chat.start()
        try:
            async with asyncio.timeout(30):
                await body(chat, server)
        finally:
            await chat.close()
            await server.close()

    asyncio.run(run())


async def answer(chat: OpenAiChat, request: LlmRequest = REQUEST) -> list[LlmEvent]:
    return [event async for event in chat.stream(request)]


async def fails(chat: OpenAiChat, request: LlmRequest = REQUEST) -> tuple[list[LlmEvent], ProviderError]:
    """What came, and the error it ended with."""
    events: list[LlmEvent] = []
    with pytest.raises(ProviderError) as caught:
        async for event in chat.stream(request):
            events.append(event)
    return events, caught.value


def test_an_answer_comes_word_by_word_and_the_connection_is_kept() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await answer(chat) == WELL
        assert await answer(chat) == WELL
        assert server.connections == 1

    with_server(body)


def test_no_done_no_usage_and_comments_are_tolerated() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await answer(chat) == WELL[:4]
        assert await answer(chat) == WELL[:4]
        # It was asked for token counts once, refused, and is not asked again.
        assert ["stream_options" in json.loads(sent) for sent in server.requests] == [True, False, False]

    with_server(body, Script(knows_usage=False, sends_done=False, comments=3))


def test_tool_calls_are_put_together() -> None:
    tools = (
        ScriptedTool("look_up", '{"order": "4711", "note": "é\\n"}', "a"),
        ScriptedTool("hang_up", "", ""),
    )
    request = replace(REQUEST, tools=(ToolSpec("look_up", "Find an order."),))

    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await answer(chat, request) == [
            TextDelta("One moment."),
            ToolCallRequested("a", "look_up", '{"order": "4711", "note": "é\\n"}'),
            ToolCallRequested("call_2", "hang_up", "{}"),
            LlmFinished(FinishReason.TOOL_CALLS),
            LlmUsage(40, 30, 1),
        ]

    with_server(body, Script(words=("One moment.",), tools=tools, finish_reason="tool_calls"))


def test_broken_tool_arguments_are_an_error_that_a_second_try_may_mend() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        events, error = await fails(chat)
        assert events == []
        assert error.retryable
        assert "look_up" in str(error)

    with_server(body, Script(words=(), tools=(ScriptedTool("look_up", '{"order": 47'),)))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.MALFORMED_CHUNK, "malformed chunk"),
        (Fault.ERROR_CHUNK, "out of memory"),
        (Fault.DIE, "broke in mid-answer"),
        (Fault.END_EARLY, "ended in the middle"),
        (Fault.STALL, "nothing came for 1 s"),
        (Fault.MUMBLE, "nothing came for 1 s"),
    ],
)
def test_a_fault_in_mid_answer_is_reported_after_the_words_before_it(fault: Fault, said: str) -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        events, error = await fails(chat)
        assert events == [TextDelta("Hello")]
        assert said in str(error)
        assert error.retryable
        assert await answer(chat) == WELL  # and the next answer is none the worse for it

    with_server(body, Script(fault=fault), Script(), **SOON)


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.MUMBLE])
def test_a_server_that_never_begins_is_given_up(fault: Fault) -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        events, error = await fails(chat)
        assert (events, error.retryable) == ([], True)
        assert "no first word within 0.15 s" in str(error)

    with_server(body, Script(fault=fault, fault_after=0), first_token_timeout_s=0.15)


def test_a_server_that_does_not_end_a_whole_answer_is_left() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await answer(chat) == WELL[:4]
        await server.gone.acquire()

    with_server(body, Script(fault=Fault.LINGER))


def test_a_slow_start_is_waited_for() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await answer(chat) == WELL

    with_server(body, Script(first_token_s=0.1))


def test_a_whole_answer_has_a_limit_too() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        _, error = await fails(chat)
        assert "longer than 0.1 s" in str(error)

    with_server(body, Script(words=("a",) * 1000, token_s=0.005), total_timeout_s=0.1)


def test_closing_in_mid_answer_reaches_the_server() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        async with aclosing(chat.stream(REQUEST)) as events:
            assert await anext(events) == TextDelta("Hello")
        await server.gone.acquire()

    with_server(body, Script(fault=Fault.STALL))


def test_a_cancelled_task_reaches_the_server() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        task = asyncio.create_task(answer(chat))
        await server.asked.acquire()
        task.cancel()
        await server.gone.acquire()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_server(body, Script(first_token_s=60))


@pytest.mark.parametrize(
    ("script", "kind", "retryable"),
    [
        (Script(fault=Fault.REFUSE, status=429, headers={"Retry-After": "7"}), LlmOverloaded, True),
        (Script(fault=Fault.REFUSE, status=429, body='{"code": "insufficient_quota"}'), ProviderError, False),
        (Script(fault=Fault.REFUSE, status=503), LlmOverloaded, True),
        (Script(fault=Fault.REFUSE, status=500), ProviderError, True),
        (Script(fault=Fault.REFUSE, status=400), LlmRejected, False),
        (Script(fault=Fault.REFUSE, status=401), ProviderError, False),
        (Script(fault=Fault.REFUSE, status=302, headers={"Location": "/"}), ProviderError, False),
        (Script(fault=Fault.WRONG_TYPE), ProviderError, False),
        (Script(fault=Fault.HANG_UP), ProviderError, True),
    ],
)
def test_refusals_say_whose_fault_it_is(script: Script, kind: type[ProviderError], retryable: bool) -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        events, error = await fails(chat)
        assert (events, type(error), error.retryable) == ([], kind, retryable)
        if isinstance(error, LlmOverloaded):
            assert error.retry_after_s == (7.0 if script.headers else None)

    with_server(body, script)


def test_a_connection_closed_at_the_wrong_moment_is_opened_again() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await answer(chat) == WELL

    with_server(body, Script(fault=Fault.HANG_UP), Script())


def test_nobody_listens() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        await server.close()
        _, error = await fails(chat)
        assert error.retryable

    with_server(body)


def test_an_address_that_cannot_be_right_is_not_tried_again() -> None:
    async def run() -> None:
        chat = OpenAiChat(ChatServerConfig("typo", "htp://127.0.0.1/v1", "tiny"))
        with pytest.raises(LocalError):
            await answer(chat)
        await chat.start()
        _, error = await fails(chat)
        assert not error.retryable
        await chat.close()

    asyncio.run(run())


def test_a_missing_key_is_a_config_error() -> None:
    chat = OpenAiChat(ChatServerConfig("hosted", "http://127.0.0.1/v1", "big", api_key_env="NO_SUCH"), environ={})
    with pytest.raises(ConfigError, match="NO_SUCH"):
        asyncio.run(chat.start())


def test_warming_up_asks_for_one_token_and_keeps_the_connection() -> None:
    async def body(chat: OpenAiChat, server: FaultyLlmServer) -> None:
        assert await chat.warm_up(REQUEST) > 0
        assert json.loads(server.requests[0])["max_tokens"] == 1
        assert await answer(chat) == WELL
        assert server.connections == 1

    with_server(body, api_key_env="KEY")
