"""Routes by what a caller's signature attests: only one that has passed counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voicegw.base.errors import ConfigError
from voicegw.dialplan import RouteRequest, explain, parse_dialplan

PLAN = """
routes:
  - {name: proven, match: {attestation: [A, B]}, agent: desk}
  - {name: gateway, match: {attestation: C}, agent: desk}
  - {name: forged, match: {verified: failed}, reject: 603}
  - {name: unknown, match: {verified: none}, agent: desk}
  - {name: signed without a word, agent: desk}
"""
AT = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("verified", "attestation", "route"),
    [
        ("passed", "A", "proven"),
        ("passed", "B", "proven"),
        ("passed", "C", "gateway"),
        ("passed", "", "signed without a word"),
        ("failed", "A", "forged"),
        ("none", "A", "unknown"),
        ("", "A", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_the_signature_chooses_the_route(verified: str, attestation: str, route: str) -> None:
    request = RouteRequest("100", "+1", AT, verified=verified, attestation=attestation)
    assert parse_dialplan(PLAN).route(request).route == route


def test_the_reason_is_told() -> None:
    text = explain(parse_dialplan(PLAN), RouteRequest("100", "+1", AT, verified="failed", attestation="A")).text()
    assert "no: the caller's signature attests '' and not A or B" in text
    assert "no: the caller's signature has 'failed' and not none" in text


def test_other_letters_are_errors() -> None:
    with pytest.raises(ConfigError):
        parse_dialplan("routes: [{name: x, match: {attestation: D}, agent: desk}]")
