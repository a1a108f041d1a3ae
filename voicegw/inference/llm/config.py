"""What an administrator says about language models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicegw.base.breaker import BreakerConfig
from voicegw.ports.llm import LlmPrice


@dataclass(frozen=True, slots=True)
class ChatServerConfig:
    """One model on one OpenAI-compatible server: vLLM, Ollama, llama.cpp's server or a hosted one."""

    name: str
    """As agents and counters call it."""
    base_url: str
    """Up to and with the version, like ``http://127.0.0.1:8000/v1``; ``/chat/completions`` is added."""
    model: str
    """The server's own name of the model."""
    api_key_env: str = ""
    """The environment variable that holds the key, so that no file does; empty where the server wants none."""
    connect_timeout_s: float = 2.0
    """To reach the server. It is there within milliseconds or not at all."""
    first_token_timeout_s: float = 8.0
    """From the request to the first word or tool call, however many keep-alives come: nobody waits longer on the
    phone. A chain hedges much earlier."""
    idle_timeout_s: float = 4.0
    """Between two chunks of an answer; a healthy server sends many a second."""
    total_timeout_s: float = 60.0
    """For a whole answer: the longest monologue a caller could bear."""
    tools: bool = True
    """Whether the model can call tools. Without, they are not sent."""
    ask_usage: bool = True
    """Ask for token counts. A server that does not know how is asked once and then never again."""
    max_tokens_field: str = "max_tokens"
    """``max_completion_tokens`` for hosted models that refuse the older name."""
    alternate_roles: bool = False
    """For chat templates that refuse a conversation begun by the assistant or two messages of one side in a row
    (Gemma, older Mistral): neighbours are joined and a greeting gets a line of the caller before it."""
    extra_body: Mapping[str, object] = field(default_factory=dict)
    """More fields of the request, as the server names them. With vLLM, for one,
    ``{"chat_template_kwargs": {"enable_thinking": false}}`` keeps a reasoning model from thinking for seconds."""
    max_connections: int = 200
    """Answers under way at once; one a call, two while hedging."""
    price: LlmPrice = field(default_factory=LlmPrice)
    """For the budget; nothing for a server of one's own."""


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """How patient a chain of providers is."""

    hedge_after_s: float = 0.8
    """No first word by then: the next provider is asked too, and whoever speaks first is kept. With 0.8 s a slow
    first provider costs the caller about a second; much less would pay for most answers twice."""
    give_up_after_s: float = 6.0
    """No first word from anybody by then: the answer has failed and the agent falls back to something else."""
    max_parallel: int = 2
    """Answers under way at once for one turn."""
    breaker: BreakerConfig = field(default_factory=BreakerConfig)


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """What one call may spend on language models; 0 is no limit."""

    max_tokens: int = 0
    """Prompt and completion tokens of all answers together, cancelled and hedged ones included."""
    max_money: float = 0.0
    """In the currency of the prices."""
