"""One connected TCP socket: bytes in, bytes out, and one end.

A raw non-blocking socket under the event loop's own readiness callbacks, as for UDP: commands act at once, nothing
waits in a task, and what a slow reader leaves unread is counted here and not hidden in another buffer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

READ_BYTES = 65_536
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY)
_KEEPALIVE_IDLE_S = 60
_KEEPALIVE_TRIES = 3
_UNACKNOWLEDGED_MS = 30_000
"""A peer that is gone without a word is noticed: after four minutes when idle, after this with something unsent."""


class ByteStream:
    """``receive`` gets what was read; ``lost`` is called once, with the error or with None for an orderly end.

    Neither is called from within a command, nor after ``close``.
    """

    def __init__(
        self, sock: socket.socket, receive: Callable[[bytes], None], lost: Callable[[OSError | None], None]
    ) -> None:
        self._socket = sock
        self._receive = receive
        self._lost = lost
        self._unsent = bytearray()
        self._connected: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self.is_closed = False
        _prepare(sock)

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not made room for."""
        return len(self._unsent)

    def start(self) -> None:
        """Begin to read a socket that is connected."""
        self._loop.add_reader(self._socket, self._readable)

    def connect(self, place: tuple[str, int], connected: Callable[[], None]) -> None:
        """Connect; then ``connected`` is called and reading begins, or ``lost`` is."""
        self._connected = connected
        try:
            self._socket.connect(place)
        except BlockingIOError:
            pass
        except OSError as error:
            self._loop.call_soon(self._end, error)
            return
        self._loop.add_writer(self._socket, self._writable)

    def write(self, data: bytes) -> None:
        """Send, behind what waits already."""
        if self.is_closed or not data:
            return
        waits = len(self._unsent) > 0 or self._connected is not None
        self._unsent += data
        if not waits:
            self._flush()

    def close(self) -> None:
        """Close at once; what is unsent is given up."""
        if self.is_closed:
            return
        self.is_closed = True
        self._unsent.clear()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def half_close(self) -> None:
        """Say that nothing more will be sent; what the peer sends meanwhile is still read."""
        if not self.is_closed:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._loop.call_soon(self._end, error)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if data:
            self._receive(data)
        else:
            self._end(None)

    def _writable(self) -> None:
        if self._connected is not None:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._end(OSError(code, "cannot connect"))
                return
            connected, self._connected = self._connected, None
            self._loop.remove_writer(self._socket)
            self.start()
            connected()
        if not self.is_closed:
            self._flush()

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._unsent) if self._unsent else 0
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._loop.call_soon(self._end, error)
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._socket, self._writable)
        else:
            self._loop.remove_writer(self._socket)

    def _end(self, error: OSError | None) -> None:
        if not self.is_closed:
            self.close()
            self._lost(error)


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(*_NO_DELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_TRIES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
