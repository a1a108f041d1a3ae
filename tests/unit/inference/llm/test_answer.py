"""Chunks put together: what is tolerated, what is not."""

from __future__ import annotations

import json

import pytest

from voicegw.base.errors import ProviderError
from voicegw.inference.llm.answer import ChatAnswer
from voicegw.ports.llm import FinishReason, LlmEvent, LlmFinished, LlmUsage, TextDelta, ToolCallRequested


def delta(finish: str | None = None, **fields: object) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}).encode()


def tool(arguments: str = "", **fields: object) -> dict[str, object]:
    return {"type": "function", "function": {"arguments": arguments, **fields}}


def events_of(*chunks: bytes) -> list[LlmEvent]:
    answer = ChatAnswer("tiny")
    return [event for chunk in chunks for event in answer.take(chunk)] + answer.end()


def test_text_and_an_end() -> None:
    chunks = [delta(role="assistant", content=""), delta(content="Good "), delta(content="day"), delta("stop")]
    assert events_of(*chunks) == [TextDelta("Good "), TextDelta("day"), LlmFinished(FinishReason.STOP)]


def test_reasoning_is_not_speech() -> None:
    assert events_of(delta(reasoning_content="hm", content=None), delta("stop")) == [LlmFinished(FinishReason.STOP)]


def test_done_alone_is_an_end() -> None:
    assert events_of(delta(content="Yes"), b"[DONE]") == [TextDelta("Yes"), LlmFinished(FinishReason.STOP)]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.FILTERED),
        ("eos_token", FinishReason.STOP),
    ],
)
def test_reasons(word: str, reason: FinishReason) -> None:
    assert events_of(delta(word)) == [LlmFinished(reason)]


def test_usage_in_the_last_chunk_or_in_its_own() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    own = json.dumps({"choices": [], "usage": usage}).encode()
    assert events_of(delta("stop"), own, b"[DONE]")[-1] == LlmUsage(9, 4, 2)
    last = json.dumps(
        {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage | {"prompt_tokens_details": None}}
    )
    assert events_of(last.encode()) == [LlmFinished(FinishReason.STOP), LlmUsage(9, 0, 2)]


def test_two_interleaved_calls() -> None:
    chunks = [
        delta(tool_calls=[{"index": 0, "id": "a", **tool(name="one")}]),
        delta(tool_calls=[{"index": 1, "id": "b", **tool(name="two")}]),
        delta(tool_calls=[{"index": 0, **tool('{"x":')}, {"index": 1, **tool("{}")}]),
        delta(tool_calls=[{"index": 0, **tool(" 1}")}]),
        delta("tool_calls"),
    ]
    assert events_of(*chunks) == [
        ToolCallRequested("a", "one", '{"x": 1}'),
        ToolCallRequested("b", "two", "{}"),
        LlmFinished(FinishReason.TOOL_CALLS),
    ]


def test_calls_without_index_or_id_and_with_a_repeated_name() -> None:
    chunks = [
        delta(tool_calls=[{"id": "a", **tool('{"x"', name="one")}]),
        delta(tool_calls=[{"id": "a", **tool(":1}", name="one")}]),
        delta(tool_calls=[{"id": "b", **tool("", name="two")}]),
        delta("stop"),
    ]
    assert events_of(*chunks) == [
        ToolCallRequested("a", "one", '{"x":1}'),
        ToolCallRequested("b", "two", "{}"),
        LlmFinished(FinishReason.TOOL_CALLS),
    ]
    assert events_of(delta(tool_calls=[tool("{}", name="one")]), delta("stop"))[0].id == "call_1"  # type: ignore[union-attr]


def test_a_call_that_max_tokens_cut_is_left_out() -> None:
    chunk = delta(tool_calls=[{"index": 0, "id": "a", **tool('{"x": "lo', name="one")}])
    assert events_of(chunk, delta("length")) == [LlmFinished(FinishReason.LENGTH)]


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(content="Hel")],
        [b"{"],
        [b'{"choices": [{"delta": {"content": 7}}]}'],
        [b'{"choices": "none"}'],
        [b"\xff"],
        [b'{"error": {"message": "boom"}}'],
        [b'{"error": "boom"}'],
        [delta(tool_calls=[{"index": 0, **tool("[1]", name="one")}]), delta("tool_calls")],
        [delta(tool_calls=[{"index": 0, **tool("{} {}", name="one")}]), delta("tool_calls")],
        [delta(tool_calls=[{"index": 0, **tool("{}")}]), delta("tool_calls")],
    ],
)
def test_what_cannot_be_used_is_an_error_and_a_retry_may_help(chunks: list[bytes]) -> None:
    with pytest.raises(ProviderError) as caught:
        events_of(*chunks)
    assert caught.value.retryable
