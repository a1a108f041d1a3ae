"""Every listen leaves a row in the audit, before the first word goes out: without the row nothing is heard."""

from __future__ import annotations

from voicegw.api.access import Visitor
from voicegw.api.parts import Parts

TRANSCRIPT = "transcript.read"
RECORDING = "recording.hear"
LIVE = "live.watch"


async def note_hearing(parts: Parts, visitor: Visitor, action: str, object_id: str) -> None:
    """Write the row; raises StoreUnavailable, and then nothing may be sent.

    A player fetches a recording in many ranges: the same person, call and address make one row a minute.
    """
    name = "\n".join((visitor.who.key_id or visitor.who.user_id, visitor.peer, action, object_id))
    if not parts.hearings.is_new(name, parts.clock.monotonic()):
        return
    written = False
    try:
        async with parts.store.write() as unit:
            await unit.audit.append(visitor.note(action, "call", object_id))
        written = True
    finally:
        if not written:
            parts.hearings.forget(name)
