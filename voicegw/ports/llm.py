"""Language models as an agent sees them: a conversation in, words and tool calls out as they are made.

Messages are append-only: a turn adds messages behind those of the turn before and never changes one that was sent.
What varies (the time, what is known of the caller) goes into the newest user message and stays there, never into
the system message. Servers keep the work they did for a prompt's beginning, so an answer begins sooner the longer
the part that is equal, byte for byte, to an earlier prompt.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

from voicegw.base.errors import ProviderError


class LlmRole(Enum):
    """Who a message is from; the values are those of the chat protocol."""

    SYSTEM = "system"
    """The agent's instructions. Only the first message."""
    USER = "user"
    """The caller."""
    ASSISTANT = "assistant"
    """The model: text, tool calls, or both."""
    TOOL = "tool"
    """What a tool returned."""


@dataclass(frozen=True, slots=True)
class ToolCallRequested:
    """The model wants a tool run. The call is complete and ``arguments_json`` is one JSON object.

    ``id`` is the server's and unique within its answer only: it is no idempotency key.
    """

    id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class LlmMessage:
    """One message of the conversation.

    ``tool_calls`` belong to an ASSISTANT message and come back as they were requested; ``tool_call_id`` belongs to
    a TOOL message and names the call that it answers.
    """

    role: LlmRole
    content: str = ""
    tool_calls: tuple[ToolCallRequested, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool the model may ask for. ``parameters_json_schema`` is the text of a JSON Schema of type object."""

    name: str
    description: str
    parameters_json_schema: str = '{"type":"object","properties":{}}'


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """One answer wanted.

    ``tools`` may come in any order; they are sent sorted by name, so that equal sets make equal prompts.
    ``max_tokens`` bounds the answer: a spoken sentence is about 20 tokens. ``temperature`` None leaves the server's
    own. ``restart_after_text``: nobody has heard this answer yet (speculation), so a provider chain may begin it
    anew with another model when the first dies in the middle; the consumer is told by :class:`LlmRestarted`.
    """

    messages: tuple[LlmMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 400
    temperature: float | None = None
    restart_after_text: bool = False


@dataclass(frozen=True, slots=True)
class LlmAnswering:
    """From a chain of providers, before the rest: who answers. Left out as long as it is the first of the chain.

    ``instead_of``: why none of those before it; empty where the first one is back.
    """

    provider: str
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer's text; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class LlmRestarted:
    """The text so far is void: another model begins the answer anew. Only with ``restart_after_text``."""


class FinishReason(Enum):
    """Why an answer ended."""

    STOP = "stop"
    """The model had said everything."""
    LENGTH = "length"
    """``max_tokens`` were used up: the last sentence is torn, and a torn tool call is left out."""
    TOOL_CALLS = "tool_calls"
    """The model waits for the results of its tool calls."""
    FILTERED = "content_filter"
    """The provider withheld the rest."""


@dataclass(frozen=True, slots=True)
class LlmFinished:
    """No more text and tool calls; flush what is held back. At most one :class:`LlmUsage` follows."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class LlmUsage:
    """Tokens of one answer as the server counted them. ``cached_tokens`` are a part of ``prompt_tokens``."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


LlmEvent: TypeAlias = LlmAnswering | TextDelta | ToolCallRequested | LlmRestarted | LlmFinished | LlmUsage


@dataclass(frozen=True, slots=True)
class LlmPrice:
    """Money for a million tokens, in any one currency; 0 for a server of one's own."""

    prompt_per_million: float = 0.0
    """Of what the model reads."""
    cached_per_million: float | None = None
    """Of the part of it that the server had in its cache; None for no discount."""
    completion_per_million: float = 0.0
    """Of what it writes."""


@dataclass(frozen=True, slots=True)
class LlmCapabilities:
    """``tools``: understands :attr:`LlmRequest.tools`. ``usage``: reports :class:`LlmUsage`."""

    tools: bool = True
    usage: bool = True
    price: LlmPrice = field(default_factory=LlmPrice)


class LlmOverloaded(ProviderError):
    """The server has no room now. ``retry_after_s`` is when it asks to be tried again, None if it did not say."""

    def __init__(self, provider: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(provider, message, retryable=True)
        self.retry_after_s = retry_after_s


class LlmRejected(ProviderError):
    """The server is well but refuses this request (too long, not understood): it says nothing of its health."""

    def __init__(self, provider: str, message: str) -> None:
        super().__init__(provider, message, retryable=False)


class BudgetExceeded(ProviderError):
    """The call has used up what it may spend on language models; no provider was asked."""

    def __init__(self, message: str) -> None:
        super().__init__("llm budget", message, retryable=False)


class Llm(Protocol):
    """All that an agent needs: one provider, or a chain of them for one call."""

    def stream(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        """Yield the answer as it is made: text and tool calls, then LlmFinished, then LlmUsage where known.

        A chain says with LlmAnswering who makes it where that is not the first of its providers.

        ``aclose`` cancels the work at the server; read the answer to its end otherwise. Raises
        :class:`~voicegw.base.errors.ProviderError`, at any point, never later than the provider's time limits.
        """
        ...


class LlmProvider(Llm, Protocol):
    """One model on one server."""

    name: str
    capabilities: LlmCapabilities

    async def start(self) -> None:
        """Open what is needed; raises :class:`~voicegw.base.errors.ConfigError`. Does not ask the server."""
        ...

    async def warm_up(self, request: LlmRequest) -> float:
        """Have the server read the beginning that calls share (system message and tools) before the first call.

        Returns the seconds to the first sign of an answer; raises ProviderError.
        """
        ...

    async def close(self) -> None:
        """Give up the connections."""
        ...
