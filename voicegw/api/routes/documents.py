"""Agents and dialplans: drafts, checks, publishing, roll-back, versions and their differences.

Both kinds have the same routes: the table at the end gives each handler its two paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicegw.api import publishing
from voicegw.api.access import Allow, Visitor
from voicegw.api.answers import (
    DEFAULT,
    ETAG,
    Cursor,
    IfMatch,
    IfNoneMatch,
    Limit,
    NameInPath,
    Page,
    Responses,
    Words,
    iso,
    moment,
    refusals,
)
from voicegw.api.etags import demand_match, etag_of
from voicegw.api.installation import AGENT, DIALPLAN
from voicegw.api.paging import NamePosition, decode_cursor, encode_cursor
from voicegw.api.parts import PartsDep
from voicegw.api.permissions import Permission
from voicegw.api.problems import FieldProblem, conflict, forbidden, not_found
from voicegw.storage.documents import Document, DocumentVersion
from voicegw.storage.store import Unit

Reader = Annotated[Visitor, Depends(Allow(Permission.CONFIG_READ))]
Writer = Annotated[Visitor, Depends(Allow(Permission.CONFIG_WRITE))]
Publisher = Annotated[Visitor, Depends(Allow(Permission.CONFIG_PUBLISH))]
VersionInPath = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
VersionNumber = Annotated[int, Query(ge=1, le=2**31 - 1)]


async def kind_of(request: Request) -> str:
    """Which of the two a request is about."""
    return AGENT if request.url.path.startswith("/v1/agents") else DIALPLAN


Kind = Annotated[str, Depends(kind_of)]

_EXAMPLE = "name: hello\ngreeting: Good morning.\nsteps:\n  - hangup: Goodbye.\n"


class DraftBody(BaseModel):
    """The whole document as YAML; see the reference of its kind."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": _EXAMPLE, "note": "first"}]})

    text: Annotated[str, StringConstraints(max_length=1_000_000)]
    note: Words = ""


