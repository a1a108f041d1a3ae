"""What was heard, to the word where the engine gives marks and by proportion where it does not."""

from __future__ import annotations

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


def test_audio_still_in_the_making_is_not_taken_for_the_whole() -> None:
    said = PlayoutLedger(UtteranceId("u"))
    said.begin("this sentence is still being synthesised")
    said.add_audio(4000)
    assert said.heard(4000).heard_text in ("this", "")
    assert not said.heard(4000).exact
