"""Erasing: contents go, chains stay. Everything of a number, or what is due of a class of data.

What stays of an erased call is when it was, how long, over which route and how it ended. Files are removed before
the transaction that says so: after a failure in between the order is simply carried out again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voicegw.base.ids import RandomBytes, token
from voicegw.storage import word_index
from voicegw.storage.audit import AuditNote
from voicegw.storage.call_records import StoredState
from voicegw.storage.certificates import Certificate, ErasedCall, encode, hash_of, subject_hash
from voicegw.storage.node_files import ErasedFiles, Scope
from voicegw.storage.store import Unit
from voicegw.storage.tables.calls import call_events, call_tags, calls, legs, recordings, transcripts
from voicegw.storage.tables.hooks import webhook_deliveries
from voicegw.storage.tables.people import audit
from voicegw.storage.tables.proofs import erasures
from voicegw.storage.word_index import WORD_INDEX

UNSPOKEN_KINDS = (
    "CallWasOffered",
    "CallWasRouted",
    "CallWasAnswered",
    "CallWasHeld",
    "CallerWasSilent",
    "CallerBargedIn",
    "CallerWasBackground",
    "TurnWasTimed",
    "LanguageHasChanged",
    "SpeechHasFailed",
    "RecordingHasEnded",
    "RecordingHasFailed",
    "CaptureHasStarted",
    "CaptureHasEnded",
    "MediaHasMoved",
    "ToneWasHeard",
    "MediaWasMeasured",
    "MediaQualityHasChanged",
    "SipWasTraced",
    "TrunkHasFailed",
    "CallWasBarred",
    "TransferHasProgressed",
    "TransferHasFailed",
    "SupervisorHasJoined",
    "SupervisorModeHasChanged",
    "SupervisorHasLeft",
    "CallHasEnded",
)
"""Events that repeat nothing of what was said or keyed in. A kind that is not listed counts as spoken."""
_CONSENT_KINDS = ("DisclosureWasMade", "ConsentWasGiven", "ConsentWasRefused")
"""What the caller was told and answered stays when they refuse: it is the proof that they were asked."""
_GONE: dict[str, Any] = {"salt": None, "content": None}
_SALT_BYTES = 16
_NO_FILES = ErasedFiles()
_MANY = 5000
"""Values in one statement; databases take 30,000."""
_MANY_WORDS = 200
"""Conditions in one statement; SQLite nests no deeper than 1,000."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants what erased and why. ``subject`` is the number that it is about, if it is about one."""

    scope: Scope
    reason: str
    actor: str
    now_wall_ms: int
    subject: str = ""


async def calls_of_number(connection: AsyncConnection, number: str) -> tuple[str, ...]:
    """Every ended call of a number, as caller, as called, or as one who was recorded (SIPREC)."""
    mine = and_(_is_party(number), _ended())
    return tuple(await connection.scalars(select(calls.c.id).where(mine).order_by(calls.c.id)))


async def recordings_of(connection: AsyncConnection, call_ids: Sequence[str]) -> tuple[str, ...]:
    """The paths of what was recorded in these calls and is still there."""
    there = and_(recordings.c.call_id.in_(call_ids), recordings.c.deleted_wall_ms.is_(None))
    return tuple(await connection.scalars(select(recordings.c.path).where(there).order_by(recordings.c.call_id)))


async def open_calls_of_number(connection: AsyncConnection, number: str) -> tuple[str, ...]:
    """Calls of a number that have not ended: nothing of them can be erased yet."""
    mine = and_(_is_party(number), ~_ended())
    return tuple(await connection.scalars(select(calls.c.id).where(mine).order_by(calls.c.id)))


def _is_party(number: str) -> ColumnElement[bool]:
    recorded = and_(legs.c.call_id == calls.c.id, legs.c.role == "stream", legs.c.party == number)
    return or_(calls.c.calling == number, calls.c.called == number, exists(select(legs.c.call_id).where(recorded)))


