"""What a call has spent on language models, and whether it may spend more. Pure.

Servers do not report the tokens of a cancelled answer, some report none at all; those are estimated, rather too
high.
"""

from __future__ import annotations

from dataclasses import replace

from voicegw.inference.llm.config import BudgetConfig
from voicegw.ports.llm import BudgetExceeded, LlmPrice, LlmRequest, LlmUsage

_BYTES_PER_TOKEN = 3
"""English has about four, other languages fewer."""
_TOKENS_PER_MESSAGE = 4
_MILLION = 1_000_000.0


class CallBudget:
    """The account of one call: ``spent_tokens`` and ``spent_money`` so far."""

    def __init__(self, config: BudgetConfig) -> None:
        self.spent_tokens = 0
        self.spent_money = 0.0
        self._config = config

    def admit(self, request: LlmRequest) -> LlmRequest:
        """The request, its answer bounded by what is left; raises BudgetExceeded when nothing is."""
        limit = self._config.max_tokens
        if self._config.max_money and self.spent_money >= self._config.max_money:
            raise BudgetExceeded(f"the call has cost {self.spent_money:.4f} of {self._config.max_money:g}")
        if not limit:
            return request
        left = limit - self.spent_tokens - prompt_estimate(request)
        if left <= 0:
            raise BudgetExceeded(f"the call has used {self.spent_tokens} of {limit} tokens and needs more")
        return replace(request, max_tokens=min(request.max_tokens, left))

    def charge(self, usage: LlmUsage, price: LlmPrice) -> None:
        """One answer, whole or not."""
        self.spent_tokens += usage.prompt_tokens + usage.completion_tokens
        self.spent_money += cost(usage, price)


def cost(usage: LlmUsage, price: LlmPrice) -> float:
    """Money for one answer."""
    fresh = max(0, usage.prompt_tokens - usage.cached_tokens)
    cached_price = price.prompt_per_million if price.cached_per_million is None else price.cached_per_million
    return (
        fresh * price.prompt_per_million
        + usage.cached_tokens * cached_price
        + usage.completion_tokens * price.completion_per_million
    ) / _MILLION


def estimate(request: LlmRequest, answer: str) -> LlmUsage:
    """Tokens of an answer whose server did not count them."""
    return LlmUsage(prompt_estimate(request), 0, _tokens(answer))


def prompt_estimate(request: LlmRequest) -> int:
    """Tokens of the prompt, at least."""
    total = sum(_tokens(tool.name + tool.description + tool.parameters_json_schema) for tool in request.tools)
    for message in request.messages:
        calls = "".join(call.name + call.arguments_json for call in message.tool_calls)
        total += _TOKENS_PER_MESSAGE + _tokens(message.content + calls)
    return total


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)
