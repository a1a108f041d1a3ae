"""Which questions of a model are answered with something that is dictated."""

from __future__ import annotations

import pytest

from voicegw.agents.dictation import asks_to_dictate


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("What is your order number?", "en-US"),
        ("I can look that up. Please tell me your booking code.", "en-GB"),
        ("Could you spell that?", "en"),
        ("Wie lautet Ihre Kundennummer?", "de-DE"),
        ("Bitte buchstabieren Sie den Namen.", "de-AT"),
        ("¿Cuál es su número de pedido?", "es-ES"),
        ("Quel est votre numéro de commande ?", "fr-FR"),
    ],
)
def test_a_number_is_asked_for(said: str, language: str) -> None:
    assert asks_to_dictate(said, language)


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("", "en-US"),
        ("Your order number is four seven. Is that right?", "en-US"),
        ("I have found the number.", "en-US"),
        ("Which day suits you?", "en-US"),
        ("Welcher Tag passt Ihnen?", "de-DE"),
        ("Vad är ditt ordernummer?", "sv-SE"),
    ],
)
def test_nothing_is_dictated(said: str, language: str) -> None:
    assert not asks_to_dictate(said, language)
