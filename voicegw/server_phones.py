"""Phones of a node between gateway and store: accounts that the API made, and bindings that survive a restart.

Belongs to the runtime's loop, but for :meth:`NodePhones.snapshot`. While the store is away phones register all the
same; what changed is written when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import msgspec

from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.personal import Personal
from voicegw.base.tasks import child_task
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.phone_config import PhoneAccount, PhonesConfig
from voicegw.gateway.phone_secret import read_secret
from voicegw.gateway.sip_leg import SipGateway
from voicegw.sip.address import Address, Transport
from voicegw.sip.bindings import Binding
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import Conflict, Refused, StoreUnavailable
from voicegw.storage.phones import Phone
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

OpenSecret = Callable[[str, bytes], str]
"""(id of the phone, what was sealed) to the text; raises LocalError."""
_AGAIN_S: Final = 2.0
_GATHER_S: Final = 0.5
_PAGE: Final = 500


class _Stored(msgspec.Struct, frozen=True):
    """A binding as it is kept; times are wall time, because monotonic time begins anew with the machine."""

    contact: str
    host: str
    port: int
    transport: str
    expires_wall: float
    call_id: str
    cseq: int
    q: int
    path: tuple[str, ...]
    instance: str
    reg_id: int
    user_agent: str
    node: str = ""
    """Of a cluster, which alone has the way to it; empty where every node has, or where there is one."""


class NodePhones:
    """Implements the API's ``Phones``."""

    def __init__(
        self,
        config: PhonesConfig,
        store: StoreConfig,
        gateway: SipGateway,
        clock: Clock,
        open_secret: OpenSecret | None,
        *,
        node: str = "",
    ) -> None:
        """``open_secret``: None where there is no API, and so no accounts in the store. Without a domain nothing is
        kept, until :meth:`use` says one. ``node``: the name of this one of several that have the same store."""
        self.domain = config.domain
        self.realm = config.policy.realm
        self._store_config = store
        self._gateway = gateway
        self._clock = clock
        self._open_secret = open_secret
        self._node = node
        self._states: dict[str, PhoneState] = {}
        self._changed: dict[str, tuple[Binding, ...]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._store: Store | None = None
        self._is_started = self._is_stale = False
        self.is_restored = False
        """Whether what is stored has been read."""
        self._turn = asyncio.Lock()
        self.on_accounts: Callable[[], None] = lambda: None
        """Told when the API of this node has stored other accounts, for the other nodes."""
        self.on_change: Callable[[PhoneState], None] = lambda _state: None
        """Called in the runtime's loop with everything that is new in ``snapshot``."""
        gateway.phones.listeners.append(self._note_state)
        gateway.registrar.keep = self._note_bindings

    def start(self) -> None:
        """Read what is stored, then write what changes; in the background."""
        self._is_started = True
        self.refresh()
        self._begin()

    def use(self, config: PhonesConfig) -> None:
        """Other settings, which the gateway has. Accounts of the store are read anew for another realm."""
        self._is_stale = self._is_stale or config.policy.realm != self.realm
        self.domain, self.realm = config.domain, config.policy.realm
        self._begin()
        if self._is_stale:
            self._wake.set()
        self.refresh()

    def _begin(self) -> None:
        if self._is_started and self._task is None and self.domain:
            self._task = child_task(self._run(), "phones")

    async def close(self) -> None:
        """Write what has not been written yet, if the store is there."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._store is not None:
            try:
                await self._write(self._store)
            except (StoreUnavailable, Refused) as error:
                log.warning("registrations of phones were not stored: %s", error)
            await self._store.close()

    # ------------------------------------------------------------ for the API

    def snapshot(self) -> Mapping[str, PhoneState]:
        """All phones by name. May be called from any thread: copying a dictionary of strings is one step."""
        return self._states.copy()

    async def accounts_changed(self) -> None:
        """The API has stored other accounts; raises StoreUnavailable."""
        self.on_accounts()
        await self.take_accounts()

    async def take_accounts(self) -> None:
        """Put in force what the store has, which this node or another one has changed; raises StoreUnavailable."""
        if self._store is not None:
            await self._take_accounts(self._store)

    # ------------------------------------------------------------ from the gateway

    def _note_state(self, state: PhoneState) -> None:
        self._states[state.name] = state
        self.on_change(state)

    def _note_bindings(self, name: str, bindings: tuple[Binding, ...]) -> None:
        self._changed[name] = bindings
        self._wake.set()

    def refresh(self) -> None:
        before = self._states
        self._states = {one.name: one for one in self._gateway.phones.snapshot(self._clock.monotonic())}
        for name, state in self._states.items():
            if before.get(name) != state:
                self.on_change(state)

    # ------------------------------------------------------------ the store

    async def _run(self) -> None:
        self._store = store = Store(self._store_config)
        await self._insist(self._read, store)
        while True:
            await self._wake.wait()
            await asyncio.sleep(_GATHER_S)
            self._wake.clear()
            if self._is_stale:
                self._is_stale = False
                await self._insist(self._take_accounts, store)
            await self._insist(self._write, store)

    async def _insist(self, work: Callable[[Store], Awaitable[None]], store: Store) -> None:
        """Until the store is there, however long that takes."""
        is_away = False
        while True:
            try:
                await work(store)
                return
            except (StoreUnavailable, Conflict) as error:
                if not is_away:
                    log.warning("phones wait for the store: %s", error)
                is_away = True
            except Refused as error:
                log.error("registrations of phones are not stored: %s", error)
                return
            await asyncio.sleep(_AGAIN_S)

    async def _read(self, store: Store) -> None:
        await store.start()
        await self._take_accounts(store)
        async with store.read() as unit:
            stored = await unit.bindings.all()
        for name, text in stored.items():
            if name not in self._changed:
                self._gateway.registrar.restore(name, self._revive(text))
        self.is_restored = True
        self.refresh()

    async def _take_accounts(self, store: Store) -> None:
        async with self._turn:  # of two readings the later one counts
            rows: list[Phone] = []
            async with store.read() as unit:
                while page := await unit.phones.page((rows[-1].name, rows[-1].id) if rows else None, _PAGE):
                    rows += page
            gone = self._gateway.phones.set_accounts(filter(None, map(self._account, rows)))
            self._gateway.registrar.forget(gone)
            self.refresh()

    def _account(self, row: Phone) -> PhoneAccount | None:
        if self._open_secret is None or row.secret_sealed is None or not row.enabled:
            return None
        try:
            ha1 = read_secret(self._open_secret(row.id, row.secret_sealed), self.realm)
        except LocalError as error:
            log.error("phone %s cannot register: %s", Personal(row.name), error)
            return None
        return PhoneAccount(row.name, ha1, row.display_name, row.owner)

    async def _write(self, store: Store) -> None:
        changed, self._changed = self._changed, {}
        if not changed:
            return
        texts = {name: self._text(bindings) if bindings else None for name, bindings in changed.items()}
        try:
            async with store.write() as unit:
                await unit.bindings.put(texts, round(self._clock.wall() * 1000))
        except (StoreUnavailable, Conflict, asyncio.CancelledError):
            self._changed = {**changed, **self._changed}
            raise

    def _text(self, bindings: Iterable[Binding]) -> str:
        skew = self._clock.wall() - self._clock.monotonic()
        stored = [
            _Stored(
                contact=one.contact,
                host=one.source.host,
                port=one.source.port,
                transport=one.source.transport.value,
                expires_wall=one.expires_at + skew,
                call_id=one.call_id,
                cseq=one.cseq,
                q=one.q,
                path=one.path,
                instance=one.instance,
                reg_id=one.reg_id,
                user_agent=one.user_agent,
                node="" if one.path else self._node,
            )
            for one in bindings
        ]
        return msgspec.json.encode(stored).decode()

    def _revive(self, text: str) -> list[Binding]:
        """Connections are gone after a restart: what came by one is reached again when it registers anew. What came
        to another node directly is that one's."""
        skew = self._clock.wall() - self._clock.monotonic()
        return [
            Binding(
                one.contact,
                Address(one.host, one.port, Transport(one.transport)),
                one.expires_wall - skew,
                one.call_id,
                one.cseq,
                one.q,
                one.path,
                one.instance,
                one.reg_id,
                one.user_agent,
            )
            for one in msgspec.json.decode(text, type=list[_Stored])
            if one.transport == Transport.UDP.value and (not self._node or one.node in ("", self._node))
        ]
