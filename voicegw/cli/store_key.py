"""``voicegw store key``: whether this node's key is that of the store, and how it becomes it."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from voicegw.api.key_file import read_key
from voicegw.api.store_key import KeyState, StoreKey, sealed_by
from voicegw.api.vault import Vault
from voicegw.base.clock import SystemClock
from voicegw.config import Config
from voicegw.storage.audit import AuditNote
from voicegw.storage.store import Store

_ACTOR = "cli"


async def store_key(store: Store, config: Config, arguments: argparse.Namespace) -> int:
    """1 where the store has another key, or secrets that this one does not open."""
    path = Path(config.api.key_file)
    key = StoreKey(Vault(read_key(path)), str(path), config.cluster.node or socket.gethostname())
    async with store.read() as unit:
        before = state = await key.look(unit)
    if arguments.old is not None or arguments.take:
        old = Vault(read_key(arguments.old)) if arguments.old is not None else None
        now_wall_ms = round(SystemClock().wall() * 1000)
        async with store.write() as unit:
            state = await key.take(unit, old, now_wall_ms)
            note = AuditNote(now_wall_ms, _ACTOR, "key.take", "store", actor_kind="local")
            await unit.audit.append(note)
        print(f"{path} is the store's key now; {state.readable - before.readable} secrets were sealed anew")
    _tell(path, state)
    return int(not state.fits or bool(state.lost))


def _tell(path: Path, state: KeyState) -> None:
    if state.owner is None:
        print("no node has started with this store yet: the first one's key will be its key")
    elif state.fits:
        print(f"{path} is the key of the store, as that of node {sealed_by(state.owner)}")
    else:
        print(f"{path} is another key than that of node {sealed_by(state.owner)}, and nodes with it do not start")
    print(f"it opens {state.readable} secrets of the store")
    for row in state.lost:
        print(f"it does not open: {row.kind.value} {row.name}")
