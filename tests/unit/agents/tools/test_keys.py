"""Which requests are one wish."""

from __future__ import annotations

import pytest

from voicegw.agents.tools.canonical import ArgumentsError, canonical_json, parse_arguments
from voicegw.agents.tools.keys import KeyBook, derive_key
from voicegw.base.ids import CallId

C1 = CallId("c1")


def test_a_retry_of_a_reply_finds_its_keys_again() -> None:
    book = KeyBook(C1)
    book.begin_reply(0)
    first = [book.key_for("add", {"n": 1}), book.key_for("add", {"n": 1}), book.key_for("add", {"n": 2})]
    assert len(set(first)) == 3
    book.begin_reply(0)
    assert [book.key_for("add", {"n": 1}), book.key_for("add", {"n": 1})] == first[:2]


def test_an_interruption_moves_to_the_next_turn_and_the_wish_stays_the_same() -> None:
    book = KeyBook(C1)
    book.begin_reply(3)
    key = book.key_for("book", {"day": "mon"})
    book.begin_reply(4)
    assert book.key_for("book", {"day": "mon"}) == key


def test_a_model_that_has_seen_the_result_and_asks_again_means_it() -> None:
    book = KeyBook(C1)
    book.begin_reply(0)
    key = book.key_for("book", {"day": "mon"})
    book.settle([key])
    book.begin_reply(1)
    assert book.key_for("book", {"day": "mon"}) != key


def test_settling_counts_from_the_next_reply_on() -> None:
    book = KeyBook(C1)
    book.begin_reply(0)
    keys = [book.key_for("add", {}), book.key_for("add", {})]
    book.begin_reply(0)
    assert book.key_for("add", {}) == keys[0]
    book.settle(keys[:1])
    assert book.key_for("add", {}) == keys[1]
    book.begin_reply(1)
    assert book.key_for("add", {}) == keys[1]


def test_equal_arguments_in_other_words_are_one_wish() -> None:
    book = KeyBook(C1)
    book.begin_reply(0)
    key = book.key_for("pay", parse_arguments('{"to": "bob", "sum": 10}'))
    book.begin_reply(0)
    assert book.key_for("pay", parse_arguments('{"sum":10.0,"to":"bob"}')) == key


def test_a_call_that_is_replayed_finds_its_keys_again() -> None:
    first, again = KeyBook(C1), KeyBook(C1)
    for book in (first, again):
        book.begin_reply(2)
    assert first.key_for("book", {"a": [1]}) == again.key_for("book", {"a": [1]})


def test_every_fact_makes_another_key() -> None:
    keys = {
        derive_key(C1, 0, "t", "{}", 0),
        derive_key(CallId("c2"), 0, "t", "{}", 0),
        derive_key(C1, 1, "t", "{}", 0),
        derive_key(C1, 0, "u", "{}", 0),
        derive_key(C1, 0, "t", '{"a":1}', 0),
        derive_key(C1, 0, "t", "{}", 1),
    }
    assert len(keys) == 6
    assert all(len(key) == 32 for key in keys)


def test_canonical_json_sorts_and_has_one_spelling_of_a_number() -> None:
    assert canonical_json({"b": [1.0, 2.5, True], "a": {"é": None}}) == '{"a":{"é":null},"b":[1,2.5,true]}'
    assert canonical_json(1e300) == "1e+300"


@pytest.mark.parametrize(
    "text",
    ["[1]", '{"a":', '{"a":NaN}', '{"a":1,"a":2}', '{"a":' + "[" * 5000, '"x"', '{"a":"\\ud800"}', "x" * 20_000],
)
def test_arguments_with_no_single_meaning_are_refused(text: str) -> None:
    with pytest.raises(ArgumentsError):
        parse_arguments(text)


def test_no_arguments_are_an_empty_object() -> None:
    assert parse_arguments("") == {}
