"""Bodies of one conversation begin with the same bytes, and refusals are read aright."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from email.utils import formatdate

import pytest

from voicegw.base.errors import LocalError
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.inference.llm.refusals import refuses_usage, retry_after_s
from voicegw.inference.llm.request import encode_request
from voicegw.ports.llm import LlmMessage, LlmRequest, LlmRole, ToolCallRequested, ToolSpec

CONFIG = ChatServerConfig("tiny", "http://127.0.0.1/v1", "tiny-1", extra_body={"top_k": 3, "seed": 1})
LOOK_UP = ToolSpec("look_up", "Find an order.", '{"type": "object", "properties": {"order": {"type": "string"}}}')
HANG_UP = ToolSpec("hang_up", "End the call.")
CALL = ToolCallRequested("a", "look_up", '{"order": "4711"}')
SYSTEM = LlmMessage(LlmRole.SYSTEM, "You answer the phone.")
TURNS = (
    LlmMessage(LlmRole.ASSISTANT, "Good day."),
    LlmMessage(LlmRole.USER, "Where is my order?"),
    LlmMessage(LlmRole.ASSISTANT, "", tool_calls=(CALL,)),
    LlmMessage(LlmRole.TOOL, '{"status": "shipped"}', tool_call_id="a"),
    LlmMessage(LlmRole.ASSISTANT, "It is on its way."),
    LlmMessage(LlmRole.USER, "Thanks, bye."),
)


def body_of(request: LlmRequest, config: ChatServerConfig = CONFIG, *, ask_usage: bool = True) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(encode_request(config, request, ask_usage=ask_usage))
    return decoded


def test_every_turn_begins_with_the_bytes_of_the_one_before() -> None:
    bodies = [
        encode_request(
            CONFIG,
            LlmRequest((SYSTEM, *TURNS[:n]), (LOOK_UP, HANG_UP), max_tokens=100 + n, temperature=n / 10),
            ask_usage=True,
        )
        for n in range(len(TURNS) + 1)
    ]
    for earlier, later in itertools.pairwise(bodies):
        assert later.startswith(earlier[: earlier.rindex(b"]")])
    assert bodies[0].index(b'"tools"') < bodies[0].index(b'"messages"')


def test_the_order_of_tools_makes_no_difference() -> None:
    one, two = (LlmRequest((SYSTEM,), tools) for tools in ((LOOK_UP, HANG_UP), (HANG_UP, LOOK_UP)))
    assert encode_request(CONFIG, one, ask_usage=True) == encode_request(CONFIG, two, ask_usage=True)


def test_the_fields_are_those_of_the_protocol() -> None:
    body = body_of(LlmRequest((SYSTEM, *TURNS[1:4]), (LOOK_UP,), max_tokens=50, temperature=0.2))
    assert body["model"] == "tiny-1"
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert (body["max_tokens"], body["temperature"], body["top_k"], body["seed"]) == (50, 0.2, 3, 1)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "look_up",
                "description": "Find an order.",
                "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
            },
        }
    ]
    assert body["messages"] == [
        {"role": "system", "content": "You answer the phone."},
        {"role": "user", "content": "Where is my order?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "look_up", "arguments": '{"order": "4711"}'},
                }
            ],
        },
        {"role": "tool", "content": '{"status": "shipped"}', "tool_call_id": "a"},
    ]


def test_what_a_server_cannot_do_is_not_sent() -> None:
    config = replace(CONFIG, tools=False, max_tokens_field="max_completion_tokens")
    body = body_of(LlmRequest((SYSTEM,), (LOOK_UP,)), config, ask_usage=False)
    assert body.keys() == {"model", "stream", "top_k", "seed", "messages", "max_completion_tokens"}


@pytest.mark.parametrize("schema", ["", "[]", '{"type": '])
def test_a_broken_schema_is_our_own_mistake(schema: str) -> None:
    with pytest.raises(LocalError, match="look_up"):
        body_of(LlmRequest((SYSTEM,), (ToolSpec("look_up", "", schema),)))


def test_roles_alternate_for_templates_that_want_it() -> None:
    config = replace(CONFIG, alternate_roles=True)
    again = LlmMessage(LlmRole.USER, "Hello?")
    messages = body_of(LlmRequest((SYSTEM, TURNS[0], TURNS[1], again, *TURNS[2:])), config)["messages"]
    assert isinstance(messages, list)
    assert [(message["role"], message["content"]) for message in messages] == [
        ("system", "You answer the phone."),
        ("user", "(The call has begun.)"),
        ("assistant", "Good day."),
        ("user", "Where is my order?\nHello?"),
        ("assistant", ""),
        ("tool", '{"status": "shipped"}'),
        ("assistant", "It is on its way."),
        ("user", "Thanks, bye."),
    ]
    assert body_of(LlmRequest((SYSTEM,)), config)["messages"] == [{"role": "system", "content": SYSTEM.content}]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-3", None), (formatdate(1030, usegmt=True), 30.0)],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, wall_s=1000.0) == seconds


def test_retry_after_a_date_that_is_past() -> None:
    assert retry_after_s(formatdate(1030, usegmt=True), wall_s=2000.0) == 0.0


def test_only_a_refusal_that_names_the_field_is_about_token_counts() -> None:
    assert refuses_usage(422, "extra_forbidden: stream_options")
    assert not refuses_usage(422, "max_tokens too large")
    assert not refuses_usage(500, "stream_options")
