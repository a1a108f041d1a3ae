"""What is made of Whisper's words, languages and probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.inference.asr.faster_whisper_agreement import StablePrefix
from voicegw.inference.asr.faster_whisper_text import (
    choose_language,
    tidy,
    whisper_language,
    without_circles,
)

FOUND = [("nl", 0.5), ("de", 0.3), ("en", 0.2)]
WORDS = st.lists(st.sampled_from(["yes", "no", "maybe", "ten"]), max_size=8)


def test_two_readings_that_agree_make_the_prefix() -> None:
    stable = StablePrefix()
    stable.add("I want to look")
    assert stable.text == ""
    stable.add("i want to book a")
    assert stable.text == "i want to"
    stable.add("I want to book an appointment.")
    assert stable.text == "i want to book"


def test_punctuation_and_case_are_no_disagreement() -> None:
    stable = StablePrefix()
    stable.add("Yes.")
    stable.add("yes, please")
    assert stable.text == "yes,"
    stable.add("...")
    assert stable.text == "yes,"


def test_a_contradiction_takes_nothing_back() -> None:
    stable = StablePrefix()
    for reading in ("call me", "call me", "fall me down", "fall me down"):
        stable.add(reading)
    assert stable.text == "call me"


@settings(max_examples=60)
@given(st.lists(WORDS, max_size=6))
def test_the_prefix_only_grows(readings: list[list[str]]) -> None:
    stable, before = StablePrefix(), ""
    for reading in readings:
        stable.add(" ".join(reading))
        assert stable.text.startswith(before)
        before = stable.text


@pytest.mark.parametrize(
    ("tag", "code"), [("en-US", "en"), ("auto", ""), ("", ""), ("nb-NO", "no"), ("cmn-Hans-CN", "zh"), ("FR", "fr")]
)
def test_languages_have_whispers_names(tag: str, code: str) -> None:
    assert whisper_language(tag) == code


def test_a_clear_language_is_settled() -> None:
    assert choose_language([("de", 0.8), ("nl", 0.2)], (), "en", 0.7) == ("de", True)


def test_an_unclear_one_is_what_the_caller_spoke_before() -> None:
    assert choose_language(FOUND, (), "en", 0.7) == ("en", False)
    assert choose_language(FOUND, (), "", 0.7) == ("nl", False)
    assert choose_language(FOUND, (), "xx", 0.7) == ("nl", False)


def test_only_the_allowed_count_and_their_shares_grow() -> None:
    assert choose_language(FOUND, ("de", "en"), "", 0.5) == ("de", True)
    assert choose_language(FOUND, ("fr",), "", 0.5) == ("fr", False)
    assert choose_language([], (), "", 0.5) == ("en", False)


def test_silence_is_what_the_model_calls_so_and_does_not_believe() -> None:
    assert tidy(" Thank you. ", -1.5, 0.9) == ("", 0.0)
    assert tidy(" Thank  you. ", -0.1, 0.9)[0] == "Thank you."
    text, confidence = tidy("yes", -0.7, 0.1)
    assert text == "yes" and 0.49 < confidence < 0.5


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("call me " + "thank you " * 8, "call me thank you"),
        ("so " + "no " * 12, "so no"),
        ("zero zero zero zero one", "zero zero zero zero one"),
        ("no no no no", "no no no no"),
        ("bye bye", "bye bye"),
        ("", ""),
    ],
)
def test_a_circle_is_gone_through_once(said: str, left: str) -> None:
    assert without_circles(said.strip()) == left
