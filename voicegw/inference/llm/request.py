"""The body of a chat request, built so that the bodies of a conversation begin with the same bytes.

Order: model and what else is constant, tools by name, messages; only behind them what may differ between two
answers. A server's prompt begins with tools and system message as well, so equal beginnings of bodies make equal
beginnings of prompts, and those need no work again (prefix caching).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from voicegw.base.errors import LocalError
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.ports.llm import LlmMessage, LlmRequest, LlmRole, ToolCallRequested, ToolSpec

_CALL_BEGINS = "(The call has begun.)"


def encode_request(config: ChatServerConfig, request: LlmRequest, *, ask_usage: bool) -> bytes:
    """The JSON body. Raises :class:`~voicegw.base.errors.LocalError` for a tool whose schema is no JSON object."""
    body: dict[str, object] = {"model": config.model, "stream": True}
    if ask_usage:
        body["stream_options"] = {"include_usage": True}
    body.update(sorted(config.extra_body.items()))
    if request.tools and config.tools:
        body["tools"] = [_tool(spec) for spec in sorted(request.tools, key=lambda spec: spec.name)]
    messages = _alternating(request.messages) if config.alternate_roles else iter(request.messages)
    body["messages"] = [_message(message) for message in messages]
    body[config.max_tokens_field] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return msgspec.json.encode(body)


def _message(message: LlmMessage) -> dict[str, object]:
    fields: dict[str, object] = {"role": message.role.value, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    return fields


def _call(call: ToolCallRequested) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments_json}
    return {"id": call.id, "type": "function", "function": function}


@lru_cache(maxsize=512)
def _tool(spec: ToolSpec) -> msgspec.Raw:
    try:
        parameters = msgspec.json.decode(spec.parameters_json_schema, type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise LocalError(f"tool {spec.name}: the schema of its parameters is no JSON object: {error}") from error
    function = {"name": spec.name, "description": spec.description, "parameters": parameters}
    return msgspec.Raw(msgspec.json.encode({"type": "function", "function": function}))


def _alternating(messages: tuple[LlmMessage, ...]) -> Iterator[LlmMessage]:
    """The conversation with neighbours of one side joined and the caller as the first to speak."""
    held: LlmMessage | None = None
    for message in messages:
        if held is None or held.role is LlmRole.SYSTEM:
            if held is not None:
                yield held
            if message.role is LlmRole.ASSISTANT:
                yield LlmMessage(LlmRole.USER, _CALL_BEGINS)
            held = message
        elif _joins(held, message):
            held = LlmMessage(held.role, f"{held.content}\n{message.content}", message.tool_calls)
        else:
            yield held
            held = message
    if held is not None:
        yield held


def _joins(earlier: LlmMessage, later: LlmMessage) -> bool:
    return later.role is earlier.role and later.role is not LlmRole.TOOL and not earlier.tool_calls
