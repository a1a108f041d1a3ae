"""French texts as they are read aloud."""

from __future__ import annotations

import pytest

from voicegw.agents.speakable import Gender, speakable, spoken_money
from voicegw.agents.speakable.french import cardinal, ordinal


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("1 200,50 €, 80 €", "mille deux cents euros cinquante, quatre-vingts euros"),
        ("1\u202f200 €", "mille deux cents euros"),
        ("3 millions €, 1 £", "trois millions d'euros, une livre"),
        ("le 01 23 45 67 89", "le zéro un, vingt-trois, quarante-cinq, soixante-sept, quatre-vingt-neuf"),
        ("+33 6 12 34 56 78", "plus trente-trois, six, douze, trente-quatre, cinquante-six, soixante-dix-huit"),
        ("Le 1er mars 2026", "Le premier mars deux mille vingt-six"),
        ("le 05/03/2026 à 15h30", "le cinq mars deux mille vingt-six à quinze heures trente"),
        ("de 9h à 17 h, 21:05", "de neuf heures à dix-sept heures, vingt et une heures cinq"),
        ("La 21e fois, la 1re, le 2ème", "La vingt et unième fois, la première, le deuxième"),
        ("M. Dupont, Mme Durand, n° 5", "monsieur Dupont, madame Durand, numéro cinq"),
        ("20 °C, 50 %", "vingt degrés Celsius, cinquante pour cent"),
        ("3,14, 3,5 km", "trois virgule quatorze, trois virgule cinq kilomètres"),
        ("1 personne, 1 nuit, 21 places, 1 client", "une personne, une nuit, vingt et une places, un client"),
        ("anne@exemple.fr", "anne arobase exemple point F R"),
        ("la SNCF, d'abord, l'été", "la S N C F, d'abord, l'été"),
    ],
)
def test_texts(text: str, spoken: str) -> None:
    assert speakable(text, "fr-FR") == spoken


def test_number_words() -> None:
    assert [cardinal(n) for n in (21, 70, 71, 80, 81, 91, 200, 201, 80_000, 200_000_000)] == [
        *("vingt et un", "soixante-dix", "soixante et onze", "quatre-vingts", "quatre-vingt-un"),
        *("quatre-vingt-onze", "deux cents", "deux cent un", "quatre-vingt mille", "deux cents millions"),
    ]
    assert cardinal(21, Gender.FEMININE) == "vingt et une"
    assert [ordinal(n) for n in (1, 5, 9, 80, 200)] == [
        *("premier", "cinquième", "neuvième", "quatre-vingtième", "deux centième"),
    ]
    assert spoken_money("3.5", "EUR", "fr") == "trois euros cinquante"
