"""Metrics, alerts and settings that pages name are those that there are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import yaml

from tests.unit.pages.pages import PAGES, ROOT, blocks, code_spans
from voicegw.base.catalogue import CATALOGUE
from voicegw.base.catalogue.metric import ANY
from voicegw.base.causes import HangupCause
from voicegw.config import Config, _file_model

METRICS = {one.name for one in CATALOGUE}
INTERNAL = {source for one in CATALOGUE for source in one.sources if "_" in source} - METRICS
"""Names that the code counts by, and nobody outside it sees."""
CAUSES = {one.value.name for one in HangupCause}
SECTIONS = {section.name for section in dataclasses.fields(Config)}
ALERTS = ROOT / "docker" / "prometheus" / "rules" / "alerts.yml"


def settings(kind: Any = Config, prefix: str = "") -> Iterator[str]:
    """Every setting; those inside of lists and mappings with and without brackets."""
    for name, hint in get_type_hints(kind).items():
        arguments = get_args(hint) if get_origin(hint) in (tuple, dict) else ()
        inner = next((one for one in (hint, *arguments) if dataclasses.is_dataclass(one)), None)
        yield prefix + name
        if inner is not None:
            yield from settings(inner, f"{prefix}{name}.")
            yield from settings(inner, f"{prefix}{name}[].")


SETTINGS = set(settings())


@pytest.mark.parametrize("page", PAGES)
def test_metrics_have_the_names_that_prometheus_sees(page: str) -> None:
    for span in code_spans(page):
        name = re.sub(r"\{.*\}$|_(bucket|sum|count)$", "", span)
        if re.fullmatch(r"voicegw_[a-z0-9_]+", name):
            assert name in METRICS, f"{page}: there is no metric {name}"
        elif re.fullmatch(r"voicegw_[a-z0-9_]+\*", name):
            assert any(one.startswith(name[:-1]) for one in METRICS), f"{page}: {name}"
        exact = next((one for one in INTERNAL if _is(name, one)), None)
        assert exact is None or name in CAUSES, (
            f"{page}: `{name}` is a name of the code; say what /metrics calls it"
        )


def _is(name: str, source: str) -> bool:
    if source.startswith(ANY) or (source.count("_") < 2 and ANY in source):
        return False  # would take any word
    return re.fullmatch(re.escape(source).replace(re.escape(ANY), "[a-z0-9_]+"), name) is not None


def test_every_alert_is_told_and_no_other() -> None:
    told = {span for span in code_spans("docs/observability.md") if re.fullmatch(r"Voicegw\w+", span)}
    there = set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
    assert told == there


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_are_named_are_there(page: str) -> None:
    for span in code_spans(page):
        found = re.fullmatch(rf"((?:{'|'.join(sorted(SECTIONS))})\.[a-z_0-9.\[\]]*[a-z\]])(?::? .*|=.*)?", span)
        if found and not found[1].endswith((".md", ".py", ".yaml", ".pem", ".key")) and found[1] not in FOREIGN:
            assert found[1] in SETTINGS or _is_mapping(found[1]), f"{page}: there is no setting {found[1]}"


FOREIGN = {
    "call.refuse",  # facts of SIPREC's neighbours and of browsers: names of messages
    "call.connect_browser",
    "call.supervise",
    "call.whisper",
    "limits.max_history_tokens",  # of an agent
}


def _is_mapping(name: str) -> bool:
    return name.startswith("texts.")  # by language, then by name: an agent's own list


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_the_configuration_load(page: str) -> None:
    for block in blocks(page, "yaml", "yml"):
        try:
            document = yaml.safe_load(block)
        except yaml.YAMLError:
            continue  # an excerpt with … in it
        if isinstance(document, dict) and document and set(document) <= SECTIONS:
            _file_model().model_validate(document)
