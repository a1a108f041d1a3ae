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
        ("+00881612345678", "+881612345678"),
        ("+011881612345678", "+881612345678"),
        ("++881612345678", "+881612345678"),
        ("+0000881612345678", "+881612345678"),
        ("+881612345678;x=1", "+881612345678"),
        ("+88161,234_5678", "+881612345678"),
        ("+881A612345678", "+881612345678"),
        ("00881~612345678", "+881612345678"),
        ("100;x", "100;x"),
        ("00f881612345678", "00f881612345678"),
        ("sales+00881612345678", "sales+00881612345678"),
    ],
)
def test_nothing_that_a_carrier_passes_over_hides_a_number(dialled: str, number: str) -> None:
    assert with_country_code(dialled) == number


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("09001234567", "+499001234567"),
        ("030123456", "+4930123456"),
        ("100", "100"),
        ("sales", "sales"),
        ("+431555123", "+431555123"),
        ("00431555123", "+431555123"),
    ],
)
def test_what_is_dialled_at_home_has_its_country_code(dialled: str, number: str) -> None:
    assert with_country_code(dialled, "DE") == number
