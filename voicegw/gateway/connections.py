"""All connections that carry SIP: which one a message takes, when one is opened, and when one is given up.

What a peer sends names its connection (``Address.flow``), and answers and requests of the dialog go back by it (RFC
3261 §18.2.2, RFC 5923). Where it is gone, or there was none, a connection to the address is used or opened.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from voicegw.base.errors import ConfigError, RemoteProtocolError, VoicegwError
from voicegw.base.metrics import Counters
from voicegw.gateway.connection import Connection
from voicegw.gateway.connection_reuse import alias_of
from voicegw.gateway.stream_messages import MessageLayer
from voicegw.gateway.tls_layer import TlsLayer
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter
from voicegw.sip.failures import subscriber
from voicegw.sip.framing import Fault

log = logging.getLogger(__name__)

SWEEP_S = 1.0
_MAX_DESTINATIONS = 64


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections may take of us; part of the SIP section."""

    total: int = 500
    """Connections at once, in both directions; each needs a file descriptor."""
    per_address: int = 50
    """Connections at once from one address, or the /64 of one IPv6 subscriber: a PBX needs a few, phones behind one
    NAT one each."""
    idle_s: float = 3600.0
    """After so long without a message either way a connection is closed. Longer than a session timer's refresh
    (``session_expires_s``), or quiet calls would lose the way to phones behind NAT."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name in ("total", "per_address", "idle_s"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="at least 1")


class Dialler(Protocol):
    """Makes what a connection of ours needs; :class:`voicegw.gateway.sip_wire.SipWire`."""

    def dial(self, destination: Address) -> tuple[socket.socket, MessageLayer, TlsLayer | None]:
        """A socket that is not connected yet, and its layers; OSError or VoicegwError where there can be none."""
        ...


class Receiver(Protocol):
    """Who is told what happens; :class:`voicegw.gateway.sip_driver.SipDriver`."""

    def received(self, data: bytes, source: Address) -> None:
        """A message, or a STUN packet."""
        ...

    def broken(self, fault: Fault, source: Address) -> None:
        """A stream ends; what is answered to ``fault.head`` is still sent."""
        ...

    def failed(self, destination: Address) -> None:
        """What was sent there since the last answer may not have arrived."""
        ...


class Connections:
    """``first_flow`` is the first name of a connection; smaller ones are UDP sockets'."""

    def __init__(
        self,
        limits: ConnectionLimits,
        dialler: Dialler,
        receiver: Receiver,
        counters: Counters,
        now: Callable[[], float],
        first_flow: int,
    ) -> None:
        self.limits = limits
        self._dialler = dialler
        self._receiver = receiver
        self._counters = counters
        self._now = now
        self._last_flow = first_flow - 1
        self._by_flow: dict[int, Connection] = {}
        self._by_place: dict[Address, Connection] = {}
        self._from_host: Counter[str] = Counter()
        self._sweeping: asyncio.TimerHandle | None = None
        self._aliases: dict[Address, Connection] = {}
        self.keep_alives: Mapping[str, float] = {}
        """How often connections of ours to these hosts are kept alive, in seconds (RFC 5626 §3.5.1)."""
        self.on_gone: Callable[[Address], None] = lambda _peer: None
        """Told of every connection that a peer had opened and that is no more."""
        self.on_trouble: Callable[[Address, Exception], None] = lambda _peer, _error: None
        """Told why a connection could not be made, or broke."""

    def __len__(self) -> int:
        return len(self._by_flow)

    def flow_to(self, place: Address) -> int:
        """The name of the connection by which requests to this place go; 0 without one."""
        connection = self._standing(place._replace(flow=0))
        return 0 if connection is None or connection.is_closed else connection.peer.flow

    def by_flow(self, flow: int) -> Connection | None:
        """The connection of this name while it lives."""
        return self._by_flow.get(flow)

    # ---------------------------------------------------------------- from outside

    def accept(
        self, sock: socket.socket, peer: Address, layers: tuple[MessageLayer, TlsLayer | None], listener: int
    ) -> None:
        """Take a connection that a peer opened, or close it where there are too many."""
        if self._from_host[subscriber(peer.host)] >= self.limits.per_address or not self._make_room():
            self._counters.add(SipCounter.CONNECTION_REFUSED)
            sock.close()
            return
        self._counters.add(SipCounter.CONNECTIONS_IN)
        self._from_host[subscriber(peer.host)] += 1
        connection = self._add(sock, peer, layers, is_ours=False, listener=listener)
        connection.open()

    def _make_room(self) -> bool:
        """When all are taken, one that has never brought a message goes: a phone counts more than a port scan."""
        if len(self._by_flow) < self.limits.total:
            return True
        unproven = next((one for one in self._by_flow.values() if not one.is_ours and not one.has_spoken), None)
        if unproven is not None:
            self._counters.add(SipCounter.STREAM_IDLE)
            self._drop(unproven)
        return unproven is not None

    # ---------------------------------------------------------------- out

    def send(self, data: bytes, destination: Address) -> None:
        """Send by the connection that the address names, else by one to its place, which is opened if need be."""
        connection = self._by_flow.get(destination.flow) or self._standing(destination._replace(flow=0))
        if connection is None or connection.is_closed:
            connection = self._connect(destination)
        if connection is None:
            self._soon_failed(destination)
        elif not connection.send(data):
            self._counters.add(SipCounter.SEND_DROPPED)
            self._soon_failed(destination)
        else:
            self._counters.add(SipCounter.SENT)
            if len(connection.destinations) < _MAX_DESTINATIONS:
                connection.destinations.add(destination)

    def _standing(self, place: Address) -> Connection | None:
        """A connection of ours to a place, or one of the peer's that may be used for it (RFC 5923 §8.2)."""
        ours = self._by_place.get(place)
        if ours is not None or not place.name or not self._aliases:
            return ours
        alias = self._aliases.get(place._replace(name=""))
        proven = alias is not None and not alias.is_closed and place.name.lower() in alias.identities
        return alias if proven else None

    def _connect(self, destination: Address) -> Connection | None:
        place = destination._replace(flow=0)
        if destination.flow and destination.transport.is_web:
            return None  # a browser listens nowhere: with its connection gone, so is the way there (RFC 7118)
        if len(self._by_flow) >= self.limits.total:
            self._counters.add(SipCounter.CONNECTION_REFUSED)
            return None
        try:
            sock, layer, tls = self._dialler.dial(place)
        except (OSError, VoicegwError) as error:
            self._counters.add(SipCounter.CONNECT_FAILED)
            log.warning("no connection to %s: %s", destination, error)
            self.on_trouble(place, error)
            return None
        self._counters.add(SipCounter.CONNECTIONS_OUT)
        connection = self._add(sock, place, (layer, tls), is_ours=True)
        self._by_place[place] = connection
        connection.connect()
        return connection

    def _soon_failed(self, destination: Address) -> None:
        """Never from within a command of the user agent."""
        asyncio.get_running_loop().call_soon(self._receiver.failed, destination)

    def taken(self) -> set[tuple[str, int]]:
        """Who has connections that they opened, and to which listener."""
        return {(one.peer.host, one.listener) for one in self._by_flow.values() if not one.is_ours}

    def close_from(self, host: str, listener: int | None = None) -> None:
        """Close what an address had opened, to all listeners or to one, soon: it may be one of these that the
        reason came by."""
        theirs = (one for one in self._by_flow.values() if not one.is_ours and one.peer.host == host)
        unwanted = [one for one in theirs if listener is None or one.listener == listener]
        for connection in unwanted:
            asyncio.get_running_loop().call_soon(self._drop, connection)

    # ---------------------------------------------------------------- what connections tell

    def arrived(self, data: bytes, connection: Connection) -> None:
        """See :class:`voicegw.gateway.connection.Owner`."""
        if connection.may_be_alias:
            connection.may_be_alias = False
            if (place := alias_of(data, connection.peer)) is not None:
                self._aliases[place] = connection
        self._receiver.received(data, connection.peer)

    def broken(self, fault: Fault, connection: Connection) -> None:
        """See :class:`voicegw.gateway.connection.Owner`."""
        self._counters.add(SipCounter.STREAM_BROKEN)
        log.info("stream of %s ends: %s", connection.peer, fault.why)
        self._receiver.broken(fault, connection.peer)
        connection.finish()

    def gone(self, connection: Connection, error: Exception | None) -> None:
        """See :class:`voicegw.gateway.connection.Owner`."""
        if error is not None:
            self._counters.add(_counter_of(connection, error))
            log.info("connection with %s ends: %s", connection.peer, error)
            self.on_trouble(connection.peer._replace(flow=0), error)
        self._drop(connection)

    # ---------------------------------------------------------------- life

    def close(self) -> None:
        """Close all of them; nobody is told."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in self._by_flow.values():
            connection.close()
        self._by_flow.clear()
        self._by_place.clear()
        self._aliases.clear()
        self._from_host.clear()

    def _add(
        self,
        sock: socket.socket,
        peer: Address,
        layers: tuple[MessageLayer, TlsLayer | None],
        *,
        is_ours: bool,
        listener: int = 0,
    ) -> Connection:
        self._last_flow += 1
        named = peer._replace(flow=self._last_flow)
        connection = Connection(
            sock, named, layers[0], layers[1], self, self._now, is_ours=is_ours, listener=listener
        )
        self._by_flow[self._last_flow] = connection
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return connection

    def _drop(self, connection: Connection) -> None:
        """Forget a connection and tell whoever waits for something by it."""
        connection.close()
        if self._by_flow.pop(connection.peer.flow, None) is None:
            return
        if connection.is_ours:
            place = connection.peer._replace(flow=0)
            if self._by_place.get(place) is connection:
                del self._by_place[place]
        else:
            for place in [place for place, alias in self._aliases.items() if alias is connection]:
                del self._aliases[place]
            source = subscriber(connection.peer.host)
            self._from_host[source] -= 1
            if not self._from_host[source]:
                del self._from_host[source]
            asyncio.get_running_loop().call_soon(self.on_gone, connection.peer)
        for destination in connection.destinations:
            self._soon_failed(destination)

    def _sweep(self) -> None:
        now = self._now()
        for connection in list(self._by_flow.values()):
            counter = connection.overdue(now, self.limits.idle_s)
            if counter is not None:
                if counter is not SipCounter.STREAM_BROKEN:  # that one has been counted
                    self._counters.add(counter)
                self._drop(connection)
            elif connection.is_ours and (every_s := self.keep_alives.get(connection.peer.host)):
                connection.keep_alive(now, every_s)
        again = bool(self._by_flow)
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if again else None


def _counter_of(connection: Connection, error: Exception) -> SipCounter:
    if isinstance(error, RemoteProtocolError):
        return SipCounter.HANDSHAKE_FAILED
    return SipCounter.CONNECTION_LOST if connection.is_up else SipCounter.CONNECT_FAILED
