"""One connection that carries SIP: socket, TLS where there is some, messages, and the deadlines of a bad one."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voicegw.base.errors import RemoteProtocolError
from voicegw.gateway.byte_stream import ByteStream
from voicegw.gateway.stream_messages import MessageLayer
from voicegw.gateway.tls_layer import TlsLayer
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter
from voicegw.sip.framing import Fault

SETUP_S = 5.0
"""To connect, and for the handshakes of TLS and WebSocket."""
MESSAGE_S = 5.0
"""From the first byte of a message to its last."""
UNREAD_S = 10.0
"""The peer may leave what we sent unread for so long."""
FIRST_MESSAGE_S = 30.0
"""A connection opened by a peer that says nothing is of no use to anybody."""
LINGER_S = 2.0
"""After our last answer on a broken stream, so that the answer is read before the connection is gone."""
PING = b"\r\n\r\n"
MAX_UNSENT_BYTES = 1_048_576
MAX_WAITING = 64
"""Messages that wait for a connection to be set up."""


class Owner(Protocol):
    """Who has the connections; :class:`voicegw.gateway.connections.Connections`."""

    def arrived(self, data: bytes, connection: Connection) -> None:
        """A whole message, or a STUN packet."""
        ...

    def broken(self, fault: Fault, connection: Connection) -> None:
        """No more messages can be read; an answer may be sent before the connection is closed."""
        ...

    def gone(self, connection: Connection, error: Exception | None) -> None:
        """The connection has ended, not by ``close``; ``error`` None: the peer closed it in order."""
        ...


@dataclass(slots=True)
class _Times:
    """Since when, in monotonic seconds; None: not so now."""

    opened: float
    heard: float
    sent: float
    torn: float | None = None
    unread: float | None = None
    finishing: float | None = None


class Connection:
    """``peer`` is the far end with the flow that names this connection; ``is_ours`` tells who opened it."""

    def __init__(
        self,
        sock: socket.socket,
        peer: Address,
        layer: MessageLayer,
        tls: TlsLayer | None,
        owner: Owner,
        now: Callable[[], float],
        *,
        is_ours: bool,
        listener: int = 0,
    ) -> None:
        self.peer = peer
        self.is_ours = is_ours
        self.listener = listener
        """Which of our listeners it came to, as its place in the list of them."""
        self.destinations: set[Address] = set()
        """Under which addresses messages were sent here: all of them have failed when the connection fails."""
        self.is_up = False
        self.has_spoken = False
        """Whether a whole message has come."""
        self.may_be_alias = tls is not None and not is_ours and not peer.transport.is_web
        """Its first message may say that requests of ours can go by it (RFC 5923)."""
        self._layer = layer
        self._tls = tls
        self._owner = owner
        self._now = now
        self._stream = ByteStream(sock, self._receive, self._lost)
        self._waiting: deque[bytes] = deque()
        self._is_started = False
        self._times = _Times(opened=now(), heard=now(), sent=now())

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._stream.is_closed or self._times.finishing is not None

    @property
    def identities(self) -> frozenset[str]:
        """The names that the peer has proven by its certificate."""
        return self._tls.identities if self._tls is not None else frozenset()

    def open(self) -> None:
        """Begin with a socket that is connected."""
        self._stream.start()
        self._guarded(self._advance)

    def connect(self) -> None:
        """Begin with a socket that is not; what is sent meanwhile waits."""
        self._stream.connect(self.peer.place, lambda: self._guarded(self._begin))

    def send(self, data: bytes) -> bool:
        """Send one message, now or when the connection is up; false where nothing more may wait."""
        if not self.is_up:
            if len(self._waiting) >= MAX_WAITING:
                return False
            self._waiting.append(data)
            return True
        if self._stream.unsent > MAX_UNSENT_BYTES:
            return False
        self._guarded(lambda: self._put(data))
        return True

    def keep_alive(self, now: float, every_s: float) -> None:
        """Say that we are there after ``every_s`` of silence of ours, a little earlier for some, so that not all of
        them speak at once (RFC 5626 §4.4.1). What comes back is not waited for: not every peer knows this."""
        early = 0.2 * (self.peer.flow % 8) / 8
        is_due = now - self._times.sent >= every_s * (1 - early)
        if is_due and self.is_up and not self.is_closed and not self.peer.transport.is_web:
            self._guarded(lambda: self._put(PING))

    def finish(self) -> None:
        """Read no more, let the peer read what it was sent, then close."""
        if self._times.finishing is None:
            self._times.finishing = self._now()
            if not self._stream.unsent:
                self._stream.half_close()

    def close(self) -> None:
        """Close at once; nobody is told."""
        self._stream.close()

    def overdue(self, now: float, idle_s: float) -> SipCounter | None:
        """What is to be counted where a deadline has passed; the connection is then to be closed."""
        times = self._times
        times.unread = (times.unread or now) if self._stream.unsent else None
        if _passed(times.finishing, LINGER_S, now):
            return SipCounter.STREAM_BROKEN
        slow = (
            (not self.is_up and now - times.opened > SETUP_S)
            or _passed(times.torn, MESSAGE_S, now)
            or _passed(times.unread, UNREAD_S, now)
        )
        if slow:
            return SipCounter.STREAM_SLOW
        silent = not self.is_ours and not self.has_spoken and now - times.opened > FIRST_MESSAGE_S
        return SipCounter.STREAM_IDLE if silent or now - times.heard > idle_s else None

    # ---------------------------------------------------------------- inside

    def _begin(self) -> None:
        if self._tls is not None:
            self._tls.start()
        self._advance()

    def _advance(self) -> None:
        """Go on with the handshakes as far as possible; once they are over, send what waited."""
        if self._tls is None or self._tls.is_open:
            if not self._is_started:
                self._is_started = True
                self._layer.start()
            self.is_up = self._layer.is_open
        while self.is_up and self._waiting:
            self._layer.send(self._waiting.popleft())
            self._times.heard = self._now()
        self._push()

    def _put(self, data: bytes) -> None:
        self._times.heard = self._times.sent = self._now()
        self._layer.send(data)
        self._push()

    def _push(self) -> None:
        data = self._layer.data_to_send()
        if self._tls is not None:
            if data:
                self._tls.send(data)
            data = self._tls.data_to_send()
        self._stream.write(data)

    def _receive(self, data: bytes) -> None:
        if self._times.finishing is None:
            self._guarded(lambda: self._take(data))

    def _take(self, data: bytes) -> None:
        plain = data if self._tls is None else self._tls.receive(data)
        if self._tls is not None and not self.is_up:
            self._advance()
        messages = self._layer.receive(plain) if plain else []
        self._advance()
        self._note(messages)
        for message in messages:
            if self.is_closed:
                return
            self._owner.arrived(message, self)
        if self._layer.fault is not None and not self.is_closed:
            self._owner.broken(self._layer.fault, self)
        elif self._layer.ended or (self._tls is not None and self._tls.ended):
            self._lost(None)

    def _note(self, messages: list[bytes]) -> None:
        now = self._now()
        if messages:
            self.has_spoken = True
            self._times.heard = now
        if not self._layer.is_torn:
            self._times.torn = None
        elif messages or self._times.torn is None:
            self._times.torn = now

    def _guarded(self, work: Callable[[], None]) -> None:
        """A fault of TLS ends the connection after its alert, wherever it is noticed."""
        try:
            work()
        except RemoteProtocolError as error:
            if self._tls is not None:
                self._stream.write(self._tls.data_to_send())
            self._lost(error)

    def _lost(self, error: Exception | None) -> None:
        self.close()
        self._owner.gone(self, error)


def _passed(since: float | None, limit_s: float, now: float) -> bool:
    return since is not None and now - since > limit_s
