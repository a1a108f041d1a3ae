"""Sentences for the synthesiser and texts that it reads well."""

from __future__ import annotations

import pytest

from voicegw.agents.sentences import FIRST_MAX_CHARS, MAX_CHARS, SentenceSplitter, split_sentences
from voicegw.agents.speakable import speakable, spoken_money


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello. How can I help?", ["Hello.", "How can I help?"]),
        ("Dr. Smith is here. Come in!", ["Dr. Smith is here.", "Come in!"]),
        ("It is 3.50 now. Good.", ["It is 3.50 now.", "Good."]),
        ("Your number is 1 9 6. Is that right?", ["Your number is 1 9 6.", "Is that right?"]),
        ("At ten a.m. on Monday.", ["At ten a.m. on Monday."]),
        ("Well... no!", ["Well...", "no!"]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("One\ntwo", ["One", "two"]),
        ("...", []),
        ("", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert split_sentences(text) == pieces


@pytest.mark.parametrize(
    ("language", "text", "pieces"),
    [
        ("en", "Dr. Smith and Mrs. J. Jones are in. Go on.", ["Dr. Smith and Mrs. J. Jones are in.", "Go on."]),
        ("en", "We open at 9 a.m. Monday to Friday.", ["We open at 9 a.m. Monday to Friday."]),
        ("en", "We close at 5 p.m. Come early.", ["We close at 5 p.m.", "Come early."]),
        ("en", "I said no. It is room No. 5. Fine.", ["I said no.", "It is room No. 5.", "Fine."]),
        ("en", "1. Open the door. 2. Go in.", ["1. Open the door.", "2. Go in."]),
        ("de", "Wir sehen uns am 5. März um 9 Uhr. Bis dann.", ["Wir sehen uns am 5. März um 9 Uhr.", "Bis dann."]),
        (
            "de",
            "Er wohnt im 2. Stock in der Hauptstr. 5. Gut.",
            ["Er wohnt im 2. Stock in der Hauptstr. 5.", "Gut."],
        ),
        ("de", "Ihre Nummer ist Nr. 7. Bitte warten.", ["Ihre Nummer ist Nr. 7.", "Bitte warten."]),
        ("de", "Das geht z. B. heute, Fr. Dr. Weiß. Gut.", ["Das geht z. B. heute, Fr. Dr. Weiß.", "Gut."]),
        ("de", "Das waren 5. Danach war Schluss.", ["Das waren 5.", "Danach war Schluss."]),
        ("es", "Buenos días, Sr. López. ¿Qué tal?", ["Buenos días, Sr. López.", "¿Qué tal?"]),
        ("es", "Vive en EE. UU. desde mayo.", ["Vive en EE. UU. desde mayo."]),
        ("es", "Vive en EE. UU. Trabaja allí.", ["Vive en EE. UU.", "Trabaja allí."]),
        ("es", "Son 3.5 km, p. ej. en coche. Vale.", ["Son 3.5 km, p. ej. en coche.", "Vale."]),
        ("fr", "Bonjour, M. Dupont. Ça va ?", ["Bonjour, M. Dupont.", "Ça va ?"]),
        ("fr", "Mme. Petit, tél. 12, p. ex. demain. Merci.", ["Mme. Petit, tél. 12, p. ex. demain.", "Merci."]),
    ],
)
def test_short_forms_and_ordinals_end_no_sentence(language: str, text: str, pieces: list[str]) -> None:
    assert split_sentences(text, language, hurried=False) == pieces
    splitter = SentenceSplitter(language, hurried=False)
    letter_by_letter = [piece for letter in text for piece in splitter.push(letter)] + splitter.finish()
    assert letter_by_letter == pieces


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("I have found your booking, and it is confirmed for Monday.", "I have found your booking,"),
        ("I have found your booking here and it is confirmed for Monday.", "I have found your booking here"),
        ("That would be fine – shall I book it for you now?", "That would be fine –"),
        ("Good morning, Mrs Smith, how can I help you today?", "Good morning, Mrs Smith,"),
        ("Your number is one of 1, 9, 6 and 7, is that right?", "Your number is one of 1, 9, 6 and 7,"),
        ("Thank you very much indeed for calling us, sir.", "Thank you very much indeed for calling us, sir."),
        ("Do you want bread and butter with that soup?", "Do you want bread and butter with that soup?"),
    ],
)
def test_the_first_words_come_fast(text: str, first: str) -> None:
    assert split_sentences(text)[0] == first
    assert split_sentences(text, hurried=False) == [text]


def test_a_long_first_sentence_is_cut_at_its_first_clause() -> None:
    text = "That is Tuesday the third of March, at half past three, and your number is one two three four."
    assert split_sentences(text)[0] == "That is Tuesday the third of March,"
    assert split_sentences("Yes, " + text)[0].startswith("Yes, That is Tuesday")


def test_pieces_are_never_too_long() -> None:
    pieces = split_sentences("word " * 200)
    assert len(pieces[0]) <= FIRST_MAX_CHARS
    assert all(len(piece) <= MAX_CHARS for piece in pieces)
    assert split_sentences("x" * 500)[0] == "x" * FIRST_MAX_CHARS


def test_streaming_gives_a_sentence_as_soon_as_it_is_certain() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Hello the") == []
    assert splitter.push("re.") == []
    assert splitter.push(" How") == ["Hello there."]
    assert splitter.push(" are you") == []
    assert splitter.finish() == ["How are you"]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It costs $3.50.", "It costs three dollars and fifty cents."),
        ("€1,200", "one thousand two hundred euros"),
        ("£0.01", "one penny"),
        ("at 15:30", "at fifteen thirty"),
        ("at 9:05", "at nine oh five"),
        ("at 10:00", "at ten o'clock"),
        ("the 3rd", "the third"),
        ("Mr. Smith & Dr. Jones", "Mister Smith and Doctor Jones"),
        ("50% off", "fifty percent off"),
        ("**bold** `code`", "bold code"),
        ("version 10:99", "version ten to ninety nine"),
        ("the 0th", "the zeroth"),
    ],
)
def test_speakable(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


def test_languages_that_are_not_known_pass_through() -> None:
    assert speakable("alle 15:30 per 3 €", "it-IT") == "alle 15:30 per 3 €"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("24.50", "twenty four dollars and fifty cents"),
        ("1", "one dollar"),
        ("-2", "minus two dollars"),
        ("0", "zero dollars"),
        ("1,000", "one thousand dollars"),
        ("soon", "soon"),
        ("NaN", "NaN"),
        ("1e99", "1e99"),
    ],
)
def test_money(amount: str, words: str) -> None:
    assert spoken_money(amount) == words
