"""Properties of compiled language models: every history has a distribution, whatever the phrases."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.inference.arpa import Arpa
from voicegw.inference.asr.language_model import compile_lm, vocabulary

words = st.sampled_from(["yes", "no", "on", "tuesday", "one", "two", "three", "please", "o'clock", "p.m."])
phrases = st.lists(st.lists(words, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(phrases, phrases)
def test_every_history_has_a_distribution(everything: list[str], boost: list[str]) -> None:
    arpa = Arpa(compile_lm(everything, boost))
    outcomes = [*vocabulary([*everything, *boost]), "</s>"]
    histories = {ngram for ngram in arpa.backoff if ngram[-1] != "</s>"} | {()}
    for history in sorted(histories)[:40]:
        total = sum(arpa.probability((*history, word)) for word in outcomes)
        assert abs(total - 1.0) < 0.01, (history, total)


@settings(max_examples=25, deadline=None)
@given(phrases, phrases)
def test_every_phrase_and_every_word_is_possible(everything: list[str], boost: list[str]) -> None:
    arpa = Arpa(compile_lm(everything, boost))
    assert all(arpa.sentence(phrase) > 0 for phrase in [*everything, *boost])
    assert all(arpa.sentence(word) > 0 for word in vocabulary(everything))
