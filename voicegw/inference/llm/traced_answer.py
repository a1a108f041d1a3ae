"""One answer of a language model as work in the trace of its call; attributes as OpenTelemetry names them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from voicegw.base.errors import ProviderError
from voicegw.inference.llm.config import ChatServerConfig
from voicegw.ports.llm import LlmEvent, LlmFinished, LlmRequest, LlmUsage, TextDelta, ToolCallRequested
from voicegw.ports.tracing import Value, WorkKind, begin_work

FIRST_TOKEN = "first token"


class TracedAnswer:
    """From the request to the last event; nothing of what was said or answered is in it."""

    def __init__(self, config: ChatServerConfig, request: LlmRequest) -> None:
        place = urlsplit(config.base_url)
        told: dict[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": config.name,
            "gen_ai.request.model": config.model,
            "gen_ai.request.max_tokens": request.max_tokens,
            "server.address": place.hostname or "",
        }
        if place.port is not None:
            told["server.port"] = place.port
        self._work = begin_work(f"chat {config.model}", WorkKind.ELSEWHERE, told)
        self._has_begun = self._is_over = False

    @property
    def headers(self) -> Mapping[str, str]:
        """What the request has to carry."""
        return self._work.headers

    def take(self, event: LlmEvent) -> None:
        """The next event of the answer."""
        match event:
            case TextDelta() | ToolCallRequested():
                if not self._has_begun:
                    self._has_begun = True
                    self._work.mark(FIRST_TOKEN)
            case LlmFinished(reason):
                self._is_over = True
                self._work.tell("voicegw.llm.finish_reason", reason.value)
            case LlmUsage():
                self._work.tell("gen_ai.usage.input_tokens", event.prompt_tokens)
                self._work.tell("gen_ai.usage.output_tokens", event.completion_tokens)
            case _:
                pass

    def failed(self, error: ProviderError) -> None:
        """It had no success."""
        self._is_over = True
        self._work.failed(type(error).__name__)

    def end(self) -> None:
        """Nobody reads on: it is over, or it is not wanted any more."""
        if not self._is_over:
            self._work.mark("abandoned")
        self._work.end()
