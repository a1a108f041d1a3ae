"""One UDP socket with one reader and one writer, which nothing that arrives can end.

A raw non-blocking socket under the event loop's own readiness callbacks: an asyncio datagram transport closes
itself for good on some errors, and this one is reopened instead. One reader and one writer keep 180 before 200.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.sip.address import Address, Transport
from voicegw.sip.counters import SipCounter

log = logging.getLogger(__name__)

MAX_DATAGRAM_BYTES = 65_535
READS_PER_TURN = 64
"""Then other callbacks of the loop get their turn."""
MAX_UNSENT = 4096
"""Datagrams kept while the socket's own buffer is full; more are dropped, as UDP may."""
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
REOPEN_S = 0.5
"""Pause between attempts to open the socket again."""


class SipTransport:
    """``receive`` gets each datagram; ``failed`` gets the destination of one that the kernel refused to send."""

    def __init__(
        self,
        listen: Address,
        receive: Callable[[bytes, Address], None],
        failed: Callable[[Address], None],
        counters: Counters,
        *,
        flow: int = 0,
    ) -> None:
        """``flow`` names this socket among several, so that answers leave by the one that was asked."""
        self._listen = listen
        self._flow = flow
        self._receive = receive
        self._failed = failed
        self._counters = counters
        self._socket: socket.socket | None = None
        self._unsent: deque[tuple[bytes, Address]] = deque()
        self._reopening: asyncio.TimerHandle | None = None
        self._left_some = False
        """A reading ended with more to read."""
        self._emptied = False
        """A reading ended because there was no more."""

    @property
    def address(self) -> Address:
        """Where it listens, or is going to."""
        return self._listen

    def open(self) -> Address:
        """Bind, start to read, and return the bound address; LocalError if it is taken or not ours."""
        try:
            self._socket = self._bind()
        except OSError as error:
            raise LocalError(f"cannot listen for SIP on UDP {self._listen}: {error.strerror}") from error
        name = self._socket.getsockname()
        self._listen = Address(name[0], name[1])
        return self._listen

    def close(self) -> None:
        """Stop; nothing is read or sent any more."""
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        self._drop_socket()

    def send(self, data: bytes, destination: Address) -> None:
        """Send, behind whatever waits already."""
        if self._socket is None:
            self._counters.add(SipCounter.SEND_DROPPED)
        elif self._unsent:
            self._keep(data, destination)
        elif not self._try_send(self._socket, data, destination):
            self._keep(data, destination)
            asyncio.get_running_loop().add_writer(self._socket, self._writable)

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._listen.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(self._listen.place)
            asyncio.get_running_loop().add_reader(sock, self._readable)
        except OSError:
            sock.close()
            raise
        return sock

    def _readable(self) -> None:
        for _ in range(READS_PER_TURN):
            sock = self._socket
            if sock is None:
                return
            try:
                data, source = sock.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                self._emptied = True
                return
            except ConnectionError:
                continue  # an ICMP error for something sent before; says nothing about this socket
            except OSError as error:
                self._reopen(error)
                return
            self._receive(data, Address(source[0], source[1], Transport.UDP, self._flow))
        self._left_some = True

    def take_backlog(self) -> bool:
        """Whether the socket was never read empty since this was asked last, though there was something to read."""
        backlogged = self._left_some and not self._emptied
        self._left_some = self._emptied = False
        return backlogged

    def _writable(self) -> None:
        sock = self._socket
        while sock is not None and self._unsent:
            if not self._try_send(sock, *self._unsent[0]):
                return
            self._unsent.popleft()
        if sock is not None:
            asyncio.get_running_loop().remove_writer(sock)

    def _try_send(self, sock: socket.socket, data: bytes, destination: Address) -> bool:
        """False only while the socket's buffer is full."""
        try:
            sock.sendto(data, destination.place)
        except BlockingIOError:
            return False
        except OSError as error:
            self._counters.add(SipCounter.TRANSPORT_ERROR)
            log.debug("cannot send to %s: %s", destination, error)
            asyncio.get_running_loop().call_soon(self._failed, destination)
        else:
            self._counters.add(SipCounter.SENT)
        return True

    def _keep(self, data: bytes, destination: Address) -> None:
        if len(self._unsent) < MAX_UNSENT:
            self._unsent.append((data, destination))
        else:
            self._counters.add(SipCounter.SEND_DROPPED)

    def _reopen(self, error: OSError) -> None:
        log.warning("SIP socket failed, opening it again: %s", error)
        self._drop_socket()
        self._try_open()

    def _try_open(self) -> None:
        self._reopening = None
        try:
            self._socket = self._bind()
        except OSError as error:
            log.error("SIP socket still closed: %s", error)
            self._reopening = asyncio.get_running_loop().call_later(REOPEN_S, self._try_open)
        else:
            self._counters.add(SipCounter.SOCKET_REOPENED)

    def _drop_socket(self) -> None:
        self._unsent.clear()
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
