"""Patience and budget: plain arithmetic."""

from __future__ import annotations

import pytest

from voicegw.inference.llm.budget import CallBudget, cost, estimate, prompt_estimate
from voicegw.inference.llm.config import BudgetConfig, ChatServerConfig
from voicegw.inference.llm.patience import Patience
from voicegw.ports.llm import BudgetExceeded, LlmMessage, LlmPrice, LlmRequest, LlmRole, LlmUsage, ToolSpec

CONFIG = ChatServerConfig(
    "tiny", "http://127.0.0.1/v1", "tiny", first_token_timeout_s=8, idle_timeout_s=4, total_timeout_s=20
)
REQUEST = LlmRequest((LlmMessage(LlmRole.USER, "x" * 30),), max_tokens=100)
PROMPT = 14
PRICE = LlmPrice(prompt_per_million=10.0, cached_per_million=1.0, completion_per_million=30.0)


def test_keep_alives_do_not_move_the_first_word() -> None:
    patience = Patience(CONFIG)
    patience.waited(5)
    patience.progressed(spoke=False)
    assert patience.left_s() == 3
    patience.waited(4)
    assert patience.left_s() == 0
    assert "no first word" in patience.reason()


def test_after_the_first_word_only_gaps_count() -> None:
    patience = Patience(CONFIG)
    patience.waited(7)
    patience.progressed(spoke=True)
    assert patience.left_s() == 4
    patience.waited(3)
    patience.progressed(spoke=False)
    assert patience.left_s() == 4
    assert "nothing came for 4 s" in patience.reason()


def test_the_whole_is_bounded() -> None:
    patience = Patience(CONFIG)
    for _ in range(9):
        patience.waited(2)
        patience.progressed(spoke=True)
    assert patience.left_s() == 2
    assert "longer than 20 s" in patience.reason()


def test_without_limits_everything_is_admitted_and_counted() -> None:
    budget = CallBudget(BudgetConfig())
    assert budget.admit(REQUEST) is REQUEST
    budget.charge(LlmUsage(1000, 400, 100), PRICE)
    assert budget.spent_tokens == 1100
    assert budget.spent_money == pytest.approx((600 * 10 + 400 * 1 + 100 * 30) / 1e6)


def test_cached_tokens_cost_the_same_unless_a_price_is_given() -> None:
    assert cost(LlmUsage(1000, 1000, 0), LlmPrice(prompt_per_million=10.0)) == pytest.approx(0.01)


def test_tokens_run_out() -> None:
    budget = CallBudget(BudgetConfig(max_tokens=200))
    assert budget.admit(REQUEST).max_tokens == 100
    budget.charge(LlmUsage(100, 0, 30), PRICE)
    assert budget.admit(REQUEST).max_tokens == 200 - 130 - PROMPT
    budget.charge(LlmUsage(50, 0, 6), PRICE)
    with pytest.raises(BudgetExceeded) as caught:
        budget.admit(REQUEST)
    assert not caught.value.retryable


def test_money_runs_out() -> None:
    budget = CallBudget(BudgetConfig(max_money=0.01))
    budget.charge(LlmUsage(999, 0, 0), PRICE)
    budget.admit(REQUEST)
    budget.charge(LlmUsage(1, 0, 0), PRICE)
    with pytest.raises(BudgetExceeded):
        budget.admit(REQUEST)


def test_estimates_count_tools_and_words() -> None:
    assert prompt_estimate(REQUEST) == PROMPT
    with_tool = LlmRequest(REQUEST.messages, (ToolSpec("abc", "def", "{}"),))
    assert estimate(with_tool, "good day") == LlmUsage(PROMPT + 3, 0, 3)
