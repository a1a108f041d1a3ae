"""A TCP socket that listens for SIP; what comes in is handed on as it is accepted."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter

log = logging.getLogger(__name__)

BACKLOG = 256
ACCEPTS_PER_TURN = 32
"""Then other callbacks of the loop get their turn."""
PAUSE_S = 0.5
"""After an error that the next attempt would meet again, such as too many open files."""


class StreamListener:
    """``accepted`` gets each connected socket and the address of its far end."""

    def __init__(
        self, listen: Address, accepted: Callable[[socket.socket, Address], None], counters: Counters
    ) -> None:
        self._listen = listen
        self._accepted = accepted
        self._counters = counters
        self._socket: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None

    def open(self) -> Address:
        """Bind, begin to listen, and return the bound address; LocalError if it is taken or not ours."""
        family = socket.AF_INET6 if ":" in self._listen.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(self._listen.place)
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            kind = self._listen.transport.value
            raise LocalError(f"cannot listen for SIP on {kind} {self._listen}: {error.strerror}") from error
        self._socket = sock
        self._watch()
        self._listen = self._listen._replace(port=sock.getsockname()[1])
        return self._listen

    def close(self) -> None:
        """Accept nothing more."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _watch(self) -> None:
        self._pause = None
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if self._socket is None:
                return
            try:
                sock, place = self._socket.accept()
            except (BlockingIOError, ConnectionError, InterruptedError):
                return
            except OSError as error:
                self._rest(error)
                return
            self._accepted(sock, Address(place[0], place[1], self._listen.transport))

    def _rest(self, error: OSError) -> None:
        """Not to spin on a socket that stays readable."""
        self._counters.add(SipCounter.CONNECTION_REFUSED)
        log.error("no connection can be accepted: %s", error)
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.remove_reader(self._socket)
        self._pause = loop.call_later(PAUSE_S, self._watch)
