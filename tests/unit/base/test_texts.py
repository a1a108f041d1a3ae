"""Texts that no encoding has, made whole."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from voicegw.base.texts import encoded, whole

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(st.text())
def test_what_can_be_written_stays(text: str) -> None:
    assert whole(text) is text


@given(ANY_TEXT)
def test_whatever_it_is_it_can_be_written(text: str) -> None:
    assert whole(text).encode().decode() == whole(text)


def test_halves_and_what_belongs_together() -> None:
    assert whole("a\ud83db") == "a\ufffdb"
    assert whole("a\ud83d\ude00") == "a\U0001f600"


class Told(msgspec.Struct, tag=True, tag_field="kind"):
    """Something to write."""

    words: tuple[str, ...]
    by: dict[str, str]


@given(st.lists(ANY_TEXT), st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_what_is_encoded_is_as_before_apart_from_the_halves(words: list[str], by: dict[str, str]) -> None:
    content = encoded(msgspec.json.Encoder(), Told(tuple(words), by))
    assert json.loads(content) == {
        "kind": "Told",
        "words": [whole(word) for word in words],
        "by": {whole(key): whole(value) for key, value in by.items()},
    }
