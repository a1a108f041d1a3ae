"""The registry, and a language that slots in."""

from __future__ import annotations

from dataclasses import replace

from voicegw.agents.speakable import LANGUAGES, Gender, speakable, spoken_money
from voicegw.agents.speakable.english import ENGLISH, ENGLISH_US
from voicegw.agents.speakable.french import FRENCH


def _belgian(value: int, gender: Gender) -> str:
    return f"nonante-{FRENCH.cardinal(value - 90, gender)}" if 91 < value < 100 else FRENCH.cardinal(value, gender)


def test_tags_fall_back_to_the_bare_language() -> None:
    assert LANGUAGES.find("en") is ENGLISH_US
    assert LANGUAGES.find("en-CA") is ENGLISH_US
    assert LANGUAGES.find("EN_gb") is ENGLISH
    assert LANGUAGES.find("fr-Latn-CA") is FRENCH
    assert LANGUAGES.find("it") is None
    assert LANGUAGES.find("") is None


def test_another_language_slots_in_without_touching_the_others() -> None:
    more = LANGUAGES.having(replace(FRENCH, tags=("fr-be",), cardinal=_belgian))
    assert speakable("95", "fr-BE", more) == "nonante-cinq"
    assert speakable("95", "fr-FR", more) == "quatre-vingt-quinze"
    assert speakable("95", "fr-BE") == "quatre-vingt-quinze"
    assert LANGUAGES.having().find("fr-be") is FRENCH


def test_money_in_a_language_that_is_not_known_is_english() -> None:
    assert spoken_money("5", "EUR", "it") == "five euros"
