"""Which country a number is in and of which kind it is, as fraud would like it not to be seen."""

from __future__ import annotations

import pytest

from voicegw.gateway.tolls.places import Place, place_of, with_country_code


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("+4930123456", Place("DE", "fixed_line")),
        ("+12125551234", Place("US", "fixed_line_or_mobile")),
        ("+18765551234", Place("JM", "mobile")),
        ("+18765551234999", Place("JM", "mobile")),
        ("+499001234567", Place("DE", "premium_rate")),
        ("+881612345678", Place("", "satellite")),
        ("+870773111632", Place("", "satellite")),
        ("+88351001234567", Place("", "international_network")),
        ("+979123456789", Place("", "premium_rate")),
        ("+999123456", Place("", "unknown")),
        ("100", Place("", "")),
        ("sales", Place("", "")),
        ("09001234567", Place("", "")),
        ("", Place("", "")),
    ],
)
def test_a_number_is_where_it_leads(number: str, place: Place) -> None:
    assert place_of(number) == place


def test_national_numbers_are_at_home() -> None:
    assert place_of("09001234567", "DE") == Place("DE", "premium_rate")
    assert place_of("100", "DE") == Place("", "")
    assert place_of("+18765551234", "DE").country == "JM"


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("00881612345678", "+881612345678"),
        ("0118765551234", "+8765551234"),
        ("030123456", "030123456"),
        ("00100", "00100"),
        ("+49301", "+49301"),
    ],
)
def test_an_international_prefix_hides_nothing(dialled: str, number: str) -> None:
    assert with_country_code(dialled) == number
