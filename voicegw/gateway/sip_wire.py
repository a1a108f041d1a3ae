"""All sockets that carry SIP: what comes in by any of them, and by which of them a message goes out."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.gateway.access import AccessList
from voicegw.gateway.connections import ConnectionLimits, Connections, Receiver
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.local_addresses import LocalAddresses, route_source
from voicegw.gateway.sip_transport import SipTransport
from voicegw.gateway.stream_listener import StreamListener
from voicegw.gateway.stream_messages import MessageLayer, SipStream
from voicegw.gateway.tls_config import ServerContext, TlsClients, TlsClientSettings
from voicegw.gateway.tls_layer import TlsLayer
from voicegw.gateway.web_socket import calling_web_socket, serving_web_socket
from voicegw.sip.address import Address, Transport, is_literal
from voicegw.sip.counters import SipCounter

_SAME_PORT_TRIES = 20


@dataclass(slots=True)
class _Listening:
    """One listener while it is open."""

    config: ListenerConfig
    addresses: LocalAddresses
    own: LocalAddresses
    bound: Address
    access: AccessList
    udp: SipTransport | None = None
    stream: StreamListener | None = None
    context: ServerContext | None = None

    def has_family_of(self, peer: Address) -> bool:
        return _is_v6(self.config.ip) == _is_v6(peer.host)

    def reaches(self, peer: Address, transport: Transport) -> bool:
        return self.config.kind is transport and self.has_family_of(peer)


class SipWire:
    """``receiver`` is told what happens, never from within a command of its own."""

    def __init__(
        self,
        listeners: Sequence[ListenerConfig],
        limits: ConnectionLimits,
        tls_client: TlsClientSettings,
        receiver: Receiver,
        counters: Counters,
        now: Callable[[], float],
    ) -> None:
        self._receiver = receiver
        self._counters = counters
        self._now = now
        self._listeners = [_listening(config) for config in listeners]
        self._has_lists = not all(one.access.is_open for one in self._listeners)
        self._several_udp = sum(config.kind is Transport.UDP for config in listeners) > 1
        self._chosen: dict[tuple[bool, Transport], _Listening] = {}
        self.tls_clients = TlsClients(tls_client)
        """How we connect by TLS, by the name that is dialled."""
        self.turns_away: Callable[[Address], bool] = lambda _peer: False
        """Whose connections are closed as they are accepted, before a handshake costs anything."""
        self.connections = Connections(limits, self, receiver, counters, now, first_flow=len(listeners) + 1)

    # ---------------------------------------------------------------- life

    def open(self) -> Address:
        """Open every listener and return the address of the first; LocalError if one cannot be had."""
        for attempt in range(1, _SAME_PORT_TRIES + 1):
            try:
                for index, one in enumerate(self._listeners):
                    self._open(index, one)
                break
            except LocalError:
                self._close_listeners()
                if attempt == _SAME_PORT_TRIES or not self._shares_a_free_port:
                    raise
        return self._listeners[0].bound

    @property
    def _shares_a_free_port(self) -> bool:
        """Tests take any port, the same one for UDP and TCP; another program may have the second of the two."""
        return all(one.config.port == 0 for one in self._listeners)

    def _open(self, index: int, one: _Listening) -> None:
        address = one.config.address
        if index and self._shares_a_free_port and one.config.kind is Transport.TCP:
            address = address._replace(port=self._listeners[0].bound.port)
        if one.config.kind is Transport.UDP:
            flow = index + 1 if self._several_udp else 0
            one.udp = SipTransport(
                address, self._receiver.received, self._receiver.failed, self._counters, flow=flow
            )
            one.bound = one.udp.open()
        else:
            if one.config.tls is not None:
                one.context = ServerContext(one.config.tls, self._counters)
            one.stream = StreamListener(
                address, lambda sock, peer: self._accepted(sock, peer, index), self._counters
            )
            one.bound = one.stream.open()
        one.addresses, one.own = _addresses_of(one.config, one.bound)

    def close(self) -> None:
        """Close everything at once."""
        self._close_listeners()
        self.connections.close()

    def _close_listeners(self) -> None:
        for one in self._listeners:
            if one.udp is not None:
                one.udp.close()
            if one.stream is not None:
                one.stream.close()

    def reload_certificates(self) -> None:
        """Read all certificates anew, for handshakes from now on; those that cannot be used stay as they were."""
        self.tls_clients.reload()
        for one in self._listeners:
            if one.context is not None:
                one.context.reload()

    def use(self, listeners: Sequence[ListenerConfig], limits: ConnectionLimits, tls: TlsClientSettings) -> None:
        """Who may send to each listener, what it is called, how it speaks TLS, and what connections may take, from
        now on. The sockets stay: there are as many ``listeners`` as before, in the same order.

        Connections of those who are denied now end, whatever goes by them.
        """
        self.connections.limits = limits
        self.tls_clients.default = tls
        for one, config in zip(self._listeners, listeners, strict=True):
            if (one.config.allow, one.config.deny) != (config.allow, config.deny):
                one.access = AccessList(config.allow, config.deny)
            if _called(one.config) != _called(config):
                one.addresses, one.own = _addresses_of(config, one.bound)
            if one.context is not None and config.tls is not None:
                one.context.use(config.tls)
            one.config = config
        self._has_lists = not all(one.access.is_open for one in self._listeners)
        for host, index in self.connections.taken():
            if self._listeners[index].access.denies(host):
                self.connections.close_from(host, index)

    # ---------------------------------------------------------------- messages

    def send(self, data: bytes, destination: Address) -> None:
        """Send by what the address names; the receiver is told later where it could not be."""
        if destination.transport.is_reliable:
            self.connections.send(data, destination)
            return
        udp = self._listener(destination).udp
        if udp is not None:
            udp.send(data, destination)

    def denies(self, source: Address) -> bool:
        """Whether a datagram's sender may not send to the listener that it came to; counted."""
        if (
            not self._has_lists
            or source.transport.is_reliable
            or not self._listener(source).access.denies(source.host)
        ):
            return False
        self._counters.add(SipCounter.GUARD_DENIED)
        return True

    def take_backlog(self) -> bool:
        """Whether a UDP socket was not read empty since this was asked last; see ``SipTransport``. Asks all."""
        backlogs = [one.udp is not None and one.udp.take_backlog() for one in self._listeners]
        return any(backlogs)

    def dial(self, destination: Address) -> tuple[socket.socket, MessageLayer, TlsLayer | None]:
        """See :class:`voicegw.gateway.connections.Dialler`."""
        tls: TlsLayer | None = None
        if destination.transport.is_secure:
            name = destination.name or destination.host
            settings, context = self.tls_clients.settings(name), self.tls_clients.context(name)
            asked = "" if is_literal(name) else name
            tls = TlsLayer(context, is_server=False, server_name=asked, prove=name if settings.verify else "")
        layer: MessageLayer = calling_web_socket(destination) if destination.transport.is_web else SipStream()
        family = socket.AF_INET6 if _is_v6(destination.host) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        ours = self._listener(destination).config.ip
        if _is_v6(ours) == _is_v6(destination.host) and not ipaddress.ip_address(ours).is_unspecified:
            try:
                sock.bind((ours, 0))  # peers that know us by our address see that one
            except OSError:
                sock.close()
                raise
        return sock, layer, tls

    def _accepted(self, sock: socket.socket, peer: Address, index: int) -> None:
        one = self._listeners[index]
        if one.access.denies(peer.host):
            self._counters.add(SipCounter.GUARD_DENIED)
            sock.close()
            return
        if self.turns_away(peer):
            sock.close()
            return
        tls = None if one.context is None else TlsLayer(one.context.current(self._now()), is_server=True)
        layer = serving_web_socket(one.config.origins) if one.config.kind.is_web else SipStream()
        self.connections.accept(sock, peer, (layer, tls), index)

    # ---------------------------------------------------------------- addresses

    def local_address(self, peer: Address) -> Address:
        """How ``peer`` reaches us, for Via and Contact."""
        return self._listener(peer).addresses(peer)

    def media_host(self, peer: Address) -> str:
        """Our IP address as ``peer`` sees it."""
        one = self._listener(peer)
        return one.addresses.ip(peer) if one.has_family_of(peer) else route_source(peer.host)

    def own_host(self, peer: Address) -> str:
        """The address of this machine on the way to ``peer``: what a socket can be bound to."""
        one = self._listener(peer)
        return one.own.ip(peer) if one.has_family_of(peer) else route_source(peer.host)

    def forget_addresses(self) -> None:
        """The network has changed: ask the routing table again."""
        for one in self._listeners:
            one.addresses.forget()

    def identities(self, peer: Address) -> frozenset[str]:
        """The names that the far end of ``peer``'s connection has proven by its certificate."""
        connection = self.connections.by_flow(peer.flow)
        return connection.identities if connection is not None else frozenset()

    def transports(self) -> tuple[Transport, ...]:
        """By which a request of ours can go: datagrams where we have a socket for them, connections always."""
        has_udp = any(one.config.kind is Transport.UDP for one in self._listeners)
        return tuple(transport for transport in Transport if has_udp or transport.is_reliable)

    def families(self) -> set[bool]:
        """Of addresses that we have a socket for: whether each is IPv6."""
        return {_is_v6(one.config.ip) for one in self._listeners}

    @property
    def bound(self) -> tuple[Address, ...]:
        """Where we listen, in the order of the configuration."""
        return tuple(one.bound for one in self._listeners)

    def _listener(self, peer: Address) -> _Listening:
        """The listener that ``peer`` came to, else the one that goes best with its transport and family."""
        if peer.flow:
            if peer.flow <= len(self._listeners):
                return self._listeners[peer.flow - 1]
            connection = self.connections.by_flow(peer.flow)
            if connection is not None and not connection.is_ours:
                return self._listeners[connection.listener]
        key = (_is_v6(peer.host), peer.transport)
        if key not in self._chosen:
            self._chosen[key] = self._choose(peer)
        return self._chosen[key]

    def _choose(self, peer: Address) -> _Listening:
        second = Transport.TCP if peer.transport.is_reliable else Transport.UDP
        for transport in (peer.transport, second, Transport.UDP):
            for one in self._listeners:
                if one.reaches(peer, transport):
                    return one
        return self._listeners[0]


def _listening(config: ListenerConfig) -> _Listening:
    access = AccessList(config.allow, config.deny)
    return _Listening(config, *_addresses_of(config, config.address), config.address, access)


def _called(config: ListenerConfig) -> tuple[str, str, int]:
    """How peers are told of it."""
    return config.advertised_ip, config.advertised_name, config.advertised_port


def _addresses_of(config: ListenerConfig, bound: Address) -> tuple[LocalAddresses, LocalAddresses]:
    told = LocalAddresses(bound, config.advertised_ip, name=config.advertised_name, port=config.advertised_port)
    return told, LocalAddresses(bound)


def _is_v6(host: str) -> bool:
    return ":" in host
