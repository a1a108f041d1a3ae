"""Browsers that supervise: all their connections, in the event loop of the API.

A connection gets into a call only by way of the mode routes: the call dials it as it dials a telephone, see
:mod:`voicegw.runtime.browser_legs`. When it is lost, its leg ends, and whoever it had taken over is with the agent
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping

from voicegw.api.bridge import Bridge
from voicegw.api.browser_config import BrowserAudioConfig
from voicegw.api.browser_connection import Connection
from voicegw.api.browser_ports import IceAccount, MakePeer, Peer, PeerEvents
from voicegw.api.browser_session import SessionTimes
from voicegw.api.control import Refused
from voicegw.base.causes import HangupCause
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId, RandomBytes
from voicegw.base.installing import pip_install
from voicegw.base.metrics import Counters
from voicegw.runtime.browser_legs import BrowserLegs

log = logging.getLogger(__name__)


class BrowserAudio:
    """All connections of a node; what each of them tells the calls goes over the bridge."""

    def __init__(
        self,
        config: BrowserAudioConfig,
        legs: BrowserLegs,
        bridge: Bridge,
        clock: Clock,
        random: RandomBytes,
        counters: Counters,
        servers: tuple[IceAccount, ...] = (),
        make_peer: MakePeer | None = None,
    ) -> None:
        """``bridge``: into the loop of the calls, where ``legs`` lives. ``servers``: with their passwords."""
        self.use(config, servers)
        self._legs = legs
        self._bridge = bridge
        self._clock = clock
        self._random = random
        self._counters = counters
        self._make_peer = make_peer or (lambda events: _aiortc_peer(self.servers, events))
        self._connections: dict[str, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, config: BrowserAudioConfig, servers: tuple[IceAccount, ...]) -> None:
        """For browsers that connect from now on."""
        self.servers = servers
        self._config = config
        self._times = SessionTimes(config.idle_s, config.answer_s, config.lost_s)

    async def connect(self, uri: str, offer: str, may: Callable[[], Awaitable[bool]]) -> str:
        """Answer a browser's offer; from now on calls can dial it as ``uri``. An older connection gives way.

        ``may``: whether its supervisor still may take part. Raises Refused, LocalError and RemoteProtocolError.
        """
        if (older := self._connections.get(uri)) is not None:
            older.leave()
        if len(self._connections) >= self._config.max_connections:
            raise Refused(f"{len(self._connections)} browsers are connected already")
        connection = Connection(uri, self, self._times, may, self._clock, self._random, self._make_peer)
        self._connections[uri] = connection
        answer = await connection.open(offer)
        await self._bridge.run(self._legs.plug(uri, connection))
        self._counters.add("browser_connections")
        return answer

    async def close(self) -> None:
        """The API stops."""
        for connection in list(self._connections.values()):
            connection.leave()
        while self._tasks:
            await asyncio.wait(self._tasks)

    # ------------------------------------------------------------ what connections tell

    def answered(self, leg_id: LegId, port: int) -> None:
        """The leg is up."""
        self._spawn(self._tell(self._legs.answered(leg_id, port)))

    def ended(self, leg_id: LegId, cause: HangupCause) -> None:
        """The leg has ended."""
        log.info("a browser's leg ended", extra={"leg_id": leg_id, "cause": cause.name})
        self._counters.add("browser_legs_ended")
        self._spawn(self._tell(self._legs.ended(leg_id, cause)))

    def over(self, connection: Connection) -> None:
        """Nobody needs it any more."""
        if self._connections.get(connection.uri) is connection:
            del self._connections[connection.uri]
        self._spawn(self._tell(self._legs.unplug(connection.uri, connection)))
        self._spawn(connection.shut())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="browser audio")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, work: Coroutine[None, None, None]) -> None:
        """In the order of the calls of :meth:`_spawn`: both loops are queues."""
        try:
            await self._bridge.run(work)
        except Refused as refused:
            log.info("a call was not told of its browser: %s", refused)


def ice_accounts(config: BrowserAudioConfig, environment: Mapping[str, str]) -> tuple[IceAccount, ...]:
    """The servers with their passwords; raises ConfigError."""
    return tuple(IceAccount(one.url, one.username, one.credential(environment)) for one in config.ice_servers)


def _aiortc_peer(servers: tuple[IceAccount, ...], events: PeerEvents) -> Peer:
    try:
        from voicegw.api.browser_peer import BrowserPeer
    except ImportError as error:
        raise LocalError(f"audio in the browser needs {error.name}: {pip_install('voicegw[webrtc]')}") from None
    return BrowserPeer(servers, events)
