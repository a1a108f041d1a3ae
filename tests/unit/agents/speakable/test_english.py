"""English texts as they are read aloud."""

from __future__ import annotations

import pytest

from voicegw.agents.speakable import speakable
from voicegw.agents.speakable.english import cardinal, ordinal, year


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("$1,200.50", "one thousand two hundred dollars and fifty cents"),
        ("€3 million, -$5", "three million euros, minus five dollars"),
        ("$5M or $2k", "five million dollars or two thousand dollars"),
        ("USD 5 and 20 CHF", "five dollars and twenty Swiss francs"),
        ("$3.999", "three point nine nine nine dollars"),
        ("1 234", "one two hundred and thirty four"),
        ("3.14 and -2.5", "three point one four and minus two point five"),
        ("1,000,000 people", "one million people"),
        ("007", "zero zero seven"),
        ("order 12345678", "order one two three, four five six, seven eight"),
        ("1,2,3", "one, two, three"),
        ("the 21st and the 1,000th", "the twenty first and the one thousandth"),
        ("1/2 cup, 3½ cups", "one half cup, three and a half cups"),
        ("10–12 people", "ten to twelve people"),
        ("5 + 3 = 8, 5 * 3", "five plus three equals eight, five times three"),
        ("room A4, plan AB12CD, COVID-19", "room A four, plan A B twelve C D, COVID nineteen"),
        ("version 3.10.2", "version three dot ten dot two"),
        ("16:9", "sixteen to nine"),
        ("#5 and #tag", "number five and tag"),
    ],
)
def test_numbers(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("2026-03-05", "March fifth, twenty twenty six"),
        ("on 3/5/2026", "on March fifth, twenty twenty six"),
        ("on 3/15", "on March fifteenth"),
        ("March 5, 2026", "March fifth, twenty twenty six"),
        ("Mar. 5", "March fifth"),
        ("the 5th of March", "the fifth of March"),
        ("5 March 1984", "the fifth of March, nineteen eighty four"),
        ("Since 1984", "Since nineteen eighty four"),
        ("since 1984 customers", "since nineteen eighty four customers"),
        ("13/13/2026", "thirteen slash thirteen slash two thousand and twenty six"),
        ("at 3:30 pm.", "at three thirty p.m."),
        ("at 10 AM", "at ten a.m."),
        ("9am-5pm", "nine a.m. to five p.m."),
        ("9:00-17:30", "nine o'clock to seventeen thirty"),
        ("2026-03-05T15:30", "March fifth, twenty twenty six fifteen thirty"),
        ("12:00:05", "twelve o'clock five"),
    ],
)
def test_dates_and_times(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


def test_the_day_stands_first_outside_the_united_states() -> None:
    assert speakable("on 3/5/2026", "en-GB") == "on May third, twenty twenty six"
    assert speakable("on 13/5/2026", "en-US") == "on May thirteenth, twenty twenty six"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("anna.meier-42@example.co.uk", "anna dot meier dash four two at example dot co dot U K"),
        ("https://www.example.com/help/p_2?x=1.", "example dot com slash help slash p underscore two."),
        ("example.org is ours", "example dot org is ours"),
        ("+1 (555) 123-4567", "plus one, five five five, one two three, four five six seven"),
        ("555-0123", "five five five, zero one two three"),
        ("0800 123 4567", "zero eight zero zero, one two three, four five six seven"),
        ("4111 1111 1111 1111", "four one one one, one one one one, one one one one, one one one one"),
        ("192.168.0.1", "one hundred and ninety two dot one hundred and sixty eight dot zero dot one"),
    ],
)
def test_addresses(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("5 km, 1 kg, 3.5GB", "five kilometers, one kilogram, three point five gigabytes"),
        ("-5 °F, 20°C, 30 m²", "minus five degrees Fahrenheit, twenty degrees Celsius, thirty square meters"),
        ("100 km/h", "one hundred kilometers per hour"),
        ("5'10\"", "five foot ten"),
        ("Dr. Smith, 12 Main St.", "Doctor Smith, twelve Main Street."),
        ("at St. Mary's", "at Saint Mary's"),
        ("No. 5, e.g. now", "number five, for example now"),
        ("I said no.", "I said no."),
        ("The FBI and NASA do NOT use HTML, OK?", "The F B I and NASA do NOT use H T M L, okay?"),
        ("PLEASE DO NOT SHOUT AT ME", "PLEASE DO NOT SHOUT AT ME"),
        ("he and/or she", "he and or she"),
        ("24/7", "twenty four seven"),
    ],
)
def test_short_forms(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


def test_number_words() -> None:
    assert [ordinal(n) for n in (0, 12, 100, 101)] == [
        "zeroth",
        "twelfth",
        "one hundredth",
        "one hundred and first",
    ]
    assert [year(n) for n in (1066, 1900, 1905, 2000, 2005, 2026)] == [
        "one thousand and sixty six",
        "nineteen hundred",
        "nineteen oh five",
        "two thousand",
        "two thousand and five",
        "twenty twenty six",
    ]
    assert cardinal(10**6) == "one million"
