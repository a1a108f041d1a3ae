"""What the server itself says: as it ships, as it is configured, and in a language that it has no words for."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.config import load_config
from voicegw.runtime.house_texts import ENGLISH, SHIPPED, HouseTexts, HouseWords


def configured(folder: Path, texts: str) -> HouseTexts:
    (folder / "voicegw.yaml").write_text(f"texts: {{languages: {texts}}}\n")
    return HouseTexts(load_config(folder / "voicegw.yaml").texts)


@pytest.mark.parametrize("tag", ["en-GB", "de-AT", "es_MX", "fr", "DE"])
def test_a_language_that_ships_is_spoken_as_the_call_speaks_it(tag: str) -> None:
    house = HouseTexts()
    assert house.of(tag) == SHIPPED[tag[:2].lower()]
    assert house.language_for(tag) == tag


def test_english_otherwise() -> None:
    house = HouseTexts()
    assert house.of("pt-BR") == SHIPPED["en"]
    assert house.language_for("pt-BR") == ENGLISH


def test_every_language_that_ships_has_all_its_words() -> None:
    for words in SHIPPED.values():
        assert len(words.fillers) == 3
        assert all(words.all)
        assert len(set(words.all)) == len(words.all)


def test_a_house_has_words_of_its_own(tmp_path: Path) -> None:
    house = configured(tmp_path, '{de: {fillers: ["Sekunde."]}, de-CH: {apology: Exgüsi.}, sv: {apology: Förlåt.}}')
    assert house.of("de-DE").fillers == ("Sekunde.",)
    assert house.of("de-DE").apology == SHIPPED["de"].apology
    assert (house.of("de-CH").fillers, house.of("de-CH").apology) == (("Sekunde.",), "Exgüsi.")
    assert house.of("sv-SE") == HouseWords(apology="Förlåt.").over(SHIPPED["en"])
    assert house.language_for("sv-SE") == "sv-SE"


def test_last_words() -> None:
    words = SHIPPED["en"]
    assert words.parting(HangupCause.CALL_TOO_LONG) == words.too_long
    assert words.parting(HangupCause.DRAINING) == words.draining
    assert words.parting(HangupCause.INTERNAL_ERROR) == words.apology


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("{german: {apology: Ach.}}", "'german' is no language"),
        ("{de: {fillers: ['']}}", "a filler of 'de' is empty"),
        ("{de: {sorry: Ach.}}", "sorry"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, texts: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(tmp_path, texts)
