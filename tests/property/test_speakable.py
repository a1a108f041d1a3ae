"""Whatever a language model writes, what goes to the voice is words: no figures, no markup, and stable."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voicegw.agents.sentences import split_sentences
from voicegw.agents.speakable import LANGUAGES, Gender, speakable, spoken_money

TAGS = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR")
MARKUP = set("*_#`|\\^~<>[]{}@&%$€£¥=+§°©½²³/")
ATOMS = (
    *("$3.50", "3,50 €", "-5", "1.234,5", "1,234.5", "1 234", "15:30", "9:00-17:00", "3pm", "2026-03-05", "1/2"),
    *("3/5/2026", "5. März", "am 5.", "1er", "2ª", "3rd", "15h30", "20°C", "5 km/h", "50 %", "AB12CD", "COVID-19"),
    *("+49 30 1234567", "(555) 123-4567", "555-0123", "a.b-1@x.co.uk", "https://x.de/a_1?b=2", "www.x.com", "FBI"),
    *(
        "**bold**",
        "*it*",
        "`code`",
        "```\nx=1\n```",
        "[text](http://x.y)",
        "# Title",
        "- item",
        "1. item",
        "> quote",
    ),
    *(
        "| a | b |",
        "|---|---|",
        "<b>x</b>",
        "&amp;",
        "&lt;",
        "😀",
        "👍🏽",
        "1️⃣",
        "½",
        "m²",
        "№ 5",
        "#5",
        "#tag",
        "…",
    ),
    *("Dr.", "z. B.", "p. ej.", "M. Dupont", "St. John", "No. 5", "EE. UU.", "$5M", "3 Millionen €", "IPv6", "٣"),
    *("0800", "007", "1.2.3", "192.168.0.1", "12345678", "DE12 3456 7890 12", "1,2,3", "16:9", "24/7", "and/or"),
    *(
        "hello",
        "Haus",
        "niña",
        "été",
        "the",
        "NOT",
        "I",
        "a",
        ".",
        ",",
        "!",
        "?",
        "(",
        ")",
        "'",
        '"',
        "-",
        "–",
        "/",
    ),
)
anything = st.one_of(
    st.text(max_size=60),
    st.text("0123456789.,:-/ $€%°*_#@+aAbBhHmM", max_size=24),
    st.lists(st.sampled_from(ATOMS), max_size=9).map(" ".join),
    st.lists(st.sampled_from(ATOMS), max_size=5).map("".join),
    st.lists(st.sampled_from(ATOMS), max_size=5).map("\n".join),
)


@settings(max_examples=400, deadline=None)
@given(anything, st.sampled_from(TAGS))
@example("–<–<–<–&", "en-US")
@example("&amp;amp;amp;amp;amp;lt;", "en-US")
@example("'''''''''", "en-US")
@example("((((((((((()))))))))))", "en-US")
def test_no_figure_and_no_markup_is_left_and_nothing_changes_twice(text: str, tag: str) -> None:
    spoken = speakable(text, tag)
    assert not any(char.isdigit() for char in spoken)
    assert not MARKUP & set(spoken)
    assert "  " not in spoken
    assert spoken == spoken.strip()
    assert speakable(spoken, tag) == spoken


@settings(max_examples=150, deadline=None)
@given(anything, st.sampled_from(["it-IT", "", "x", "zh-Hant-TW"]))
def test_a_language_that_is_not_known_loses_only_markup(text: str, tag: str) -> None:
    spoken = speakable(text, tag)
    assert "**" not in spoken
    assert "`" not in spoken


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["Das Haus ist gut", "we can help", "voilà", "está bien", "d'accord"]), max_size=5))
def test_plain_prose_is_not_touched(sentences: list[str]) -> None:
    text = ". ".join(sentences)
    for tag in TAGS:
        assert speakable(text, tag) == text


@settings(max_examples=150, deadline=None)
@given(anything, st.sampled_from(TAGS))
def test_pieces_as_they_are_streamed_are_speakable(text: str, tag: str) -> None:
    for piece in split_sentences(text):
        spoken = speakable(piece, tag)
        assert not any(char.isdigit() for char in spoken)
        assert not MARKUP & set(spoken)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**15 - 1), st.sampled_from(TAGS), st.sampled_from(Gender))
def test_different_numbers_sound_different(value: int, tag: str, gender: Gender) -> None:
    language = LANGUAGES.find(tag)
    assert language is not None
    words = language.cardinal(value, gender)
    assert words == words.strip()
    assert "  " not in words
    assert words != language.cardinal(value + 1 if value < 10**15 - 1 else 0, gender)


@settings(max_examples=100, deadline=None)
@given(st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False), st.sampled_from(TAGS))
def test_any_amount_of_any_currency_is_said(amount: Decimal, tag: str) -> None:
    language = LANGUAGES.find(tag)
    assert language is not None
    for code in language.currencies:
        spoken = spoken_money(amount, code, tag)
        assert not any(char.isdigit() for char in spoken)
        assert speakable(spoken, tag) == spoken


@settings(max_examples=100, deadline=None)
@given(st.dates(date(1100, 1, 1), date(2999, 12, 31)), st.sampled_from(TAGS))
def test_a_date_sounds_the_same_however_it_is_written(day: date, tag: str) -> None:
    language = LANGUAGES.find(tag)
    assert language is not None
    iso = speakable(f"x {day.isoformat()}", tag)
    figures = f"{day.month}/{day.day}" if language.month_first else f"{day.day}/{day.month}"
    assert speakable(f"x {figures}/{day.year}", tag) == iso


@pytest.mark.parametrize("tag", TAGS)
def test_every_time_of_the_day_has_words_of_its_own(tag: str) -> None:
    spoken = {speakable(f"{hour}:{minute:02}", tag) for hour in range(24) for minute in range(60)}
    assert len(spoken) == 24 * 60
