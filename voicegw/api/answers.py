"""What routes share in their description: refusals, times, pages, words."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Header, Path, Query
from pydantic import BaseModel, StringConstraints

from voicegw.api.paging import DEFAULT_LIMIT, MAX_LIMIT
from voicegw.api.problems import MEDIA_TYPE

T = TypeVar("T")

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$")]
"""A name that people give: of users, agents, trunks."""
Words = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
"""A line of text. No NUL: PostgreSQL stores none."""
Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+*#._-]{1,64}$")]
"""A phone number or user part; with ``*`` at its end a beginning."""
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
NameInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$", examples=["reception"])]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="the ETag that was read", examples=['"3"'])]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="`*`: only if there is none yet")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="how many at most")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next` of the page before")]
DEFAULT = DEFAULT_LIMIT
ETAG: dict[str, Any] = {
    "headers": {"ETag": {"description": "the revision, for If-Match", "schema": {"type": "string"}}}
}

Responses = dict[int | str, dict[str, Any]]


class Page(BaseModel, Generic[T]):
    """Part of a list. ``next`` goes into ``cursor`` for the next part; null at the end."""

    items: list[T]
    next: str | None = None


def refusals(*statuses: int, public: bool = False) -> Responses:
    """The problem+json answers of a route, besides those that every route has."""
    common = {422, 429, 503} if public else {401, 403, 422, 429, 503}
    return {status: refusal(status) for status in sorted(common | set(statuses))}


def refusal(status: int) -> dict[str, Any]:
    """One problem+json answer."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def iso(wall_ms: int | None) -> str | None:
    """UTC in ISO 8601 with milliseconds."""
    return None if wall_ms is None else moment(wall_ms)


def moment(wall_ms: int) -> str:
    """UTC in ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
