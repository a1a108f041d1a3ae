"""What language models write for the eye."""

from __future__ import annotations

import pytest

from voicegw.agents.sentences import SentenceSplitter
from voicegw.agents.speakable import speakable
from voicegw.agents.speakable.fences import FenceFilter


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("**Bold**, *it*, __both__, ~~gone~~ and `code`", "Bold, it, both, gone and code"),
        ("***very***", "very"),
        ("un**believ**able snake_case", "unbelievable snake case"),
        ("**Note", "Note"),
        ("[our page](https://x.com/a) and ![a cat](c.png)", "our page and a cat"),
        ("<https://x.com>", "x dot com"),
        ("# Title\nText", "Title. Text"),
        ("- one\n- two\n- three", "one, two, three"),
        ("* [x] done\n* [ ] open", "done, open"),
        ("> quoted", "quoted"),
        ("a\n---\nb", "a b"),
        ("| Day | Price |\n|---|---|\n| Mon | $5 |", "Day, Price Mon, five dollars"),
        ("Well 😀👍🏽 done ✅ → next", "Well done next"),
        ("Press 1️⃣.", "Press one."),
        ("<b>bold</b> a < b &amp; c", "bold a b and c"),
        ("<break time='1s'/>Hello", "Hello"),
        ("See[^1] it", "See it"),
        ("before\n```python\nprint(1)\n```\nafter", "before after"),
        ("it´s … fine", "it's… fine"),
        ("٣ and ５ and ⑤", "three and five and five"),
        ("😀", ""),
        ("", ""),
    ],
)
def test_markup(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


def test_other_languages_keep_their_figures() -> None:
    assert speakable("**5** mele 🍎", "it-IT") == "5 mele"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_block_of_code_is_dropped_however_it_is_cut(size: int) -> None:
    text = "Run this:\n```sh\nrm -rf x\n```\nThen `wait`. ~~~ is no block.\n~~~\ny\n"
    fences = FenceFilter()
    pieces = [fences.push(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join(pieces) + fences.finish() == "Run this:\nThen `wait`. ~~~ is no block.\n"


def test_prose_is_not_held_back() -> None:
    fences = FenceFilter()
    assert fences.push("Hel") == "Hel"
    assert fences.push("lo\n") == "lo\n"
    assert fences.push("``") == ""
    assert fences.finish() == "``"


def test_a_streamed_reply() -> None:
    reply = "The total is **$24.50** for 2 nights. We see you on 3/15 at 3:30 pm. Call 555-0123!"
    splitter = SentenceSplitter()
    pieces = [piece for char in reply for piece in splitter.push(char)] + splitter.finish()
    assert [speakable(piece) for piece in pieces] == [
        "The total is twenty four dollars and fifty cents for two nights.",
        "We see you on March fifteenth at three thirty p.m.",
        "Call five five five, zero one two three!",
    ]
