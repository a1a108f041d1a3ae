"""The ASGI application: routes, refusals, headers, and the OpenAPI document that tells the truth about them."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from voicegw.api import problems
from voicegw.api.access import COOKIE, CSRF_HEADER
from voicegw.api.answers import refusal
from voicegw.api.as_set import AsSet, behind_proxies, foreign_pages
from voicegw.api.console_pages import add_console
from voicegw.api.guard import Guard
from voicegw.api.parts import Parts
from voicegw.api.problems import ApiProblem, FieldProblem, Problem
from voicegw.api.routes import (
    announce,
    audit,
    browser,
    bundles,
    callers,
    calls,
    captures,
    documents,
    keys,
    line,
    live,
    node,
    nodes,
    oidc,
    ops,
    originate,
    phones,
    route_test,
    session,
    supervision,
    teams,
    trunks,
    users,
    webhooks,
)
from voicegw.base.errors import LocalError
from voicegw.base.personal import Personal
from voicegw.storage.errors import Conflict, NotFound, StoreUnavailable

log = logging.getLogger(__name__)

OPENAPI_PATH = "/v1/openapi.json"
PUBLIC = frozenset(
    {
        ("/v1/setup", "post"),
        ("/v1/invitation", "post"),
        ("/v1/session", "post"),
        ("/v1/oidc/login", "get"),
        ("/v1/oidc/callback", "get"),
        ("/healthz", "get"),
        ("/readyz", "get"),
    }
)
"""Routes that ask nobody who they are; every other route needs a session or a key."""
_PAGES = Path(__file__).parent / "pages"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_ROUTERS = (
    *(session, oidc, users, keys, teams, bundles, documents, route_test, trunks),
    *(calls, callers, live, nodes, webhooks, audit, ops),
)
_WRONG_WORDS = {"string_pattern_mismatch": "has characters that cannot be here, or none"}


def create_app(parts: Parts) -> FastAPI:
    """The application over these parts. What is not wired has no routes."""
    app = FastAPI(
        title="voicegw",
        version=version("voicegw"),
        description="Admin API of voicegw. Refusals are problem+json (RFC 9457).",
        openapi_url=OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.parts = parts
    optional = (
        (originate, parts.originator),
        (captures, parts.captures),
        (supervision, parts.control),
        (browser, parts.browsers),
        (phones, parts.phones),
        (line, parts.line),
        (node, parts.board),
        (announce, parts.announcer),
    )
    for module in (*_ROUTERS, *(module for module, part in optional if part is not None)):
        app.include_router(module.router)
    _add_pages(app)
    add_console(app)
    _add_refusals(app)
    app.add_middleware(Guard)
    app.add_middleware(AsSet, named=lambda config: config.cors_origins, make=foreign_pages)
    app.add_middleware(AsSet, named=lambda config: config.trusted_proxies, make=behind_proxies)
    generate = app.openapi
    app.openapi = lambda: _truthful(generate())  # type: ignore[method-assign]
    return app


def _add_pages(app: FastAPI) -> None:
    async def set_password() -> FileResponse:
        """The page that the links of set-up and invitations lead to; what is behind ``#`` stays in the browser."""
        return FileResponse(_PAGES / "password.html", headers={"Content-Security-Policy": _PAGE_POLICY})

    for path in ("/setup", "/invitation"):
        app.add_api_route(path, set_password, methods=["GET"], include_in_schema=False)


# ------------------------------------------------------------ refusals


def _add_refusals(app: FastAPI) -> None:
    app.add_exception_handler(ApiProblem, _own)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(NotFound, _missing)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(LocalError, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


async def _own(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiProblem)
    return problems.response(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [
        FieldProblem(
            field=".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]),
            detail=_WRONG_WORDS.get(one["type"], one["msg"].removeprefix("Value error, ")),
        )
        for one in error.errors()
    ]
    count = len(fields)
    detail = f"the request has {count} mistake{'s' if count > 1 else ''}"
    return problems.response(ApiProblem(422, detail, fields))


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problems.response(ApiProblem(error.status_code, str(error.detail), headers=error.headers))


async def _missing(_request: Request, error: Exception) -> JSONResponse:
    return problems.response(ApiProblem(404, str(error)))


async def _conflict(_request: Request, error: Exception) -> JSONResponse:
    return problems.response(ApiProblem(409, str(error)))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.error("a request failed: %s", error, extra={"path": Personal(request.url.path)})
    return problems.response(ApiProblem(503, "the store does not answer", headers={"Retry-After": "5"}))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """The boundary of a request: whatever went wrong is logged whole and told in no detail."""
    log.error(
        "a request failed", exc_info=error, extra={"path": Personal(request.url.path), "method": request.method}
    )
    return problems.response(ApiProblem(500, "the server made a mistake; its log says which"))


# ------------------------------------------------------------ the OpenAPI document


def _truthful(document: dict[str, Any]) -> dict[str, Any]:
    """Add what FastAPI cannot know: how to log in, and the schema of refusals."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_problem_schemas())
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "an API key or the token of a session"},
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": f"changes need the header {CSRF_HEADER} too",
        },
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            public = (path, method) in PUBLIC
            operation["security"] = [] if public else [{"bearer": []}, {"cookie": []}]
            if "requestBody" in operation:  # it cannot be read, or there is too much of it
                operation["responses"] |= {str(status): refusal(status) for status in (400, 413)}
    return document


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    nested = schema.pop("$defs")
    return {"Problem": schema, **nested}
