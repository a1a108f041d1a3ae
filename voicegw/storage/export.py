"""Everything that is known of calls, as files of JSON that need no voicegw to be read and verified.

For each call: what is folded from it, and its events with salts, commitments and hashes, so that a stranger can
compute the chain anew (``docs/storage.md`` says how).
"""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import Row, select

from voicegw.ports.tools import LedgerEntry
from voicegw.storage.erasure import calls_of_number, open_calls_of_number
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store
from voicegw.storage.tables.calls import call_events, calls


async def exported_calls(store: Store, call_ids: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
    """For each call the name of its file and the file; raises NotFound."""
    for call_id in call_ids:
        async with store.read() as unit:
            detail = await unit.calls.detail(call_id)
            head = select(calls.c.head_hash, calls.c.seal).where(calls.c.id == call_id)
            ends = (await unit.connection.execute(head)).one()
            mine = select(call_events).where(call_events.c.call_id == call_id).order_by(call_events.c.seq)
            events = [_event(row) for row in await unit.connection.execute(mine)]
        chain = {"head_hash": ends.head_hash.hex(), "seal": ends.seal.hex() if ends.seal else None}
        document = {**msgspec.to_builtins(detail), "chain": chain, "events": events}
        yield f"calls/{call_id}.json", msgspec.json.format(msgspec.json.encode(document), indent=2)


async def calls_to_export(store: Store, number: str | None) -> tuple[str, ...]:
    """All calls of a number, those that an erasure would reach and open ones too; None: all there are."""
    async with store.read() as unit:
        if number is None:
            return tuple(await unit.connection.scalars(select(calls.c.id).order_by(calls.c.id)))
        ended = await calls_of_number(unit.connection, number)
        return tuple(sorted((*ended, *await open_calls_of_number(unit.connection, number))))


async def export_zip(
    store: Store,
    call_ids: Sequence[str],
    into: Path | IO[bytes],
    tools: Sequence[LedgerEntry] = (),
    files: NodeFiles | None = None,
) -> None:
    """Write these calls into a ZIP file, with those recordings that lie here, and what tools were asked for them.
    ``files`` finds all recordings of a call whose media were lost on the way; its record names the last one.

    Recordings go in as they are: who may open a sealed one, may open it from there too.
    Raises NotFound and OSError.
    """
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        if tools:
            archive.writestr("tools.json", msgspec.json.format(msgspec.json.encode(tools), indent=2))
        async for name, content in exported_calls(store, call_ids):
            archive.writestr(name, content)
        for call_id in call_ids:
            async with store.read() as unit:
                recording = await unit.calls.recording(call_id)
            named = [Path(recording.path)] if recording is not None and recording.path else []
            await asyncio.to_thread(_add_recordings, archive, call_id, named, files)


def _add_recordings(archive: zipfile.ZipFile, call_id: str, named: Sequence[Path], files: NodeFiles | None) -> None:
    found = [*named, *(files.recordings_of(call_id) if files is not None else ())]
    for name, path in {path.name: path for path in found if path.is_file()}.items():
        archive.write(path, f"recordings/{name}")


def _event(row: Row[Any]) -> dict[str, object]:
    known: dict[str, object] = {"seq": row.seq, "kind": row.kind, "erasure_id": row.erasure_id}
    content = None if row.content is None else row.content.decode()
    hashes = {name: getattr(row, name).hex() for name in ("commitment", "prev_hash", "hash")}
    return {**known, "content": content, "salt": row.salt.hex() if row.salt else None, **hashes}
