"""Long conversations: what a model is sent stays within its bound, and its beginning stays the same for long."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.agents.llm_history import tokens, trimmed
from voicegw.agents.llm_state import LlmState
from voicegw.ports.llm import LlmMessage, LlmRole, ToolCallRequested

SYSTEM = LlmMessage(LlmRole.SYSTEM, "You answer calls. " * 50)
CALL = ToolCallRequested("1", "look_up", '{"n":1}')


def exchange(number: int, *, tool: bool = False) -> list[LlmMessage]:
    user = LlmMessage(LlmRole.USER, f"question {number}")
    answer = LlmMessage(LlmRole.ASSISTANT, f"answer {number} " * 5)
    asked = [LlmMessage(LlmRole.ASSISTANT, tool_calls=(CALL,)), LlmMessage(LlmRole.TOOL, "{}", tool_call_id="1")]
    return [user, *(asked if tool else []), answer]


def size(messages: tuple[LlmMessage, ...]) -> int:
    return sum(tokens(message) for message in messages if message.role is not LlmRole.SYSTEM)


def test_a_short_conversation_is_left_as_it_is() -> None:
    messages = (SYSTEM, LlmMessage(LlmRole.ASSISTANT, "Hello."), *exchange(1))
    assert trimmed(messages, 1000) is messages


def test_a_long_one_loses_its_older_half_and_begins_with_the_caller() -> None:
    messages = (SYSTEM, LlmMessage(LlmRole.ASSISTANT, "Hello."), *(m for n in range(20) for m in exchange(n)))
    kept = trimmed(messages, 400)
    assert kept[0] is SYSTEM
    assert kept[1].role is LlmRole.USER
    assert kept[1:] == messages[-len(kept) + 1 :]
    assert 100 < size(kept) <= 200


def test_the_last_exchange_stays_whatever_its_size() -> None:
    messages = (SYSTEM, *exchange(1), LlmMessage(LlmRole.USER, "word " * 1000))
    assert trimmed(messages, 500) == (SYSTEM, messages[-1])


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(100, 2000))
def test_a_tool_call_is_never_parted_from_its_result(with_tool: list[bool], limit: int) -> None:
    messages = (SYSTEM, *(m for n, tool in enumerate(with_tool) for m in exchange(n, tool=tool)))
    kept = trimmed(messages, limit)
    assert kept[0] is SYSTEM
    assert kept[1].role is LlmRole.USER
    for before, message in pairwise(kept):
        assert (message.role is LlmRole.TOOL) == bool(before.tool_calls)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 60), min_size=30, max_size=60))
def test_the_beginning_changes_seldom(lengths: list[int]) -> None:
    state, changes = LlmState((SYSTEM,)), 0
    for length in lengths:
        before = state.messages
        state = state.with_turn("word " * length, 1500).said("All right.")
        changes += state.messages[: len(before)] != before
        assert size(state.messages) <= 1500 + 110
    told = sum(2 * length + 20 for length in lengths)
    assert changes <= 1 + told / 700
