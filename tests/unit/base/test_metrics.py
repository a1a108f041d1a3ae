"""Counters, histograms, and the catalogue that says how the world sees them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicegw.base.catalogue import CATALOGUE, Kind, find
from voicegw.base.metrics import Counters, HistogramState, difference
from voicegw.cluster.counters import ClusterCounter
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.trunk_desk import TrunkCounter
from voicegw.sip.counters import SipCounter
from voicegw.testing.metrics_table import table

ROOT = Path(__file__).parents[3]
OF_WORKERS = {
    path.name for path in (ROOT / "voicegw/media").glob("*.py") if path.name not in ("pool.py", "client.py")
}
"""What these count is told by reports, and comes out with ``media_`` before it."""
_UNITS = ("seconds", "bytes", "ratio", "mos", "celsius", "info", "fds", "limit")


def test_a_histogram_counts_by_size() -> None:
    counters = Counters()
    for value in (0.001, 0.05, 0.0501, 11.0):
        counters.observe("turn_latency_seconds", value)
    state = counters.histograms()["turn_latency_seconds"]
    assert state.counts[:2] == (2, 1) and state.counts[-1] == 1 and sum(state.counts) == 4
    assert state.total == pytest.approx(11.1011)


def test_what_is_new_can_be_added_elsewhere() -> None:
    here, there = Counters(), Counters()
    here.observe("tool_seconds", 0.2)
    before = here.histograms()
    here.observe("tool_seconds", 2.0)
    for name, new in difference(here.histograms(), before).items():
        there.merge(name, new.counts, new.total)
    there.merge("tool_seconds", (1, 2, 3), 9.0)  # of another version, with other bounds: dropped
    assert sum(there.histograms()["tool_seconds"].counts) == 1
    assert there.histograms()["tool_seconds"].total == pytest.approx(2.0)
    assert difference(before, before) == {}
    assert difference({"x": HistogramState((1,), 1.0)}, {}) == {"x": HistogramState((1,), 1.0)}


def test_names_follow_the_conventions() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    for metric in CATALOGUE:
        assert re.fullmatch(r"(voicegw|process)_[a-z0-9_]*[a-z0-9]", metric.name), metric.name
        assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER), metric.name
        assert not re.search(r"_(ms|msec|kb|mb|minutes|percent)(_|$)", metric.name), metric.name
        assert not metric.name.endswith(("_count", "_sum", "_bucket")), metric.name
        assert metric.text.endswith(".") and "\n" not in metric.text
        assert not metric.label or (re.fullmatch(r"[a-z]+", metric.label) and metric.label != "le")
        assert bool(metric.bounds) is (metric.kind is Kind.HISTOGRAM)
        assert list(metric.bounds) == sorted(set(metric.bounds))
        if metric.kind is Kind.HISTOGRAM:
            assert metric.name.endswith(_UNITS), f"{metric.name} has no unit"


def test_no_name_in_the_code_can_mean_two_metrics() -> None:
    for metric in CATALOGUE:
        for source in metric.sources:
            values = metric.values or ("somebody",) if "*" in source else ("",)
            for value in values:
                found = find(source.replace("*", value))
                assert found is not None and found[0] is metric, f"{source} with {value!r} is taken for {found}"


def test_the_table_for_people_is_the_catalogue() -> None:
    written = (ROOT / "docs/operations.md").read_text()
    assert table() in written, "python -m voicegw.testing.metrics_table"


def test_everything_that_is_counted_is_in_the_catalogue() -> None:
    unknown = {name: places for name, places in _counted().items() if not _is_known(name)}
    assert not unknown, "write them into voicegw/base/catalogue, with HELP, and into docs/operations.md"
    for enumeration in (SipCounter, LocatingCounter, TrunkCounter, ClusterCounter):
        for counter in enumeration:
            assert find(counter) is not None, counter


def _is_known(name: str) -> bool:
    found = find(name.replace("*", "somebody"))
    if found is not None:
        return True
    begin, _, _ = name.partition("*")  # a family with known values only
    return "*" in name and any(source.startswith(begin) for metric in CATALOGUE for source in metric.sources)


def _counted() -> dict[str, str]:
    """Every name that the code counts under, ``*`` for what is put into it, and where."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "voicegw").rglob("*.py")):
        if "testing" in path.parts:
            continue
        of_worker = path.parent.name == "media" and path.name in OF_WORKERS
        for kind, name in _names(ast.parse(path.read_text())):
            prefix = "media_" if of_worker and kind == "add" else ""
            found[prefix + name] = str(path)
    return found


def _names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        of, first = ast.unparse(node.func.value), node.args[0]
        if node.func.attr not in ("add", "observe") or "counters" not in of.lower():
            continue
        if isinstance(first, ast.Constant):
            yield node.func.attr, str(first.value)
        elif isinstance(first, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "*" for part in first.values]
            yield node.func.attr, "".join(parts)
