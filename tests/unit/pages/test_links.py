"""Every link within the repository leads somewhere, to the very heading."""

from __future__ import annotations

import re

import pytest

from tests.unit.pages.pages import PAGES, ROOT, anchors, code_spans, without_blocks

MADE_BY_WHO_READS = {"docker/host/environment"}
"""Files that a page tells its reader to make."""


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / place).resolve() if place else ROOT / page
        assert path.exists(), f"{page}: there is no {target}"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path.relative_to(ROOT).as_posix()), f"{page}: {target} has no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_are_there(page: str) -> None:
    folders = "docs|tests|scripts|docker|asterisk|dialplans|models"
    for span in code_spans(page):
        found = re.fullmatch(rf"((?:{folders})/[\w./*-]+)(?: .*)?", span)
        if found and found[1].rstrip("/") not in MADE_BY_WHO_READS:
            assert list(ROOT.glob(found[1].rstrip("/"))), f"{page}: there is no {found[1]}"


def test_every_page_can_be_found_from_the_first_one() -> None:
    linked = set(re.findall(r"\]\(([\w.-]+\.md)", without_blocks("docs/README.md")))
    there = {page.removeprefix("docs/") for page in PAGES if re.fullmatch(r"docs/[^/]+\.md", page)}
    assert there - {"README.md"} <= linked, "docs/README.md has no word on them"
