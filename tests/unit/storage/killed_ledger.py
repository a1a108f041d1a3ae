"""A process that is killed in the middle of its tools: ``killed_ledger.py FILE``.

It finishes the call ``finished``, says ``ready`` while the bodies of ``once`` and ``again`` run, and never ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey, ToolEffect, ToolIntent, ToolResult
from voicegw.storage.tool_ledger import SqliteToolLedger


async def main() -> None:
    ledger = SqliteToolLedger(Path(sys.argv[1]))
    await ledger.recover(1.0)
    for key in ("finished", "once", "again"):
        effect = ToolEffect.IDEMPOTENT if key == "again" else ToolEffect.ONCE
        intent = ToolIntent(IdempotencyKey(key), CallId("c1"), "book", effect, "{}", 2.0)
        assert (await ledger.claim(intent)).granted
    await ledger.conclude(IdempotencyKey("finished"), ToolResult.done({"id": 7}), 3.0)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