async def erase(
    unit: Unit,
    order: Order,
    call_ids: Sequence[str],
    files: ErasedFiles = _NO_FILES,
    random: RandomBytes = os.urandom,
) -> Certificate:
    """Erase these calls' contents and note it in the audit. What lies in files is gone already."""
    id = token(random, 20)
    erased = [await _erase_call(unit.connection, order, call_id, id) for call_id in call_ids]
    deliveries = 0
    entries: tuple[int, ...] = ()
    if order.scope is Scope.EVERYTHING:
        deliveries = await _erase_deliveries(unit.connection, call_ids, order.subject)
        entries = await _erase_audit(unit.connection, _about(call_ids), order.subject, id)
        await _settle_word_index(unit.connection)
    elif order.scope is not Scope.RECORDING:
        deliveries = await _erase_messages(unit.connection, id)
    return await _certify(unit, order, _Extent(id, tuple(erased), entries, deliveries, files), random)


async def erase_audit_details(unit: Unit, order: Order, before_wall_ms: int) -> Certificate | None:
    """Erase the details of audit entries from before that moment; None when there are none."""
    old = and_(audit.c.at_wall_ms < before_wall_ms, audit.c.content.is_not(None))
    if await unit.connection.scalar(select(audit.c.seq).where(old).limit(1)) is None:
        return None
    id = token(os.urandom, 20)
    erased = update(audit).where(old).values(**_GONE, erasure_id=id).returning(audit.c.seq)
    entries = tuple(sorted(await unit.connection.scalars(erased)))
    return await _certify(unit, order, _Extent(id, (), entries, 0, _NO_FILES), os.urandom)


async def _erase_call(connection: AsyncConnection, order: Order, call_id: str, erasure_id: str) -> ErasedCall:
    events = lines = audio = 0
    if order.scope is not Scope.RECORDING:
        events = await _erase_events(connection, order.scope, call_id, erasure_id)
    if order.scope in (Scope.EVERYTHING, Scope.SPOKEN):
        lines = await _count(connection, transcripts, call_id)
        await connection.execute(delete(transcripts).where(transcripts.c.call_id == call_id))
        await word_index.forget(connection, [call_id])
    if order.scope in (Scope.EVERYTHING, Scope.RECORDING):
        gone = update(recordings).where(recordings.c.call_id == call_id, recordings.c.deleted_wall_ms.is_(None))
        values = {"path": "", "deleted_wall_ms": order.now_wall_ms}
        audio = (await connection.execute(gone.values(values))).rowcount
        await connection.execute(update(calls).where(calls.c.id == call_id).values(has_recording=False))
    if order.scope is Scope.EVERYTHING:
        await _erase_parties(connection, call_id, erasure_id)
    seal = await connection.scalar(select(calls.c.seal).where(calls.c.id == call_id))
    return ErasedCall(call_id, events, lines, audio, (seal or b"").hex())


async def _erase_events(connection: AsyncConnection, scope: Scope, call_id: str, erasure_id: str) -> int:
    there = and_(call_events.c.call_id == call_id, call_events.c.content.is_not(None))
    if scope is not Scope.EVERYTHING:
        there = and_(there, call_events.c.kind.not_in(UNSPOKEN_KINDS))
    if scope is Scope.BEFORE_REFUSAL:
        refusal = and_(call_events.c.call_id == call_id, call_events.c.kind == "ConsentWasRefused")
        last = select(func.max(call_events.c.seq)).where(refusal).scalar_subquery()
        there = and_(there, call_events.c.seq < last, call_events.c.kind.not_in(_CONSENT_KINDS))
    erased = update(call_events).where(there).values(**_GONE, erasure_id=erasure_id)
    return (await connection.execute(erased)).rowcount


async def _erase_parties(connection: AsyncConnection, call_id: str, erasure_id: str) -> None:
    nobody = {"called": "", "calling": "", "display_name": "", "sip_call_id": "", "erasure_id": erasure_id}
    await connection.execute(update(calls).where(calls.c.id == call_id).values(nobody))
    await connection.execute(update(legs).where(legs.c.call_id == call_id).values(party="", remote=""))
    await connection.execute(delete(call_tags).where(call_tags.c.call_id == call_id))


