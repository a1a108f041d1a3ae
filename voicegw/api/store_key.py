"""Whether this node has the key that the store's secrets are sealed with.

Nodes that share a store need one key: a node with another one would seal what the others cannot open. So the
store has a short text (in ``secrets``) that the first node has sealed with its key, and each node has to open it
before it takes part. It tells nothing of the key.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from voicegw.api.vault import Vault, phone_context, totp_context, trunk_context, webhook_context
from voicegw.base.errors import ConfigError, LocalError
from voicegw.storage.admin import Secret
from voicegw.storage.errors import Conflict
from voicegw.storage.sealed import Sealed, SealedKind, list_sealed, put_sealed
from voicegw.storage.store import Store, Unit

log = logging.getLogger(__name__)

CHECK: Final = "api.key_file"
"""Name of the text in ``secrets``, and what it is bound to."""
_TEXT: Final = "voicegw"
_CONTEXTS: Final = {
    SealedKind.TRUNK: trunk_context,
    SealedKind.PHONE: phone_context,
    SealedKind.USER: totp_context,
    SealedKind.WEBHOOK: webhook_context,
}


class OtherKey(ConfigError):
    """The store's secrets are sealed with another key than this node's."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """``owner``: the node that sealed first, and when; None: nobody has. ``lost``: what this key does not open."""

    owner: Secret | None
    fits: bool
    readable: int
    lost: tuple[Sealed, ...]


class StoreKey:
    """The key of this node, to be compared with that of a store. ``file`` and ``node`` are for people."""

    def __init__(self, vault: Vault, file: str, node: str) -> None:
        self._vault = vault
        self._file = file
        self._node = node

    async def settle(self, store: Store, now_wall_ms: int) -> None:
        """Make this the key of a store that has none yet; raises OtherKey where it has another one.

        A store of one machine (SQLite) in which nothing is sealed takes any key: nobody can miss the one before.
        Raises StoreUnavailable, too.
        """
        async with store.read() as unit:
            owner = await unit.secrets.find(CHECK)
        if owner is not None and _fits(self._vault, owner):
            return
        while True:
            try:
                async with store.write() as unit:
                    await self._settle(unit, store, now_wall_ms)
                return
            except Conflict:  # another node was first, and its key counts
                continue

    async def look(self, unit: Unit) -> KeyState:
        """How this key and the store go together."""
        owner = await unit.secrets.find(CHECK)
        rows = await list_sealed(unit.connection)
        lost = tuple(row for row in rows if not _opens(self._vault, row))
        fits = owner is not None and _fits(self._vault, owner)
        return KeyState(owner, fits, len(rows) - len(lost), lost)

    async def take(self, unit: Unit, old: Vault | None, now_wall_ms: int) -> KeyState:
        """Make this the store's key whatever it was, and seal anew what ``old`` opens; returns what is then."""
        if old is not None:
            for row in (await self.look(unit)).lost:
                await self._seal_anew(unit, row, old)
        await unit.secrets.put(self._check(now_wall_ms))
        return await self.look(unit)

    async def _seal_anew(self, unit: Unit, row: Sealed, old: Vault) -> None:
        if _opens(old, row):
            text, context = old.open(row.sealed, _context(row)), _context(row)
            await put_sealed(unit.connection, row._replace(sealed=self._vault.seal(text, context)))

    async def _settle(self, unit: Unit, store: Store, now_wall_ms: int) -> None:
        state = await self.look(unit)
        if state.fits:  # another node was faster, with the same key
            return
        is_shared, opens_none = not store.database.is_sqlite, bool(state.lost) and not state.readable
        if state.owner is None and not (is_shared and opens_none):
            await unit.secrets.add(self._check(now_wall_ms))
        elif state.owner is not None and not (is_shared or state.lost or state.readable):
            await unit.secrets.put(self._check(now_wall_ms))
            log.warning("the store has the key of %s from now on; nothing was sealed with another one", self._file)
        else:
            raise self._refusal(store, state)
        if state.lost:
            log.error("%s does not open %s: enter them anew", self._file, _counted(state.lost))

    def _check(self, now_wall_ms: int) -> Secret:
        return Secret(CHECK, self._vault.seal(_TEXT, CHECK), now_wall_ms, self._node)

    def _refusal(self, store: Store, state: KeyState) -> OtherKey:
        place = store.database.url.set(drivername=store.database.url.get_backend_name())
        whose = (
            f"that of node {sealed_by(state.owner)}" if state.owner else "the one that its secrets are sealed with"
        )
        message = f"is not the key of the store {place.render_as_string()}: it needs {whose}"
        fix = (
            "let all nodes that share the store have one api.key_file, a copy of that key or one mounted secret; "
            "where it is lost, or to go on with this one: voicegw store key --help"
        )
        return OtherKey(message, file=self._file, fix=fix)


def sealed_by(owner: Secret) -> str:
    """Who it was, and when."""
    return (
        f"{owner.changed_by} (since {datetime.fromtimestamp(owner.changed_wall_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC)"
    )


def _counted(rows: Sequence[Sealed]) -> str:
    kinds = Counter(row.kind.value for row in rows)
    return "the secrets of " + ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.items())


def _context(row: Sealed) -> str:
    return _CONTEXTS[row.kind](row.id)


def _opens(vault: Vault, row: Sealed) -> bool:
    try:
        vault.open(row.sealed, _context(row))
    except LocalError:
        return False
    return True


def _fits(vault: Vault, check: Secret) -> bool:
    try:
        return vault.open(check.sealed, CHECK) == _TEXT
    except LocalError:
        return False
