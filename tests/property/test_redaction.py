"""Redaction: no card number comes through in any wording, what is no card stays, and twice is the same as once."""

from __future__ import annotations

import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.call.redaction import CARD, CODE, Redactor, card_places, is_card_number
from voicegw.call.spoken_digits import find_runs

ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TENS = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty", 7: "seventy", 8: "eighty", 9: "ninety"}
GERMAN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
SPANISH = ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]
FRENCH = ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"]


def complete(head: str) -> str:
    """A number with a right check digit."""
    return next(head + str(last) for last in range(10) if luhn(head + str(last)))


def luhn(digits: str) -> bool:
    """The textbook's formula, apart from ours."""
    total = 0
    for place, char in enumerate(digits[::-1]):
        digit = int(char)
        total += sum(map(int, str(digit * 2))) if place % 2 else digit
    return total % 10 == 0


cards = st.integers(12, 18).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)).map(complete)
words = st.sampled_from(["my card", "please", "it is", "yes", "thank you", "street", "on friday"])


@st.composite
def wordings(draw: st.DrawFn) -> str:
    """A card number as people say it or recognisers write it."""
    digits, out = draw(cards), []
    style = draw(st.sampled_from(["figures", "english", "german", "spanish", "french", "pairs", "mixed"]))
    while digits:
        if style == "pairs" and len(digits) > 1 and digits[0] in "23456789" and digits[1] != "0":
            out.append(f"{TENS[int(digits[0])]} {ENGLISH[int(digits[1])]}")
            digits = digits[2:]
            continue
        names = {"german": GERMAN, "spanish": SPANISH, "french": FRENCH}.get(style, ENGLISH)
        if style == "mixed" and len(digits) > 1 and digits[0] == digits[1]:
            out.append(f"double {ENGLISH[int(digits[0])]}")
            digits = digits[2:]
            continue
        spoken = style not in ("figures", "mixed") or (style == "mixed" and draw(st.booleans()))
        out.append(names[int(digits[0])] if spoken else digits[0])
        digits = digits[1:]
    between = (
        draw(st.sampled_from([" ", "-", ", ", " and ", ". "]))
        if style != "figures"
        else draw(st.sampled_from(["", " ", "-", ".", "%20", " uh "]))
    )
    return between.join(out)


texts = st.lists(
    st.one_of(wordings(), words, st.text("0123456789 -+,.a", max_size=24), st.text(max_size=6)), max_size=4
).map("  ".join)


@given(wordings(), words, words)
@settings(max_examples=150, deadline=None)
def test_a_card_number_is_masked_in_any_wording(card: str, before: str, after: str) -> None:
    masked = Redactor().text(f"{before} {card} {after}")
    assert masked == f"{before} {CARD} {after}"


@given(texts)
@settings(max_examples=300, deadline=None)
def test_no_card_number_survives_and_twice_is_once(text: str) -> None:
    masked = Redactor().text(text)
    for run in find_runs(masked):
        assert (run.international and len(run.digits) <= 15) or not card_places(run.digits)
    plain = re.sub(r"[\s.,-]", "", masked)
    for found in re.finditer(r"(?<![\d+])\d{13,19}(?!\d)", plain):
        assert not luhn(found.group()) or "+" in masked
    assert Redactor().text(masked) == masked


@given(st.text("0123456789", min_size=1, max_size=12), st.sampled_from(["call me on {}", "{}", "it was {} euros"]))
@settings(max_examples=100, deadline=None)
def test_numbers_too_short_for_a_card_stay(digits: str, frame: str) -> None:
    text = frame.format(digits)
    assert Redactor().text(text) == text and Redactor().caller(text) == text


@given(st.integers(10**12, 10**15 - 1))
@settings(max_examples=100, deadline=None)
def test_telephone_numbers_with_a_plus_stay(number: int) -> None:
    for text in (f"+{number}", f"plus {number}", f"my number is + {number}"):
        assert Redactor().text(text) == text


@given(cards, st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_dictated_over_several_turns_only_the_first_eight_digits_show(card: str, seed: int) -> None:
    random_, redactor, shown, rest = random.Random(seed), Redactor(), "", card
    while rest:
        size = random_.randint(1, 4)
        group, rest = rest[:size], rest[size:]
        turn = redactor.caller(" ".join(ENGLISH[int(digit)] for digit in group))
        shown += "".join(run.digits for run in find_runs(turn))
    assert len(shown) <= 8 and card.startswith(shown)


@given(cards)
@settings(max_examples=60, deadline=None)
def test_keys_one_by_one_and_then_the_whole(card: str) -> None:
    redactor = Redactor()
    keys = "".join(redactor.key(key) for key in card)
    assert keys == card[:8] + "•" * (len(card) - 8)
    assert redactor.caller(card) == CARD
    assert redactor.text(f"I have {' '.join(card)}, right?") == f"I have {CARD}, right?"


@given(cards, st.integers(0, 9999), st.sampled_from(["{}", "it is {}", "the code is {} okay"]))
@settings(max_examples=60, deadline=None)
def test_the_code_behind_a_card_is_masked(card: str, number: int, frame: str) -> None:
    code = f"{number:03}"
    redactor = Redactor()
    assert CARD in redactor.caller(f"my card is {card}")
    assert redactor.value(code) == CODE
    assert redactor.caller(frame.format(code)) == frame.format(CODE)
    assert redactor.text(f"so the code is {code}") == f"so the code is {CODE}"


def test_what_is_a_card_number() -> None:
    assert is_card_number("4242424242424242") and is_card_number("378282246310005")
    assert not is_card_number("4242424242424241") and not is_card_number("0" * 12) and not is_card_number("0" * 20)


@given(st.lists(st.text("0123456789", min_size=4, max_size=6), min_size=2, max_size=6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_numbers_that_the_agent_took_one_by_one_are_not_one_long_number(numbers: list[str], keyed: bool) -> None:
    redactor = Redactor()
    for number in numbers:
        if keyed:
            assert "".join(redactor.key(key) for key in number) == number
            assert redactor.caller(number) == number and redactor.value(number) == number
        else:
            spoken = " ".join(ENGLISH[int(digit)] for digit in number)
            assert redactor.value(number) == number and redactor.caller(spoken) == spoken


def test_a_time_that_was_understood_does_not_begin_the_number_after_it() -> None:
    redactor = Redactor()
    redactor.value("13:15")
    assert redactor.caller("one fifteen") == "one fifteen"
    number = "eight nine eight five nine five"
    assert redactor.caller(number) == number


def test_a_number_that_is_said_once_more_is_no_longer_number() -> None:
    redactor = Redactor()
    for number in ("five two four six four", "five two zero four six four"):
        assert redactor.caller(number) == number
