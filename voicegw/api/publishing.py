"""Putting documents in force: check the whole as it would be, store, install, note; all or nothing."""

from __future__ import annotations

from voicegw.api.access import Visitor
from voicegw.api.in_force import in_force
from voicegw.api.installation import AGENT, DIALPLAN, Documents, check_all, check_document
from voicegw.api.parts import Parts
from voicegw.api.problems import FieldProblem, config_problems, wrong_document
from voicegw.base.errors import ConfigError
from voicegw.storage.documents import Document
from voicegw.storage.errors import Conflict
from voicegw.storage.store import Unit


async def check(unit: Unit, kind: str, name: str, text: str) -> None:
    """Check a text beside what is in force; raises 422 with all that is wrong."""
    agents = frozenset((await in_force(unit)).agents) if kind == DIALPLAN else None
    try:
        check_document(kind, name, text, agents)
    except ConfigError as error:
        raise wrong_document(error) from None


async def problems_of(unit: Unit, kind: str, name: str, text: str) -> list[FieldProblem]:
    """The same as a list."""
    agents = frozenset((await in_force(unit)).agents) if kind == DIALPLAN else None
    try:
        check_document(kind, name, text, agents)
    except ConfigError as error:
        return config_problems(error)
    return []


async def save(unit: Unit, visitor: Visitor, kind: str, name: str, text: str, note: str) -> Document:
    """Store a draft and note it."""
    before = await unit.documents.find(kind, name)
    saved = await unit.documents.save(
        kind, name, text.encode(), author=visitor.who.user_name, now_wall_ms=visitor.at_wall_ms, note=note
    )
    was = {"version": before.latest} if before else None
    is_now = {"version": saved.version, "sha256": saved.sha256}
    await unit.audit.append(visitor.note(f"{kind}.save", kind, name, was, is_now))
    return await unit.documents.get(kind, name)


async def publish(parts: Parts, visitor: Visitor, document: Document, version: int) -> Document:
    """Put a version in force; raises 422 where the installation would not work, Conflict where it has changed."""
    kind, name = document.kind, document.name
    async with parts.store.write() as unit:
        await _demand_same(unit, document)
        text = (await unit.documents.version(kind, name, version)).content.decode("utf-8", "replace")
        documents = (await in_force(unit)).changed(kind, name, text)
        await unit.documents.publish(
            kind, name, version, author=visitor.who.user_name, now_wall_ms=visitor.at_wall_ms
        )
        was, is_now = {"published": document.published}, {"published": version}
        await unit.audit.append(visitor.note(f"{kind}.publish", kind, name, was, is_now))
        await install(parts, documents)
        return await unit.documents.get(kind, name)


async def withdraw(parts: Parts, visitor: Visitor, document: Document) -> None:
    """Take a document out of force; raises 422 where something in force needs it."""
    kind, name = document.kind, document.name
    async with parts.store.write() as unit:
        await _demand_same(unit, document)
        documents = (await in_force(unit)).changed(kind, name, None)
        await unit.documents.archive(kind, name, now_wall_ms=visitor.at_wall_ms)
        await unit.audit.append(visitor.note(f"{kind}.withdraw", kind, name, {"published": document.published}))
        if document.published is not None:
            await install(parts, documents)


async def install(parts: Parts, documents: Documents) -> None:
    """Check and put in force, inside the transaction that stores it: what is refused is not stored either.

    Should the commit fail after that, the node runs what is not stored until the next publication or restart; the
    other order would store what no node can run.
    """
    try:
        check_all(documents)
        await parts.installer.rehearse(documents)
        await parts.installer.install(documents)
    except ConfigError as error:
        raise wrong_document(error, "version") from None


async def adopt(parts: Parts, files: Documents) -> None:
    """At a node's start: take the files in where the store has no documents yet, else put the store's in force.

    Raises ConfigError where what is stored does not work here; the node then goes on with its files.
    """
    now = parts.wall_ms()
    async with parts.store.write() as unit:
        stored = await in_force(unit)
        if not stored.agents and not stored.dialplans:
            for kind, texts in ((AGENT, files.agents), (DIALPLAN, files.dialplans)):
                for name, text in texts.items():
                    await _take_in(unit, kind, name, text, now)
            return
    if stored != files:
        check_all(stored)
        await parts.installer.rehearse(stored)
        await parts.installer.install(stored)


async def _take_in(unit: Unit, kind: str, name: str, text: str, now_wall_ms: int) -> None:
    saved = await unit.documents.save(
        kind, name, text.encode(), author="files", now_wall_ms=now_wall_ms, origin="file"
    )
    await unit.documents.publish(kind, name, saved.version, author="files", now_wall_ms=now_wall_ms)


async def _demand_same(unit: Unit, document: Document) -> None:
    """Raise Conflict where somebody was faster since the ETag was compared."""
    if await unit.documents.get(document.kind, document.name) != document:
        raise Conflict(f"{document.kind} {document.name} has just been changed")