class PublishBody(BaseModel):
    """Which version is to be in force; an older one: a roll-back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 3}]})

    version: int = Field(ge=1, le=2**31 - 1)


class DocumentView(BaseModel):
    """``latest``: the newest version. ``published``: the one in force, null for none."""

    name: str
    latest: int
    published: int | None
    created_at: str
    changed_at: str


class VersionView(BaseModel):
    """One version, without its text."""

    version: int
    state: str
    author: str
    origin: str
    note: str
    sha256: str
    created_at: str
    published_at: str | None
    published_by: str


class VersionText(VersionView):
    """One version."""

    text: str


class DocumentText(DocumentView):
    """A document with the text of its latest version. ``problems``: what has to be put right before publishing."""

    text: str
    problems: list[FieldProblem]


class Checked(BaseModel):
    """A document without mistakes."""

    ok: bool = True


class Diff(BaseModel):
    """What changed, as ``diff -u`` says it."""

    diff: str


async def list_documents(
    kind: Kind, parts: PartsDep, visitor: Reader, cursor: Cursor = None, limit: Limit = DEFAULT
) -> Page[DocumentView]:
    """By name."""
    after = decode_cursor(cursor, NamePosition)
    async with parts.store.read() as unit:
        found = await unit.documents.page(kind, after.name if after else "", limit)
    following = encode_cursor(NamePosition(found[-1].name)) if len(found) == limit else None
    return Page(items=[_view(one) for one in found if _in_scope(kind, visitor, one.name)], next=following)


async def see(kind: Kind, name: NameInPath, parts: PartsDep, visitor: Reader, response: Response) -> DocumentText:
    """Its latest version, and what is wrong with it."""
    async with parts.store.read() as unit:
        document = await _visible(unit, kind, visitor, name)
        latest = await unit.documents.version(kind, name, document.latest)
        problems = await publishing.problems_of(unit, kind, name, text_of(latest))
    response.headers["ETag"] = _tag(document)
    return DocumentText(**_view(document).model_dump(), text=text_of(latest), problems=problems)


async def save(
    kind: Kind,
    name: NameInPath,
    body: DraftBody,
    parts: PartsDep,
    visitor: Writer,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> DocumentText:
    """A draft may have mistakes; it changes no call. ``If-None-Match: *`` to create, ``If-Match`` to change."""
    async with parts.store.write() as unit:
        before = await unit.documents.find(kind, name)
        _demand_save(kind, visitor, before, name, if_match, if_none_match)
        document = await publishing.save(unit, visitor, kind, name, body.text, body.note)
        problems = await publishing.problems_of(unit, kind, name, body.text)
    response.headers["ETag"] = _tag(document)
    return DocumentText(**_view(document).model_dump(), text=body.text, problems=problems)


async def withdraw(
    kind: Kind, name: NameInPath, parts: PartsDep, visitor: Publisher, if_match: IfMatch = None
) -> None:
    """It is in force no more; its versions stay and can be published again."""
    async with parts.store.read() as unit:
        document = await _visible(unit, kind, visitor, name)
    demand_match(if_match, _revision(document))
    await publishing.withdraw(parts, visitor, document)


async def validate(kind: Kind, name: NameInPath, body: DraftBody, parts: PartsDep, visitor: Reader) -> Checked:
    """200, or 422 with every mistake: field, file, line and fix. Nothing is stored."""
    if not _in_scope(kind, visitor, name):
        raise not_found(kind)
    async with parts.store.read() as unit:
        await publishing.check(unit, kind, name, body.text)
    return Checked()


async def publish(
    kind: Kind,
    name: NameInPath,
    body: PublishBody,
    parts: PartsDep,
    visitor: Publisher,
    response: Response,
    if_match: IfMatch = None,
) -> DocumentView:
    """For calls that begin from now on; or back to an older version. The whole installation is checked first."""
    async with parts.store.read() as unit:
        document = await _visible(unit, kind, visitor, name)
    demand_match(if_match, _revision(document))
    document = await publishing.publish(parts, visitor, document, body.version)
    response.headers["ETag"] = _tag(document)
    return _view(document)


async def versions(
    kind: Kind, name: NameInPath, parts: PartsDep, visitor: Reader, limit: Limit = DEFAULT
) -> Page[VersionView]:
    """The newest first."""
    async with parts.store.read() as unit:
        await _visible(unit, kind, visitor, name)
        found = await unit.documents.versions(kind, name, limit)
    return Page(items=[_version_view(one) for one in found])


async def see_version(
    kind: Kind, name: NameInPath, version: VersionInPath, parts: PartsDep, visitor: Reader
) -> VersionText:
    """With its text."""
    async with parts.store.read() as unit:
        await _visible(unit, kind, visitor, name)
        found = await unit.documents.version(kind, name, version)
    return VersionText(**_version_view(found).model_dump(), text=text_of(found))


async def diff(
    kind: Kind, name: NameInPath, old: VersionNumber, new: VersionNumber, parts: PartsDep, visitor: Reader
) -> Diff:
    """From ``old`` to ``new``."""
    async with parts.store.read() as unit:
        await _visible(unit, kind, visitor, name)
        return Diff(diff=await unit.documents.diff(kind, name, old, new))


def text_of(version: DocumentVersion) -> str:
    """The text of a version; files that were imported need not be UTF-8."""
    return version.content.decode("utf-8", "replace")


def _view(document: Document) -> DocumentView:
    return DocumentView(
        name=document.name,
        latest=document.latest,
        published=document.published,
        created_at=moment(document.created_wall_ms),
        changed_at=moment(document.changed_wall_ms),
    )


def _version_view(version: DocumentVersion) -> VersionView:
    return VersionView(
        version=version.version,
        state=version.state.value,
        author=version.author,
        origin=version.origin,
        note=version.note,
        sha256=version.sha256,
        created_at=moment(version.created_wall_ms),
        published_at=iso(version.published_wall_ms),
        published_by=version.published_by,
    )


def _revision(document: Document) -> str:
    """Both a new draft and a publication are changes."""
    return f"{document.latest}-{document.published or 0}"


def _tag(document: Document) -> str:
    return etag_of(_revision(document))


def _in_scope(kind: str, visitor: Visitor, name: str) -> bool:
    scope = visitor.who.scope
    return scope.has_agent(name) if kind == AGENT else scope.has_dialplan(name)


async def _visible(unit: Unit, kind: str, visitor: Visitor, name: str) -> Document:
    document = await unit.documents.find(kind, name)
    if document is None or not _in_scope(kind, visitor, name):
        raise not_found(kind)
    return document


def _demand_save(
    kind: str,
    visitor: Visitor,
    before: Document | None,
    name: str,
    if_match: str | None,
    if_none_match: str | None,
) -> None:
    """Raise what speaks against saving: out of scope, not there, there already, or changed since."""
    if not _in_scope(kind, visitor, name):
        if before is None:
            raise forbidden(f"an administrator has to put '{name}' into one of your teams first")
        raise not_found(kind)
    if if_none_match == "*":
        if before is not None:
            raise conflict(f"there is a {kind} '{name}' already")
        return
    if before is None:
        raise not_found(kind)
    demand_match(if_match, _revision(before))


_REVISED: Responses = {200: ETAG}
_ROUTES: tuple[tuple[str, str, Callable[..., Any], int, Responses, str], ...] = (
    ("GET", "", list_documents, 200, refusals(), "List {kind}s"),
    ("GET", "/{name}", see, 200, refusals(404) | _REVISED, "See the {kind}"),
    ("PUT", "/{name}", save, 200, refusals(404, 409, 412, 428) | _REVISED, "Save a draft of the {kind}"),
    ("DELETE", "/{name}", withdraw, 204, refusals(404, 409, 412, 428), "Withdraw the {kind}"),
    ("POST", "/{name}/validate", validate, 200, refusals(404), "Check the {kind}"),
    ("POST", "/{name}/publish", publish, 200, refusals(404, 409, 412, 428) | _REVISED, "Put the {kind} in force"),
    ("GET", "/{name}/versions", versions, 200, refusals(404), "List the versions of the {kind}"),
    ("GET", "/{name}/versions/{version}", see_version, 200, refusals(404), "See a version of the {kind}"),
    ("GET", "/{name}/diff", diff, 200, refusals(404), "Compare versions of the {kind}"),
)


def _router() -> APIRouter:
    made = APIRouter()
    for kind in (AGENT, DIALPLAN):
        for method, path, handler, status, responses, summary in _ROUTES:
            made.add_api_route(
                f"/v1/{kind}s{path}",
                handler,
                methods=[method],
                status_code=status,
                responses=responses,
                summary=summary.format(kind=kind),
                operation_id=f"{kind}_{handler.__name__}",
                tags=[f"{kind}s"],
            )
    return made


router = _router()
