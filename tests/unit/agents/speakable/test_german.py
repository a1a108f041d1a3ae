"""German texts as they are read aloud."""

from __future__ import annotations

import pytest

from voicegw.agents.speakable import Gender, speakable, spoken_money
from voicegw.agents.speakable.german import cardinal, ordinal, year


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("1.200,50 € oder 3 Millionen €", "eintausendzweihundert Euro fünfzig oder drei Millionen Euro"),
        ("1 €, 1 £, 5 Mio. €", "ein Euro, ein Pfund, fünf Millionen Euro"),
        ("0,50 €", "fünfzig Cent"),
        ("Tel. +49 30 1234567", "Telefon plus vier neun, drei null, eins zwei drei, vier fünf sechs sieben"),
        ("Am 5.3.2026 um 15:30 Uhr", "Am fünften März zweitausendsechsundzwanzig um fünfzehn Uhr dreißig"),
        ("vom 1. bis 3. Mai", "vom ersten bis dritten Mai"),
        ("der 3. Versuch im 2. Stock", "der dritte Versuch im zweiten Stock"),
        ("5. März", "fünfter März"),
        ("seit 1984", "seit neunzehnhundertvierundachtzig"),
        ("1 Tisch, 21 Gäste", "ein Tisch, einundzwanzig Gäste"),
        ("1 Person, 1 Nacht, 101 Karten, 1 Kunde", "eine Person, eine Nacht, einhundertein Karten, ein Kunde"),
        ("Drücken Sie 1 für Hilfe.", "Drücken Sie eins für Hilfe."),
        ("9–17 Uhr, 15 Uhr 30, 1:00 Uhr", "neun bis siebzehn Uhr, fünfzehn Uhr dreißig, ein Uhr"),
        ("z. B. 20 °C, 1 %, 3,5 km", "zum Beispiel zwanzig Grad Celsius, ein Prozent, drei Komma fünf Kilometer"),
        ("Hauptstr. 12, Nr. 5", "Hauptstraße zwölf, Nummer fünf"),
        ("anna@beispiel.de", "anna at beispiel Punkt D E"),
        ("Sie sind Nummer 5.", "Sie sind Nummer fünf."),
        ("1.000.000 Menschen", "eine Million Menschen"),
        ("DE12 3456 7890", "D E eins zwei, drei vier fünf sechs, sieben acht neun null"),
        ("Version 1.2.3, 3/4", "Version eins Punkt zwei Punkt drei, drei Viertel"),
        ("Drücken Sie NICHT, die AOK", "Drücken Sie NICHT, die A O K"),
    ],
)
def test_texts(text: str, spoken: str) -> None:
    assert speakable(text, "de-DE") == spoken
    assert speakable(text, "de-AT") == spoken


def test_an_ordinal_that_was_cut_off_from_its_month() -> None:
    assert speakable("Wir sehen uns am 5.", "de") == "Wir sehen uns am fünften"
    assert speakable("Das waren 5.", "de") == "Das waren fünf."


def test_number_words() -> None:
    assert cardinal(1) == "eins"
    assert cardinal(101, Gender.FEMININE) == "einhunderteine"
    assert cardinal(401_873) == "vierhunderteintausendachthundertdreiundsiebzig"
    assert cardinal(1_000_001) == "eine Million eins"
    assert [ordinal(n) for n in (1, 3, 7, 8, 20, 101)] == [
        "erste", "dritte", "siebte", "achte", "zwanzigste", "einhunderterste",
    ]  # fmt: skip
    assert year(1900) == "neunzehnhundert"
    assert spoken_money("24.50", "EUR", "de-DE") == "vierundzwanzig Euro fünfzig"
