"""Every refusal as problem+json (RFC 9457): what, why, which field, and how to put it right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from voicegw.base.errors import ConfigError
from voicegw.dialplan.yaml_lines import ConfigProblems

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One thing that is wrong in a request or in a file that came with it.

    ``field``: where in the request, empty for the whole of it. ``file`` and ``line`` (from 1): for documents.
    """

    field: str = ""
    detail: str
    fix: str = ""
    file: str = ""
    line: int = 0


class Problem(BaseModel):
    """RFC 9457 §3.1, with ``errors`` for the fields."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "the document has 1 problem",
                    "errors": [
                        {
                            "field": "text",
                            "detail": "there is no agent named 'recption'",
                            "fix": "did you mean 'reception'?",
                            "file": "main.yaml",
                            "line": 12,
                        }
                    ],
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[FieldProblem] = []


class ApiProblem(Exception):
    """Raised by routes; becomes the answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def response(problem: ApiProblem) -> JSONResponse:
    """The answer that carries it."""
    body = Problem(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        errors=problem.errors,
    )
    return JSONResponse(body.model_dump(), problem.status, problem.headers, media_type=MEDIA_TYPE)


def unauthenticated(detail: str = "log in, or send an API key") -> ApiProblem:
    """401 with the scheme that works (RFC 9110 §11.6.1)."""
    return ApiProblem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


def forbidden(detail: str) -> ApiProblem:
    """403: your role does not allow it."""
    return ApiProblem(HTTPStatus.FORBIDDEN, detail)


def barred_call(field: str, detail: str, fix: str) -> ApiProblem:
    """403: a rule of the node, whoever asks."""
    error = FieldProblem(field=field, detail=detail, fix=fix)
    return ApiProblem(HTTPStatus.FORBIDDEN, f"the toll rules do not allow this call: {detail}", [error])


def not_found(what: str) -> ApiProblem:
    """404: not there, or not for you; which of the two is not told."""
    return ApiProblem(HTTPStatus.NOT_FOUND, f"there is no such {what}")


def conflict(detail: str) -> ApiProblem:
    """409."""
    return ApiProblem(HTTPStatus.CONFLICT, detail)


def invalid(field: str, detail: str, fix: str = "") -> ApiProblem:
    """422 about one field."""
    error = FieldProblem(field=field, detail=detail, fix=fix)
    return ApiProblem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {detail}", [error])


def too_many(detail: str, wait_s: float) -> ApiProblem:
    """429 with Retry-After in whole seconds."""
    headers = {"Retry-After": str(max(1, int(wait_s + 0.999)))}
    return ApiProblem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)


def config_problems(error: ConfigError, field: str = "text") -> list[FieldProblem]:
    """What the loaders found in a document, with file, line and fix."""
    problems = error.problems if isinstance(error, ConfigProblems) else (error,)
    return [
        FieldProblem(field=field, detail=one.message, fix=one.fix, file=one.file, line=one.line) for one in problems
    ]


def wrong_document(error: ConfigError, field: str = "text") -> ApiProblem:
    """422 about a document."""
    errors = config_problems(error, field)
    count = len(errors)
    detail = f"the document has {count} problem{'s' if count > 1 else ''}"
    return ApiProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors)
