"""What was heard, to the word where the engine gives marks and by proportion where it does not."""

from __future__ import annotations

import re

from voicegw.agents.speakable.heard import heard_source
from voicegw.base.ids import UtteranceId
from voicegw.turn.playout import PlayoutLedger


def ledger() -> PlayoutLedger:
    said = PlayoutLedger(UtteranceId("u"))
    said.begin("First sentence here.")
    said.add_audio(8000)
    said.begin("And a second one.")
    said.add_audio(8000)
    said.close()
    return said


def test_all_of_it() -> None:
    assert ledger().heard(16000).heard_text == "First sentence here. And a second one."
    assert ledger().heard(16000).exact


def test_nothing_of_it() -> None:
    assert ledger().heard(0).heard_text == ""


def test_whole_sentences_are_exact_and_parts_are_estimated() -> None:
    heard = ledger().heard(8000)
    assert (heard.heard_text, heard.exact) == ("First sentence here.", True)
    heard = ledger().heard(12000)
    assert (heard.heard_text, heard.exact) == ("First sentence here. And a", False)


def test_word_marks_make_it_exact_and_a_cut_word_does_not_count() -> None:
    said = PlayoutLedger(UtteranceId("u"))
    said.begin("one two three")
    for at, end in ((0, 3), (2000, 7), (4000, 13)):
        said.add_mark(at, end)
    said.add_audio(6000)
    said.close()
    heard = said.heard(4500)
    assert (heard.heard_text, heard.exact) == ("one two", True)


def test_what_was_heard_is_told_as_it_was_written() -> None:
    said = PlayoutLedger(UtteranceId("u"), heard_source)
    said.begin("It is $24.50 now.")
    spoken = "It is twenty four dollars and fifty cents now."
    said.read_as(spoken)
    for index, end in enumerate(match.end() for match in re.finditer(r"\S+", spoken)):
        said.add_mark(index * 1000, end)
    said.add_audio(9000)
    said.close()
    told = [said.heard(samples).heard_text for samples in (1500, 2500, 6500, 7500, 8500, 9000)]
    assert told == ["It", "It is", "It is", "It is", "It is $24.50", "It is $24.50 now."]
    assert all(said.heard(samples).exact for samples in range(1, 9001, 500))
    assert said.text == "It is $24.50 now."


def test_audio_still_in_the_making_is_not_taken_for_the_whole() -> None:
    said = PlayoutLedger(UtteranceId("u"))
    said.begin("this sentence is still being synthesised")
    said.add_audio(4000)
    assert said.heard(4000).heard_text in ("this", "")
    assert not said.heard(4000).exact
