from __future__ import annotations

from datetime import date, time
from decimal import Decimal

import pytest

from voicegw.agents.entities.slot import Digits
from voicegw.agents.template import Variable, parse_template

VALUES: dict[str, Variable] = {
    "day": date(2026, 3, 3),
    "at": time(15, 30),
    "account": Digits("427196"),
    "count": 3,
    "price": Decimal("24.5"),
    "yes": True,
    "iso": "2026-03-05T10:15:00",
    "word": "a/b c",
    "text": "1234",
    "items": ("tea", "milk", 2),
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Plain.", "Plain."),
        ("On {{ day }}.", "On Tuesday the third of March."),
        ("At {{at}}.", "At half past three in the afternoon."),
        ("{{ account }}", "4 2 7, 1 9 6"),
        ("{{ text | digits }}", "1 2 3 4"),
        ("{{ word | digits }}", "A / B C"),
        ("{{ count | number }} of {{ price | number }}", "three of twenty four point five"),
        ("{{ text | number }}", "one thousand two hundred and thirty four"),
        ("{{ price | money }}", "twenty four dollars and fifty cents"),
        ("{{ price | money:GBP }}", "twenty four pounds and fifty pence"),
        ("{{ iso | date }}", "Thursday the fifth of March"),
        ("{{ iso | time }}", "ten fifteen in the morning"),
        ("{{ word | date }}", "a/b c"),
        ("{{ word | spell }}", "A / B C"),
        ("{{ yes }}", "yes"),
        ("{{ items }}", "tea, milk and 2"),
        ("{{ none }}{{ absent }}", ""),
        ("  many   spaces ", "many spaces"),
    ],
)
def test_spoken(text: str, spoken: str) -> None:
    assert parse_template(text).spoken(VALUES) == spoken


def test_plain_for_machines() -> None:
    template = parse_template("{{ day }} {{ at }} {{ account }} {{ yes }} {{ price }} {{ items }}")
    assert template.plain(VALUES) == "2026-03-03 15:30 427196 true 24.5 tea,milk,2"


def test_a_value_cannot_change_the_address_around_it() -> None:
    template = parse_template("{{ base }}/orders/{{ word }}?x={{ none }}")
    assert template.url(VALUES | {"base": "http://h:1/p"}) == "http://h:1/p/orders/a%2Fb%20c?x="
    assert parse_template("http://h/{{ word }}").url(VALUES) == "http://h/a%2Fb%20c"


def test_a_bare_hole_keeps_its_type() -> None:
    assert parse_template("{{ count }}").value(VALUES) == 3
    assert parse_template(" {{ count }}").value(VALUES) == " 3"


def test_names() -> None:
    assert parse_template("{{ a }} {{ b | date }} c").names == {"a", "b"}
