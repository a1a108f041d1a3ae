"""AudioSocket connections as legs: listeners, admission, and what a call says to such a leg."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from uuid import UUID

from voicegw.base.causes import HangupCause
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId, RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.audiosocket.announcements import Announcement, Announcements
from voicegw.gateway.audiosocket.config import AudioSocketConfig, AudioSocketListener
from voicegw.gateway.audiosocket.connection import Connection
from voicegw.gateway.audiosocket.sound import Sound
from voicegw.gateway.events import LegConfirmed, LegEnded, LegEvent, LegInfo, LegInvited
from voicegw.gateway.loopback import LOOPBACK
from voicegw.gateway.worker_line import Pcm, WorkerLine
from voicegw.sdp.codec_choice import PCMU
from voicegw.sdp.negotiate import MediaSession

log = logging.getLogger(__name__)

REFUSED = "audiosocket_connections_refused"
_KEEP_ALIVE_S = 1.0
_KEY_MS = 100


class _Leg:
    """A connection that has said its name. ``answered``: the agent has taken the call."""

    def __init__(self, leg_id: LegId, connection: Connection, line: WorkerLine, now: float) -> None:
        self.leg_id = leg_id
        self.connection = connection
        self.line = line
        self.sound = Sound(line, now)
        self.answered = False
        self.cause: HangupCause | None = None
        """Why we ended it, if it was us."""


class AudioSocketLegs:
    """All listeners and their calls. Everything here lives in the event loop of the calls."""

    def __init__(
        self,
        config: AudioSocketConfig,
        on_event: Callable[[LegEvent], None],
        random: RandomBytes,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._config = config
        self._report = on_event
        self._random = random
        self._clock = clock
        self._counters = counters
        self._announcements = Announcements(config.announced_s)
        self._connections: dict[Connection, AudioSocketListener] = {}
        self._legs: dict[LegId, _Leg] = {}
        self._by_connection: dict[Connection, _Leg] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._beat: asyncio.TimerHandle | None = None
        self._draining = False
        self.addresses: tuple[tuple[str, int], ...] = ()
        """Where we listen, in the order of the configuration."""

    # ------------------------------------------------------------ the whole

    async def start(self) -> None:
        """Listen; raises LocalError for a port that cannot be had."""
        loop = asyncio.get_running_loop()
        for index, listener in enumerate(self._config.listeners):
            try:
                server = await loop.create_server(partial(self._new, index), listener.ip, listener.port)
            except OSError as error:
                await self.close()
                raise LocalError(
                    f"audiosocket cannot listen on {listener.ip}:{listener.port}: {error.strerror}"
                ) from None
            self._servers.append(server)
        self.addresses = tuple(server.sockets[0].getsockname()[:2] for server in self._servers)
        log.info("audiosocket listens", extra={"addresses": [f"{host}:{port}" for host, port in self.addresses]})
        self._beat = loop.call_later(_KEEP_ALIVE_S, self._keep_alive)

    def use(self, config: AudioSocketConfig) -> None:
        """Who may connect, how many, and what they call, from now on; the listeners are the same ones."""
        self._config = config
        self._announcements.good_s = config.announced_s

    def drain(self) -> None:
        """New connections are hung up on from now on."""
        self._draining = True

    def resume(self) -> None:
        """They are taken again."""
        self._draining = False

    async def close(self) -> None:
        """End what is left and stop listening."""
        self.drain()
        if self._beat is not None:
            self._beat.cancel()
        for server in self._servers:
            server.close()
        for leg_id in list(self._legs):
            self.hangup(leg_id, HangupCause.DRAINING)
        for connection in list(self._connections):
            connection.close()
        for task in self._opening:
            task.cancel()

    def gauges(self) -> dict[str, float]:
        """Levels for metrics; any thread may ask."""
        return {"audiosocket_connections": float(len(self._connections))}

    def announce(self, uuid: UUID, announcement: Announcement) -> None:
        """A connection of this name will come: this is its call. Raises LocalError for one too many."""
        self._announcements.add(uuid, announcement, self._clock.monotonic())

    def owns(self, leg_id: LegId) -> bool:
        """Whether a leg is one of ours."""
        return leg_id in self._legs

    # ------------------------------------------------------------ what a call says to its leg

    def accept(self, leg_id: LegId, worker_port: int) -> MediaSession:
        """The agent takes the call: audio goes both ways from now on. LegConfirmed follows."""
        leg = self._legs[leg_id]
        leg.line.connect(worker_port)
        leg.answered = True
        asyncio.get_running_loop().call_soon(self._confirm, leg)
        return MediaSession(LOOPBACK, leg.line.port, PCMU.name, PCMU.payload_type, PCMU.payload_type)

    def move_media(self, leg_id: LegId, worker_port: int) -> None:
        """Another media worker has the call."""
        self._legs[leg_id].line.connect(worker_port)

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """End the connection. LegEnded follows."""
        leg = self._legs[leg_id]
        leg.cause = leg.cause or cause
        leg.connection.close()

    def far_host(self, leg_id: LegId) -> str:
        """Where the connection comes from."""
        return self._legs[leg_id].connection.peer.rpartition(":")[0].strip("[]")

    def _confirm(self, leg: _Leg) -> None:
        if leg.leg_id in self._legs:
            self._report(LegConfirmed(leg.leg_id))

    # ------------------------------------------------------------ connections

    def _new(self, index: int) -> Connection:
        connection = Connection(self, self._counters, self._config.id_s)
        self._connections[connection] = self._config.listeners[index]
        return connection

    def came(self, connection: Connection) -> None:
        """See :class:`~voicegw.gateway.audiosocket.connection.Owner`. Who may not connect keeps no descriptor."""
        host = ip_address(connection.peer.rpartition(":")[0].strip("[]"))
        if not any(host in network for network in self._connections[connection].networks):
            self._refuse(connection, "the address may not connect: see allow of the listener")
        elif len(self._connections) > self._config.max_connections:
            self._refuse(connection, "the server takes no more calls")

    def named(self, connection: Connection, uuid: UUID) -> None:
        """See :class:`~voicegw.gateway.audiosocket.connection.Owner`."""
        listener = self._connections[connection]
        if self._draining:
            self._refuse(connection, "the server takes no more calls")
        else:
            task = child_task(self._open(connection, listener, uuid), "audiosocket call", connection.close)
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _refuse(self, connection: Connection, why: str) -> None:
        self._counters.add(REFUSED)
        log.warning("audiosocket: refused, %s", why, extra={"peer": connection.peer})
        connection.close()

    async def _open(self, connection: Connection, listener: AudioSocketListener, uuid: UUID) -> None:
        def play(pcm: Pcm) -> None:
            connection.send_audio(pcm.astype("<i2").tobytes())

        try:
            line = await WorkerLine.open(play, self._random)
        except LocalError as error:
            self._refuse(connection, str(error))
            return
        if connection not in self._connections:  # it hung up meanwhile
            line.close()
            return
        now = self._clock.monotonic()
        leg = _Leg(LegId(token(self._random, 16)), connection, line, now)
        self._legs[leg.leg_id] = self._by_connection[connection] = leg
        self._counters.add("audiosocket_calls")
        said = self._announcements.take(uuid, now)
        invited = LegInvited(
            leg_id=leg.leg_id,
            called=said.called or listener.called,
            calling=said.calling,
            display_name=said.display_name,
            headers=said.headers,
            sip_call_id=str(uuid),
            has_offer=True,
        )
        self._report(invited)

    def heard(self, connection: Connection, pcm: bytes) -> None:
        """See :class:`~voicegw.gateway.audiosocket.connection.Owner`."""
        leg = self._by_connection.get(connection)
        if leg is not None and leg.answered:
            leg.sound.take(pcm, self._clock.monotonic())

    def pressed(self, connection: Connection, key: str) -> None:
        """See :class:`~voicegw.gateway.audiosocket.connection.Owner`."""
        leg = self._by_connection.get(connection)
        if leg is not None and leg.answered:
            body = f"Signal={key}\r\nDuration={_KEY_MS}\r\n".encode()
            self._report(LegInfo(leg.leg_id, "application/dtmf-relay", body))

    def ended(self, connection: Connection, fault: str) -> None:
        """See :class:`~voicegw.gateway.audiosocket.connection.Owner`."""
        self._connections.pop(connection, None)
        leg = self._by_connection.pop(connection, None)
        if leg is None:
            return
        leg.line.close()
        self._legs.pop(leg.leg_id, None)
        self._report(LegEnded(leg.leg_id, _cause(leg, fault), reason_text=fault))

    def _keep_alive(self) -> None:
        now = self._clock.monotonic()
        for leg in self._legs.values():
            if leg.answered:
                leg.sound.keep_alive(now)
        self._beat = asyncio.get_running_loop().call_later(_KEEP_ALIVE_S, self._keep_alive)


def _cause(leg: _Leg, fault: str) -> HangupCause:
    if leg.cause is not None:
        return leg.cause
    if fault:
        return HangupCause.PEER_ERROR
    return HangupCause.CALLER_HANGUP if leg.answered else HangupCause.CALLER_CANCELLED
