"""What is published on one node is in force on all that share its database.

The node that publishes announces it while its transaction is still open, because that is when it knows. Who is told
reads the database until it says what was announced, for a moment at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from voicegw.api.in_force import in_force
from voicegw.api.installation import Documents, Installer, TrunkSwitch, check_all
from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

DOCUMENTS: Final = "documents"
TRUNKS: Final = "trunks"
PHONES: Final = "phones"
_PATIENCE_S: Final = 5.0
_AGAIN_S: Final = 0.1
_STORE_AGAIN_S: Final = 2.0


class Accounts(Protocol):
    """:class:`voicegw.server_phones.NodePhones`."""

    on_accounts: Callable[[], None]
    """To be set: told when the API of this node has stored other accounts."""

    async def take_accounts(self) -> None:
        """Put in force what the store has; raises StoreUnavailable."""
        ...


class Followed:
    """An Installer that tells the other nodes, and hears what those tell. Lives in the runtime's loop."""

    def __init__(
        self,
        store: StoreConfig,
        installer: Installer,
        trunks: TrunkSwitch,
        clock: Clock,
        phones: Accounts | None = None,
    ) -> None:
        """``phones``: None where nobody registers."""
        self._store = store
        self._installer = installer
        self._trunks = trunks
        self._phones = phones
        if phones is not None:
            phones.on_accounts = lambda: self.announce(PHONES, "")
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn, self._installing = asyncio.Lock(), asyncio.Lock()
        self._in_force = ""
        self._newest = ""
        self.announce: Callable[[str, str], None] = lambda _part, _digest: None

    # ------------------------------------------------------------ published here

    async def rehearse(self, documents: Documents) -> None:
        """See :class:`~voicegw.api.installation.Installer`."""
        await self._installer.rehearse(documents)

    async def install(self, documents: Documents) -> None:
        """See the protocol. What is read in the store from now on is older until it has this."""
        async with self._installing:
            self._newest = digest_of(documents)
            await self._installer.install(documents)
            self._in_force = self._newest
        self.announce(DOCUMENTS, self._in_force)

    async def changed_here(self) -> None:
        """The API has changed a trunk."""
        await self._trunks.changed()
        self.announce(TRUNKS, "")

    # ------------------------------------------------------------ published elsewhere

    def changed(self, part: str, digest: str) -> None:
        """Another node has published something."""
        if part == DOCUMENTS:
            self._newest = digest
        self._begin(part, digest)

    def refresh(self) -> None:
        """Something may have been published that nobody could tell us."""
        for part in (DOCUMENTS, TRUNKS, PHONES):
            self._begin(part, "")

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, part: str, digest: str) -> None:
        task = asyncio.get_running_loop().create_task(self._follow(part, digest), name=f"published {part}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, part: str, digest: str) -> None:
        """Until the store is there: nobody announces it again."""
        is_away = False
        while True:
            try:
                await self._take(part, digest)
                return
            except StoreUnavailable as error:
                if not is_away:
                    log.warning("what another node has published is not in force yet: %s", error)
                is_away = True
            except ConfigError as error:
                log.error("what another node has published does not work here: %s", error)
                return
            await asyncio.sleep(_STORE_AGAIN_S)

    async def _take(self, part: str, digest: str) -> None:
        async with self._turn:
            if part == DOCUMENTS:
                await self._take_documents(digest)
            elif part == TRUNKS:
                await self._trunks.changed()
            elif part == PHONES and self._phones is not None:
                await self._phones.take_accounts()

    async def _take_documents(self, digest: str) -> None:
        while not await self._took_documents(digest):
            pass

    async def _took_documents(self, digest: str) -> bool:
        """False where something newer was published while they were read."""
        store, newest = Store(self._store), self._newest
        try:
            documents = await self._read(store, digest)
        finally:
            await store.close()
        found = digest_of(documents)
        async with self._installing:
            if self._newest != newest:
                return False
            if found == self._in_force or not documents.agents:
                return True
            check_all(documents)
            await self._installer.install(documents)
            self._in_force = found
        log.info("what another node has published is in force", extra={"agents": len(documents.agents)})
        return True

    async def _read(self, store: Store, digest: str) -> Documents:
        """What is published, as soon as it is what was announced: then, or last. What is published twice in a row
        may never be seen as it was in between."""
        deadline = self._clock.monotonic() + _PATIENCE_S
        while True:
            async with store.read() as unit:
                documents = await in_force(unit)
            awaited = digest_of(documents) in (digest, self._newest) or not (digest or self._newest)
            if awaited or self._clock.monotonic() > deadline:
                return documents
            await asyncio.sleep(_AGAIN_S)


class FollowedTrunks:
    """The :class:`~voicegw.api.installation.TrunkSwitch` of it."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed

    async def changed(self) -> None:
        """See the protocol."""
        await self._followed.changed_here()


def digest_of(documents: Documents) -> str:
    """The same for the same documents on every node."""
    content = msgspec.json.encode([sorted(documents.agents.items()), sorted(documents.dialplans.items())])
    return hashlib.sha256(content).hexdigest()
