"""Agents and dialplans as documents with versions: draft → published → archived.

A version is never changed. Rolling back is publishing an older version; archiving withdraws the document.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Row, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.storage.errors import Conflict, NotFound
from voicegw.storage.tables.documents import document_versions, documents


class VersionState(Enum):
    """Where a version stands. At most one of a document is published; an archived one can be published again."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Document:
    """A name and the numbers of its latest and its published version (None: not in force)."""

    kind: str
    name: str
    latest: int
    published: int | None
    created_wall_ms: int
    changed_wall_ms: int


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One version, byte by byte as it was written."""

    kind: str
    name: str
    version: int
    state: VersionState
    content: bytes
    sha256: str
    origin: str
    author: str
    note: str
    created_wall_ms: int
    published_wall_ms: int | None
    published_by: str


class DocumentRepository:
    """Documents of all kinds (``agent``, ``dialplan``), in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(
        self,
        kind: str,
        name: str,
        content: bytes,
        *,
        author: str,
        now_wall_ms: int,
        note: str = "",
        origin: str = "api",
        expected_latest: int | None = None,
    ) -> DocumentVersion:
        """Store a draft; the latest version itself when it is the same byte by byte.

        Raises Conflict when ``expected_latest`` is given (0: no document yet) and somebody was faster.
        """
        document = await self.find(kind, name)
        latest = document.latest if document else 0
        if expected_latest is not None and expected_latest != latest:
            raise Conflict(f"{kind} {name} is at version {latest}, not {expected_latest}")
        sha256 = hashlib.sha256(content).hexdigest()
        if document is not None:
            last = await self.version(kind, name, latest)
            if last.sha256 == sha256:
                return last
        await self._number(document, kind, name, latest + 1, now_wall_ms)
        await self._set_state(kind, name, VersionState.DRAFT, VersionState.ARCHIVED)
        values = {"kind": kind, "name": name, "version": latest + 1, "state": VersionState.DRAFT.value}
        values |= {"content": content, "sha256": sha256, "origin": origin, "author": author, "note": note}
        values |= {"created_wall_ms": now_wall_ms, "published_by": ""}
        await self._connection.execute(insert(document_versions).values(values))
        return await self.version(kind, name, latest + 1)

    async def publish(
        self, kind: str, name: str, version: int, *, author: str, now_wall_ms: int
    ) -> DocumentVersion:
        """Put a version in force instead of the one that is; an older one: a roll-back. Raises NotFound."""
        await self.version(kind, name, version)
        await self._set_state(kind, name, VersionState.PUBLISHED, VersionState.ARCHIVED)
        values: dict[str, Any] = {"state": VersionState.PUBLISHED.value, "published_wall_ms": now_wall_ms}
        await self._connection.execute(
            update(document_versions)
            .where(_same(document_versions, kind, name), document_versions.c.version == version)
            .values(values | {"published_by": author})
        )
        await self._put_in_force(kind, name, version, now_wall_ms)
        return await self.version(kind, name, version)

    async def archive(self, kind: str, name: str, *, now_wall_ms: int) -> None:
        """Withdraw a document; its versions stay. Raises NotFound."""
        await self.get(kind, name)
        for state in (VersionState.PUBLISHED, VersionState.DRAFT):
            await self._set_state(kind, name, state, VersionState.ARCHIVED)
        await self._put_in_force(kind, name, None, now_wall_ms)

    async def find(self, kind: str, name: str) -> Document | None:
        """The document of this name, if there is one."""
        query = select(documents).where(_same(documents, kind, name))
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else Document(**row)

    async def get(self, kind: str, name: str) -> Document:
        """The document of this name; raises NotFound."""
        found = await self.find(kind, name)
        if found is None:
            raise NotFound(f"there is no {kind} {name}")
        return found

    async def page(self, kind: str, after: str = "", limit: int = 100) -> list[Document]:
        """A page by name."""
        mine = and_(documents.c.kind == kind, documents.c.name > after)
        query = select(documents).where(mine).order_by(documents.c.name).limit(limit)
        return [Document(**row) for row in (await self._connection.execute(query)).mappings()]

    async def version(self, kind: str, name: str, version: int) -> DocumentVersion:
        """One version; raises NotFound."""
        one = and_(_same(document_versions, kind, name), document_versions.c.version == version)
        row = (await self._connection.execute(select(document_versions).where(one))).first()
        if row is None:
            raise NotFound(f"there is no version {version} of {kind} {name}")
        return _version(row)

    async def versions(self, kind: str, name: str, limit: int = 100) -> list[DocumentVersion]:
        """The versions of a document, the newest first."""
        mine = select(document_versions).where(_same(document_versions, kind, name))
        rows = await self._connection.execute(mine.order_by(document_versions.c.version.desc()).limit(limit))
        return [_version(row) for row in rows]

    async def latest_of(self, kind: str, name: str, origin: str) -> DocumentVersion | None:
        """The newest version that came from there."""
        mine = and_(_same(document_versions, kind, name), document_versions.c.origin == origin)
        newest = select(document_versions).where(mine).order_by(document_versions.c.version.desc()).limit(1)
        row = (await self._connection.execute(newest)).first()
        return None if row is None else _version(row)

    async def published(self, kind: str) -> Mapping[str, DocumentVersion]:
        """Everything of a kind that is in force, by name."""
        joined = document_versions.join(
            documents,
            and_(
                document_versions.c.kind == documents.c.kind,
                document_versions.c.name == documents.c.name,
                document_versions.c.version == documents.c.published,
            ),
        )
        query = select(document_versions).select_from(joined).where(documents.c.kind == kind)
        rows = await self._connection.execute(query.order_by(documents.c.name))
        return {row.name: _version(row) for row in rows}

    async def diff(self, kind: str, name: str, old: int, new: int) -> str:
        """A unified diff of two versions; raises NotFound."""
        return unified_diff(await self.version(kind, name, old), await self.version(kind, name, new))

    async def _number(self, document: Document | None, kind: str, name: str, latest: int, now_wall_ms: int) -> None:
        if document is None:
            values = {"kind": kind, "name": name, "latest": latest, "created_wall_ms": now_wall_ms}
            await self._connection.execute(insert(documents).values({**values, "changed_wall_ms": now_wall_ms}))
            return
        # Of two savers at once the second finds another number here.
        same = and_(_same(documents, kind, name), documents.c.latest == document.latest)
        changed = update(documents).where(same).values(latest=latest, changed_wall_ms=now_wall_ms)
        if (await self._connection.execute(changed)).rowcount == 0:
            raise Conflict(f"{kind} {name} has just been changed")

    async def _put_in_force(self, kind: str, name: str, version: int | None, now_wall_ms: int) -> None:
        values = {"published": version, "changed_wall_ms": now_wall_ms}
        await self._connection.execute(update(documents).where(_same(documents, kind, name)).values(values))

    async def _set_state(self, kind: str, name: str, old: VersionState, new: VersionState) -> None:
        mine = and_(_same(document_versions, kind, name), document_versions.c.state == old.value)
        await self._connection.execute(update(document_versions).where(mine).values(state=new.value))


def unified_diff(old: DocumentVersion, new: DocumentVersion) -> str:
    """What changed between two versions, as ``diff -u`` says it."""
    before, after = (one.content.decode("utf-8", "replace").splitlines(keepends=True) for one in (old, new))
    old_name, new_name = (f"{one.kind}/{one.name} (version {one.version})" for one in (old, new))
    parts = difflib.unified_diff(before, after, old_name, new_name)
    return "".join(part if part.endswith("\n") else f"{part}\n\\ No newline at end of file\n" for part in parts)


def _same(table: Any, kind: str, name: str) -> Any:
    return and_(table.c.kind == kind, table.c.name == name)


def _version(row: Row[Any]) -> DocumentVersion:
    values = dict(row._mapping)
    return DocumentVersion(**{**values, "state": VersionState(values["state"])})
