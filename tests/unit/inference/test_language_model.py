"""The language model: what it lists, what it prefers, and the format."""

from __future__ import annotations

from tests.unit.inference.arpa import Arpa
from voicegw.inference.asr.language_model import DIGITS, LmConfig, compile_lm, model_key, normalize, vocabulary


def test_normalize_keeps_words_and_abbreviations() -> None:
    assert normalize("I'd like three p.m., please!") == ("i'd", "like", "three", "p.m.", "please")


def test_long_digit_runs_become_a_class_and_short_ones_stay() -> None:
    assert normalize("it's one two three") == ("it's", "<digit>", "<digit>", "<digit>")
    assert normalize("at one thirty") == ("at", "one", "thirty")
    assert normalize("nine five") == ("nine", "five")


def test_the_vocabulary_of_a_digit_run_is_all_digits() -> None:
    assert vocabulary(["number one two three"]) == {"number", *DIGITS}


def test_every_digit_follows_every_other_equally() -> None:
    arpa = Arpa(compile_lm(["four two seven one nine six"]))
    shares = [arpa.probability(("two", "seven", digit)) for digit in DIGITS if digit != "oh"]
    assert max(shares) / min(shares) < 1.01


def test_listed_sentences_are_likelier_than_their_words_in_another_order() -> None:
    arpa = Arpa(compile_lm(["book an appointment", "cancel the order"]))
    assert arpa.sentence("book an appointment") > 50 * arpa.sentence("an book appointment")
    assert arpa.sentence("appointment") > 0


def test_boosted_phrases_outweigh_any_number_of_others() -> None:
    others = [f"word{n}" for n in range(300)]
    arpa = Arpa(compile_lm([*others, "yes", "no"], boost=["yes", "no"]))
    assert arpa.sentence("yes") > 0.3
    assert 0 < arpa.sentence("word7") < 0.01


def test_text_and_key_do_not_depend_on_the_order_of_phrases() -> None:
    config = LmConfig()
    assert compile_lm(["a b", "c"]) == compile_lm(["c", "a b", "c"])
    assert model_key(["a", "b"], ["c"], config) == model_key(["b", "a"], ["c"], config)
    assert model_key(["a", "b"], ["c"], config) != model_key(["a"], ["b", "c"], config)
    assert model_key(["a"], [], config) != model_key(["a"], [], LmConfig(backoff=0.3))


def test_no_phrases_still_make_a_model() -> None:
    assert Arpa(compile_lm([])).unigrams == {"<s>", "</s>"}


def test_what_callers_say_aside_is_known_but_unlikely() -> None:
    lm = compile_lm(["book a room"], (), LmConfig(asides=("okay", "one moment")))
    plain = compile_lm(["book a room"])
    assert "okay" in lm
    assert "okay" not in plain
    first = {line.split("\t")[1]: float(line.split("\t")[0]) for line in lm.splitlines() if line.count("\t") > 0}
    assert first["<s> book"] > first["<s> okay"]
