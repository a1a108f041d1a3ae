"""What is looked at first to spare most sentences most of the work changes no result."""

from __future__ import annotations

import re
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.agents.speakable import LANGUAGES, markup, speech

_NEVER = re.compile(r"(?!)")
TEXTS = st.one_of(
    st.text(" ab-'\".,;:!?()…$%/@\n\t\u00a0", max_size=24),
    st.text(" aB1_*`~<>[]#|&+=•½é’", max_size=24),
    st.lists(
        st.sampled_from(["word", "don't", "well-known", "it's", "''", "-", "5", "Straße", "¼"]), max_size=8
    ).map(" ".join),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_text_without_markup(text: str) -> None:
    short = markup.without_markup(text)
    with mock.patch.object(markup, "_UNMARKED", _NEVER):
        assert markup.without_markup(text) == short


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_text_that_is_tidy_and_sayable(text: str) -> None:
    for language in ("en-US", "fr"):
        known = LANGUAGES.find(language)
        assert known is not None
        short = speech._once(known, text)
        with mock.patch.object(speech, "_SAYABLE", _NEVER), mock.patch.object(speech, "_TIDY_TEXT", _NEVER):
            assert speech._once(known, text) == short