async def _erase_messages(connection: AsyncConnection, erasure_id: str) -> int:
    """Webhook messages of the events that this erasure has emptied."""
    emptied = select(call_events.c.call_id, call_events.c.seq).where(call_events.c.erasure_id == erasure_id)
    names = [f"{row.call_id}-{row.seq}" for row in await connection.execute(emptied)]
    gone = 0
    for at in range(0, len(names), _MANY):
        mine = webhook_deliveries.c.event_id.in_(names[at : at + _MANY])
        gone += (await connection.execute(delete(webhook_deliveries).where(mine))).rowcount
    return gone


async def _erase_deliveries(connection: AsyncConnection, call_ids: Sequence[str], subject: str) -> int:
    """Webhook messages about these calls go as a whole; their receivers have been told, or never will be."""
    payload = webhook_deliveries.c.payload_json
    words = (*call_ids, *filter(None, [subject]))
    gone = 0
    for at in range(0, len(words), _MANY_WORDS):
        about = [payload.contains(word, autoescape=True) for word in words[at : at + _MANY_WORDS]]
        gone += (await connection.execute(delete(webhook_deliveries).where(or_(*about)))).rowcount
    return gone


def _about(call_ids: Sequence[str]) -> Any:
    return and_(audit.c.object_kind == "call", audit.c.object_id.in_(call_ids))


async def _erase_audit(connection: AsyncConnection, about: Any, subject: str, erasure_id: str) -> tuple[int, ...]:
    """Details of entries about these calls, and of all that mention the number."""
    rows = await connection.execute(select(audit.c.seq, audit.c.content).where(audit.c.content.is_not(None), about))
    entries = {row.seq for row in rows}
    if subject:
        mentions = select(audit.c.seq, audit.c.content).where(audit.c.content.is_not(None))
        needle = subject.encode()
        async for row in await connection.stream(mentions):
            if needle in row.content:
                entries.add(row.seq)
    erased = update(audit).where(audit.c.seq.in_(entries)).values(**_GONE, erasure_id=erasure_id)
    if entries:
        await connection.execute(erased)
    return tuple(sorted(entries))


async def _settle_word_index(connection: AsyncConnection) -> None:
    """FTS5 keeps deleted words until its parts are merged. PostgreSQL's dead rows go with its next vacuum."""
    if connection.dialect.name == "sqlite":
        await connection.execute(text(f"INSERT INTO {WORD_INDEX} ({WORD_INDEX}) VALUES ('optimize')"))


@dataclass(frozen=True, slots=True)
class _Extent:
    """What an erasure has reached."""

    id: str
    calls: tuple[ErasedCall, ...]
    audit_entries: tuple[int, ...]
    deliveries: int
    files: ErasedFiles


async def _certify(unit: Unit, order: Order, extent: _Extent, random: RandomBytes) -> Certificate:
    id, files = extent.id, extent.files
    salt = random(_SALT_BYTES) if order.subject else b""
    subject = subject_hash(order.subject, salt) if order.subject else ""
    head = (id, order.scope.value, order.reason, order.actor, order.now_wall_ms, subject, salt.hex())
    reach = (extent.calls, extent.audit_entries, extent.deliveries)
    counts = (files.recording_files, files.log_files, files.tool_entries, files.rejected_facts)
    certificate = Certificate(*head, *reach, *counts)
    written = encode(certificate)
    values = {"id": id, "reason": order.reason, "actor": order.actor, "made_wall_ms": order.now_wall_ms}
    row = {**values, "certificate_json": written, "hash": hash_of(written)}
    await unit.connection.execute(insert(erasures).values(row))
    after = f'{{"certificate":"{hash_of(written).hex()}"}}'
    note = AuditNote(order.now_wall_ms, order.actor, "data.erase", "erasure", id, after_json=after)
    await unit.audit.append(note)
    return certificate


async def _count(connection: AsyncConnection, table: Table, call_id: str) -> int:
    query = select(func.count()).select_from(table).where(table.c.call_id == call_id)
    return int(await connection.scalar(query) or 0)


def _ended() -> Any:
    return calls.c.state != StoredState.OPEN.value
