"""One running server: its parts in the order of their start, and the way it empties and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from voicegw.agents.agent import Agent
from voicegw.base.clock import Clock, SystemClock
from voicegw.base.metrics import Counters
from voicegw.gateway.hep_config import HepConfig
from voicegw.runtime.audiosocket_signalling import AudioSocketDoor
from voicegw.runtime.call_manager import CallManager
from voicegw.runtime.dialplan_store import DialplanStore
from voicegw.runtime.drain import DrainOrder
from voicegw.runtime.drainer import Drainer
from voicegw.runtime.speech import Speech
from voicegw.storage.node_files import NodeFiles
from voicegw.telemetry.config import OtlpConfig

log = logging.getLogger(__name__)

LAST_WORDS_S = 3.0
"""After the last BYE: until the media worker has told the calls their statistics and the records are closed."""


class Gateway(Protocol):
    """What a node needs of the SIP gateway besides what calls need."""

    def start(self) -> object:
        """Open the socket and return its address."""
        ...

    def drain(self) -> None:
        """Refuse new calls."""
        ...

    async def withdraw(self) -> None:
        """Take our registrations back; calls of ours still go by the same trunks."""
        ...

    async def resume(self) -> None:
        """Take new calls, and register again."""
        ...

    def reload_certificates(self) -> None:
        """Use new certificate files from the next handshake on."""
        ...

    def admits(self) -> bool:
        """Whether the next INVITE would come through; any thread may ask."""
        ...

    def gauges(self) -> dict[str, float]:
        """Levels for metrics; any thread may ask."""
        ...

    async def leave(self) -> None:
        """Tell those who would call us that we are gone; may be called twice."""
        ...

    def close(self) -> None:
        """End what is left and close the socket."""
        ...


class Media(Protocol):
    """What a node needs of the media client besides what calls need."""

    async def start(self) -> None:
        """Start the worker."""
        ...

    async def close(self) -> None:
        """Stop the worker."""
        ...


class Models(Protocol):
    """Language models and tools; :class:`voicegw.server_llm.LlmParts`."""

    async def start(self) -> None:
        """Open what is needed."""
        ...

    async def prepare(self, agents: Iterable[Agent]) -> None:
        """Get ready for what these agents will ask; what is down is a warning."""
        ...

    async def close(self) -> None:
        """Let tools end, then close everything."""
        ...


class Closable(Protocol):
    """Something that is closed at the end."""

    async def close(self) -> None:
        """Close it."""
        ...


class Mirror(Closable, Protocol):
    """Who shows a copy of the signalling to others."""

    async def use(self, config: HepConfig, /) -> None:
        """Show it to somebody else, or to nobody; LocalError where that cannot be."""
        ...


class Traces(Closable, Protocol):
    """Who shows traces of calls to others."""

    async def use(self, config: OtlpConfig, key: bytes, /) -> None:
        """Show those of calls that begin from now on to somebody else, or to nobody; ConfigError where that cannot
        be."""
        ...


class CallLog(Protocol):
    """Where the facts are written."""

    def flush(self) -> None:
        """Wait until everything appended so far is on disk."""
        ...

    def close(self) -> None:
        """Write what is queued and stop."""
        ...


class _Doors:
    """All ways in as one: a node that is emptied has none that is open."""

    def __init__(self, gateway: Gateway, audiosocket: AudioSocketDoor | None) -> None:
        self._gateway = gateway
        self._audiosocket = audiosocket

    def drain(self) -> None:
        self._gateway.drain()
        if self._audiosocket is not None:
            self._audiosocket.drain()

    async def withdraw(self) -> None:
        await self._gateway.withdraw()

    async def resume(self) -> None:
        if self._audiosocket is not None:
            self._audiosocket.resume()
        await self._gateway.resume()


class Node:
    """Starts, reloads, drains and stops. Every part is handed in."""

    def __init__(
        self,
        gateway: Gateway,
        media: Media,
        speech: Speech,
        models: Models,
        manager: CallManager,
        store: DialplanStore,
        counters: Counters,
        closables: tuple[Closable, ...],
        call_log: CallLog,
        clock: Clock | None = None,
        levels: Iterable[Callable[[], dict[str, float]]] = (),
        audiosocket: AudioSocketDoor | None = None,
        homer: Mirror | None = None,
        traces: Traces | None = None,
        files: NodeFiles | None = None,
    ) -> None:
        """``levels``: further gauges; any thread may ask for them. ``audiosocket``: a second way in for calls.
        ``homer`` and ``traces`` are closed with the node. ``files``: what is kept of calls beside the store."""
        self.gateway = gateway
        self.media = media
        self.speech = speech
        self.models = models
        self.manager = manager
        self.store = store
        self.counters = counters
        self._closables = (*closables, *filter(None, (traces, homer)))
        self.homer = homer
        self.traces = traces
        self.files = files
        self.call_log = call_log
        self.drainer = Drainer(_Doors(gateway, audiosocket), manager, clock or SystemClock(), counters)
        self._levels = tuple(levels)
        self.audiosocket = audiosocket
        self._preparing: set[asyncio.Task[None]] = set()
        self.address: object = None

    async def start(self) -> None:
        """The workers first, all at once, and the SIP socket last: who answers must be able to talk."""
        starts = await asyncio.gather(self.speech.start(), self.media.start(), return_exceptions=True)
        for failure in filter(None, starts):
            raise failure
        await self.models.start()
        await self._prepare()
        if self.audiosocket is not None:
            await self.audiosocket.start()
        self.address = self.gateway.start()
        log.info("voicegw answers", extra={"address": str(self.address)})

    def reload(self) -> None:
        """Take the files anew; on any error everything stays as it was. New models are made in the background."""
        if self.store.reload() is None:
            self.prepare()

    def prepare(self) -> None:
        """Make models for the agents in force, in the background."""
        preparing = asyncio.create_task(self._prepare())
        self._preparing.add(preparing)
        preparing.add_done_callback(self._preparing.discard)

    async def _prepare(self) -> None:
        installation = self.store.current
        agents = list(installation.agents.values())
        speaking = [*agents, *installation.announcers]
        await asyncio.gather(self.speech.prepare(speaking), self.models.prepare(agents))

    @property
    def admits(self) -> bool:
        """Whether a new call would be taken now; any thread may ask."""
        return self.manager.has_room and self.gateway.admits()

    def gauges(self) -> dict[str, float]:
        """Levels for metrics; any thread may ask."""
        found = {"calls_active": float(self.manager.active), **self.drainer.gauges(), **self.gateway.gauges()}
        for levels in self._levels:
            found |= levels()
        return found

    def flush_log(self) -> None:
        """Wait until every fact known so far is on disk."""
        self.call_log.flush()

    async def drain(self, patience_s: float) -> None:
        """No new calls; running ones may finish for ``patience_s`` seconds, then are told goodbye."""
        self.drainer.order(DrainOrder(patience_s, stop=True))
        await self.drainer.wait_stop()

    async def close(self) -> None:
        """Stop everything, in the opposite order of the start."""
        await self.drainer.close()
        await self.gateway.leave()
        self.gateway.close()
        if self.audiosocket is not None:
            await self.audiosocket.close()
        for preparing in self._preparing:
            preparing.cancel()
        if not await self._idle_within(LAST_WORDS_S):
            log.error("records are left open", extra={"calls": self.manager.active})
        await self.media.close()
        await self.speech.close()
        await self.models.close()
        for closable in self._closables:
            await closable.close()
        self.call_log.close()

    async def _idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.manager.wait_idle()
        except TimeoutError:
            return False
        return True
