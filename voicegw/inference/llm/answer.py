"""The chunks of a streamed chat answer put together: pure, one object an answer.

Servers differ in small ways. Tolerated: no ``[DONE]``, no usage, no tool call ids or indexes, a function name that
is repeated, finish reason "stop" with tool calls. Not tolerated: an end with neither ``[DONE]`` nor a finish
reason, tool arguments that are no JSON object, an error in the stream. Reasoning text is not speech and is passed
over.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from voicegw.base.errors import ProviderError
from voicegw.ports.llm import (
    FinishReason,
    LlmEvent,
    LlmFinished,
    LlmUsage,
    TextDelta,
    ToolCallRequested,
)

_DONE = b"[DONE]"
_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.FILTERED,
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolDelta(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw | None = None


_decoder = msgspec.json.Decoder(_Chunk)


@dataclass(slots=True)
class _PartialCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


class ChatAnswer:
    """``finished``: LlmFinished is out, token counts may follow. ``done``: nothing follows."""

    def __init__(self, provider: str) -> None:
        self.finished = False
        self.done = False
        self._provider = provider
        self._calls: list[_PartialCall] = []
        self._by_index: dict[int, _PartialCall] = {}
        self._usage: LlmUsage | None = None

    def take(self, data: bytes) -> list[LlmEvent]:
        """The events of one chunk; raises :class:`~voicegw.base.errors.ProviderError`."""
        if data.strip() == _DONE:
            return [*([] if self.finished else self._finish(FinishReason.STOP)), *self._close()]
        try:
            chunk = _decoder.decode(data)
        except msgspec.DecodeError as error:
            raise self._fault(f"a malformed chunk ({error}): {data[:80]!r}") from error
        if chunk.error is not None and bytes(chunk.error) != b"null":
            raise self._fault(f"an error in the stream: {bytes(chunk.error)[:200].decode('utf-8', 'replace')}")
        events: list[LlmEvent] = []
        if chunk.choices:
            events += self._choice(chunk.choices[0])
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
        return events

    def end(self) -> list[LlmEvent]:
        """The stream has ended without ``[DONE]``: fine after a finish reason, else death in mid-answer."""
        if self.done:
            return []
        if not self.finished:
            raise self._fault("the answer ended in the middle")
        return self._close()

    def _close(self) -> list[LlmEvent]:
        self.done = True
        return [] if self._usage is None else [self._usage]

    def _choice(self, choice: _Choice) -> list[LlmEvent]:
        events: list[LlmEvent] = []
        if choice.delta is not None:
            if choice.delta.content:
                events.append(TextDelta(choice.delta.content))
            for delta in choice.delta.tool_calls or ():
                self._tool_delta(delta)
        if choice.finish_reason and not self.finished:
            events += self._finish(_REASONS.get(choice.finish_reason, FinishReason.STOP))
        return events

    def _tool_delta(self, delta: _ToolDelta) -> None:
        call = self._call_of(delta)
        call.id = call.id or delta.id or ""
        if delta.function is not None:
            call.name = call.name or delta.function.name or ""
            call.arguments += delta.function.arguments or ""

    def _call_of(self, delta: _ToolDelta) -> _PartialCall:
        """The call that a delta belongs to: by index; where there is none, a new id begins a new call."""
        if delta.index is not None:
            call = self._by_index.get(delta.index)
            if call is None:
                call = self._by_index[delta.index] = _PartialCall()
                self._calls.append(call)
            return call
        if not self._calls or (delta.id and delta.id != self._calls[-1].id):
            self._calls.append(_PartialCall())
        return self._calls[-1]

    def _finish(self, reason: FinishReason) -> list[LlmEvent]:
        torn = reason is FinishReason.LENGTH
        whole = [self._whole(call, number, torn) for number, call in enumerate(self._calls, start=1)]
        calls = [call for call in whole if call is not None]
        if calls and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_CALLS
        self.finished = True
        return [*calls, LlmFinished(reason)]

    def _whole(self, call: _PartialCall, number: int, torn: bool) -> ToolCallRequested | None:
        """The call if it is whole; None if that is the fault of max_tokens."""
        arguments = call.arguments.strip() or "{}"
        try:
            msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
        except msgspec.DecodeError as error:
            if torn:
                return None
            raise self._fault(f"tool {call.name!r} with arguments that are no JSON object: {error}") from error
        if not call.name:
            raise self._fault("a tool call without a name")
        return ToolCallRequested(call.id or f"call_{number}", call.name, arguments)

    def _fault(self, message: str) -> ProviderError:
        return ProviderError(self._provider, message, retryable=True)


def _usage(usage: _Usage) -> LlmUsage:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return LlmUsage(usage.prompt_tokens, cached, usage.completion_tokens)
