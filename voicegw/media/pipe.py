"""Our end of the socket to the media worker, on the running event loop.

It is woken fifty times a second as long as anybody speaks: there is no task to switch to, no future and no timer a
read, only a callback. What is written in one turn of the loop leaves in one system call.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

_READ_BYTES: Final = 256 * 1024


class Pipe:
    """Bytes in and out of a stream socket. Neither direction blocks, raises or needs an await."""

    def __init__(self, sock: socket.socket) -> None:
        """``sock`` is made non-blocking, and is ours to close."""
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()
        self._flushing = False
        """Somebody will call :meth:`_flush`: the loop, in its next turn or when the socket takes more."""
        self._blocked = False
        self._open = True

    def listen(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        """Hand all that comes to ``on_data``, and the reason why no more will, once, to ``on_end``."""
        self._loop.add_reader(self._sock, self._read, on_data, on_end)

    def write(self, data: bytes) -> None:
        """Send ``data`` after what was written before; dropped if the other end is gone."""
        if not self._open:
            return
        self._unsent += data
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Send what the socket takes now, and close it."""
        if not self._open:
            return
        if not self._blocked:
            self._flush()
        self._open = False
        self._loop.remove_writer(self._sock)
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _read(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._loop.remove_reader(self._sock)
            on_end(f"its socket failed: {error}")
            return
        if data:
            on_data(data)
        else:
            self._loop.remove_reader(self._sock)
            on_end("the process ended")

    def _flush(self) -> None:
        if not self._open:
            return
        try:
            while self._unsent:
                sent = self._sock.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            if not self._blocked:
                self._blocked = True
                self._loop.add_writer(self._sock, self._flush)
            return
        except OSError:
            self._unsent.clear()  # the reading side notices the end and says why
        self._flushing = False
        if self._blocked:
            self._blocked = False
            self._loop.remove_writer(self._sock)
