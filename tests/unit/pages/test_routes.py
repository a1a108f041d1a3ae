"""Requests that pages tell of are routes of the API."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
from fastapi import APIRouter

from tests.unit.pages.pages import PAGES, code_spans
from voicegw.api import routes

ELSEWHERE = {"GET /v1/openapi.json"}
"""Made by FastAPI itself."""


def known() -> set[tuple[str, str]]:
    """Method and path of every route."""
    found: set[tuple[str, str]] = set()
    for module in pkgutil.iter_modules(routes.__path__):
        for router in vars(importlib.import_module(f"{routes.__name__}.{module.name}")).values():
            if isinstance(router, APIRouter):
                for route in router.routes:
                    path = str(getattr(route, "path", ""))
                    found |= {(method, path) for method in getattr(route, "methods", None) or ("GET",)}
    return found


KNOWN = [(method, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))) for method, path in known()]


@pytest.mark.parametrize("page", PAGES)
def test_requests_that_are_told_of_are_routes(page: str) -> None:
    for span in code_spans(page):
        request = re.match(r"(?:(GET|POST|PUT|DELETE|PATCH) )?(/v1/[^\s?]+)", span)
        if request is None or span in ELSEWHERE:
            continue
        method, path = request[1], request[2].replace("…", "X")
        fits = [known for known, pattern in KNOWN if pattern.fullmatch(path)]
        assert fits, f"{page}: there is no {path}"
        assert method is None or method in fits, f"{page}: {path} knows {', '.join(sorted(fits))}, not {method}"
