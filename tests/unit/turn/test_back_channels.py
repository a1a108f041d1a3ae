"""Back-channels, noises and interruptions: worked examples, and what holds for all inputs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.turn.back_channel_words import BY_LANGUAGE
from voicegw.turn.back_channels import BackChannelConfig, Heard, Hearing, content_words, hearing

CONFIG = BackChannelConfig()
BACK, NOISE, REAL = Hearing.BACK_CHANNEL, Hearing.NOISE, Hearing.REAL


@pytest.mark.parametrize(
    ("language", "heard", "expected"),
    [
        ("en-US", Heard("uh-huh", 350), BACK),
        ("en-US", Heard("uh huh", 350), BACK),
        ("en-US", Heard("Mm-hm.", 300), BACK),
        ("en-US", Heard("okay okay", 800), BACK),
        ("en-US", Heard("i see, go on", 900), BACK),
        ("en-US", Heard("yeah", 300, still_speaking=True), BACK),
        ("en-US", Heard("yeah", 300, complete=True), REAL),
        ("en-US", Heard("okay but", 500), REAL),
        ("en-US", Heard("okay stop", 600), REAL),
        ("en-US", Heard("no", 200), REAL),
        ("en-US", Heard("wait", 250), REAL),
        ("en-US", Heard("hold on", 400), REAL),
        ("en-US", Heard("i see the problem", 900), REAL),
        ("en-US", Heard("go", 300), Hearing.UNDECIDED),
        ("en-US", Heard("okay okay okay okay okay", 2100), REAL),
        ("en-US", Heard("", 300), NOISE),
        ("en-US", Heard("", 600, still_speaking=True), NOISE),
        ("en-US", Heard("", 700, still_speaking=True), REAL),
        ("en-US", Heard("", 900), NOISE),
        ("en-US", Heard("turn the radio down", 1500, level_dbov=-55), NOISE),
        ("en-US", Heard("stop", 300, level_dbov=-55), REAL),
        ("de-DE", Heard("ja genau", 500), BACK),
        ("de-DE", Heard("ach so", 400), BACK),
        ("de-AT", Heard("ja aber", 500), REAL),
        ("de-DE", Heard("Nein", 250), REAL),
        ("de-DE", Heard("warten Sie", 500), REAL),
        ("es-ES", Heard("sí, sí, claro", 800), BACK),
        ("es-MX", Heard("ya veo", 400), BACK),
        ("es-ES", Heard("vale, pero", 600), REAL),
        ("es-ES", Heard("espere", 400), REAL),
        ("fr-FR", Heard("d’accord, très bien", 900), BACK),
        ("fr-FR", Heard("allez-y", 400), BACK),
        ("fr-FR", Heard("non", 250), REAL),
        ("fr-FR", Heard("excusez-moi", 500), REAL),
        ("it-IT", Heard("okay", 300), BACK),
    ],
)
def test_worked_examples(language: str, heard: Heard, expected: Hearing) -> None:
    assert hearing(CONFIG, heard, language) is expected


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (Heard("hotel", 300), NOISE),
        (Heard("hotel", 700), REAL),
        (Heard("the hotel", 300), REAL),
        (Heard("okay hotel", 300), NOISE),
        (Heard("stop", 200), REAL),
        (Heard("six", 200, complete=True), REAL),
    ],
)
def test_more_words_may_be_asked_for(heard: Heard, expected: Hearing) -> None:
    assert hearing(BackChannelConfig(min_words=2), heard) is expected


def test_content_words() -> None:
    assert content_words("uh huh I see, the blue one") == 3
    assert content_words("") == 0
    assert content_words("oui, je voudrais", "fr-FR") == 2


def test_no_word_is_in_both_lists() -> None:
    for words in BY_LANGUAGE.values():
        assert not set(words.phrases) & set(words.urgent)


phrases = {language: st.sampled_from(words.phrases) for language, words in BY_LANGUAGE.items()}
urgent = {language: st.sampled_from(words.urgent) for language, words in BY_LANGUAGE.items()}
languages = st.sampled_from(sorted(BY_LANGUAGE))
texts = st.one_of(st.text(max_size=30), languages.flatmap(lambda lang: st.lists(phrases[lang]).map(" ".join)))
heards = st.builds(
    Heard,
    text=texts,
    speech_ms=st.floats(0, 5000),
    level_dbov=st.floats(-90, 0),
    still_speaking=st.booleans(),
    complete=st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.data(), languages)
def test_any_few_back_channels_are_back_channels(data: st.DataObject, language: str) -> None:
    said = data.draw(st.lists(phrases[language], min_size=1, max_size=3))
    text = data.draw(st.sampled_from([" ", ", ", "... "])).join(said)
    assert hearing(CONFIG, Heard(text, 800), language) is BACK or any(
        f" {word} " in f" {' '.join(said)} " for word in BY_LANGUAGE[language].urgent
    )


@settings(max_examples=200, deadline=None)
@given(st.data(), languages, heards)
def test_a_word_that_asks_for_silence_is_real_wherever_it_stands(
    data: st.DataObject, language: str, heard: Heard
) -> None:
    said = data.draw(st.lists(phrases[language], max_size=3))
    said.insert(data.draw(st.integers(0, len(said))), data.draw(urgent[language]))
    urgent_one = Heard(" ".join(said), heard.speech_ms, heard.level_dbov, heard.still_speaking)
    assert hearing(CONFIG, urgent_one, language) is REAL


@settings(max_examples=200, deadline=None)
@given(heards, st.text("abcde-_ ", max_size=8), st.integers(-1, 4))
def test_nothing_breaks_it_and_an_answer_is_always_real(heard: Heard, language: str, min_words: int) -> None:
    found = hearing(BackChannelConfig(min_words=min_words), heard, language)
    if heard.complete:
        assert found is REAL


@settings(max_examples=200, deadline=None)
@given(heards, st.floats(0, 5000), languages)
def test_a_longer_sound_is_never_less_real(heard: Heard, more_ms: float, language: str) -> None:
    longer = Heard(heard.text, heard.speech_ms + more_ms, heard.level_dbov, heard.still_speaking, heard.complete)
    if hearing(CONFIG, heard, language) is REAL:
        assert hearing(CONFIG, longer, language) is REAL
