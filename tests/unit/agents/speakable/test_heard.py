"""What the caller has heard, in the agent's own words."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.agents.speakable import speakable
from voicegw.agents.speakable.heard import heard_source

SOURCE = "Your **total** is $24.50 for 2 nights, see [the page](https://x.com)!"
SPOKEN = "Your total is twenty four dollars and fifty cents for two nights, see the page!"


def test_the_example_is_what_is_spoken() -> None:
    assert speakable(SOURCE) == SPOKEN


@pytest.mark.parametrize(
    ("heard", "source"),
    [
        ("", ""),
        ("Your", "Your"),
        ("Your total is", "Your **total** is"),
        ("Your total is twenty four", "Your **total** is"),
        ("Your total is twenty four dollars and fifty cents", "Your **total** is $24.50"),
        ("Your total is twenty four dollars and fifty cents for two", "Your **total** is $24.50 for 2"),
        (SPOKEN, SOURCE),
    ],
)
def test_beginnings(heard: str, source: str) -> None:
    assert heard_source(SOURCE, SPOKEN, heard) == source


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["we", "see", "you", "on", "3/15", "at", "3:30", "pm", "for", "$5", "or", "**more**", ",", "😀"]
        ),
        max_size=12,
    )
)
def test_more_heard_is_never_less_of_the_source(words: list[str]) -> None:
    source = " ".join(words)
    spoken = speakable(source)
    parts = [heard_source(source, spoken, " ".join(spoken.split()[:n])) for n in range(len(spoken.split()) + 1)]
    assert all(source.startswith(part) for part in parts)
    assert all(len(a) <= len(b) for a, b in itertools.pairwise(parts))
    assert parts[-1] == source
