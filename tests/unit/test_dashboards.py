"""Dashboards and rules ask only for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from voicegw.base.catalogue import CATALOGUE, Kind

DOCKER = Path(__file__).parents[2] / "docker"
DASHBOARDS = sorted((DOCKER / "grafana/dashboards").glob("*.json"))
KNOWN = {metric.name for metric in CATALOGUE} | {
    f"{metric.name}_{part}"
    for metric in CATALOGUE
    if metric.kind is Kind.HISTOGRAM
    for part in ("bucket", "sum", "count")
}


def _dashboard(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _asked_for(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:voicegw_\w+|process_\w+)", expression))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard(path: Path) -> None:
    board = _dashboard(path)
    assert board["uid"] == f"voicegw-{path.stem}" and board["tags"] == ["voicegw"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        assert panel["title"] and panel["targets"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for target in panel["targets"]:
            assert _asked_for(target["expr"]) <= KNOWN, f"{panel['title']}: {_asked_for(target['expr']) - KNOWN}"


def test_rules() -> None:
    names = set()
    for path in (DOCKER / "prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                assert _asked_for(rule["expr"]) <= KNOWN, rule
                names.add(rule.get("alert", rule.get("record")))
                if "alert" in rule:
                    assert rule["labels"]["severity"] in ("page", "ticket")
                    assert rule["annotations"].keys() == {"summary", "description"}
    asked = {name for path in DASHBOARDS for name in re.findall(r"\bvoicegw:[\w:]+", path.read_text())}
    assert asked <= names


def test_the_boundary_of_a_slow_turn_is_a_bucket() -> None:
    bounds = {metric.name: metric.bounds for metric in CATALOGUE}
    assert 1.5 in bounds["voicegw_turn_latency_seconds"] and 3.1 in bounds["voicegw_media_mos"]
