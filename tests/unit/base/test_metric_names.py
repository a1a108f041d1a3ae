"""Names, types and labels of metrics are a promise: dashboards and alerts of others go by them."""

from __future__ import annotations

from pathlib import Path

from voicegw.base.catalogue import CATALOGUE, Kind

PROMISED = Path(__file__).parents[2] / "vectors" / "metrics" / "names.txt"


def promised() -> list[str]:
    """Each metric that there has been: name, type, and label if it has one."""
    return PROMISED.read_text().splitlines()


def offered() -> list[str]:
    return sorted(f"{one.name} {one.kind.value} {one.label}".rstrip() for one in CATALOGUE)


def test_no_metric_is_gone_or_became_another() -> None:
    gone = sorted(set(promised()) - set(offered()))
    assert gone == [], "keep the old name beside the new one, or say in CHANGELOG.md that it is gone"


def test_a_new_metric_is_promised_too() -> None:
    new = sorted(set(offered()) - set(promised()))
    assert new == [], f"add to {PROMISED.name}, in order"
    assert promised() == sorted(promised())


def test_names_are_as_prometheus_wants_them() -> None:
    for one in CATALOGUE:
        assert one.name.endswith("_total") == (one.kind is Kind.COUNTER), one.name
        assert not one.name.endswith(("_ms", "_minutes", "_percent", "_kb", "_mb")), f"{one.name}: base units"
