"""Bytes of a stream to SIP messages (RFC 3261 §7.5, §18.3): what one read brings may be half a message or twenty.

The head ends where :mod:`voicegw.sip.parser` sees it end, and Content-Length says how much follows. A stream whose
next message cannot be found is broken for good: whoever guesses where it goes on lets a peer hide one message in
another. So a fault is final; the connection is closed after an answer, where one is possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.parser import content_length
from voicegw.sip.stun import HEADER_BYTES, is_stun, message_bytes

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 262_144
PING: Final = b"\r\n\r\n"
"""What a client sends to keep a connection open, and to learn whether it is (RFC 5626 §3.5.1)."""
PONG: Final = b"\r\n"
"""The answer to it, and half of it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why nothing more can be read. ``head`` may be answered with ``status``; it is empty where nothing can."""

    why: str
    status: int = 400
    head: bytes = b""


class StreamFramer:
    """One direction of one connection. ``feed`` takes bytes as they come and returns whole messages, in order."""

    def __init__(self, max_head: int = MAX_HEAD_BYTES, max_body: int = MAX_BODY_BYTES) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._buffer = bytearray()
        self._searched = 0
        """No end of the head begins before this: a head that comes byte by byte is not searched anew each time."""
        self._needed = 0
        """Size of the message at the front once its head is known, else 0."""
        self.fault: Fault | None = None
        self.pings = 0
        """Keep-alives that came and wait for their pong; the owner answers and sets it to 0."""
        self._half_ping = False

    @property
    def is_torn(self) -> bool:
        """Whether a part of a message waits for the rest."""
        return len(self._buffer) > 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what a read brought; nothing more comes out once ``fault`` is set."""
        if self.fault is not None:
            return []
        self._buffer += data
        messages: list[bytes] = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except _Broken as broken:
            self.fault = broken.fault
            self._buffer.clear()
        return messages

    def _next(self) -> bytes | None:
        if not self._needed:
            self._skip_line_breaks()
            if not self._buffer:
                return None
            self._needed = self._measure_stun() if is_stun(self._buffer) else self._measure()
        if not self._needed or len(self._buffer) < self._needed:
            return None
        message = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._needed = self._searched = 0
        return message

    def _skip_line_breaks(self) -> None:
        """§7.5 allows them before a message; two in a row, however they were torn, are a ping (RFC 5626 §4.4.1)."""
        skipped = 0
        while True:
            if self._buffer.startswith(PONG, skipped):
                skipped += 2
                self.pings += self._half_ping
                self._half_ping = not self._half_ping
            elif self._buffer.startswith(b"\n", skipped):
                skipped += 1
            else:
                break
        del self._buffer[:skipped]
        if self._buffer and self._buffer != b"\r":
            self._half_ping = False

    def _measure_stun(self) -> int:
        if len(self._buffer) < HEADER_BYTES:
            return 0
        try:
            return message_bytes(self._buffer)
        except RemoteProtocolError as error:
            raise _Broken(Fault(str(error))) from error

    def _measure(self) -> int:
        """The size of the message at the front; 0 while its head is not complete."""
        newline = self._buffer.find(b"\n", 0, self._max_head)
        if newline < 0:
            return self._wait_for_head()
        end_mark = PING if newline > 0 and self._buffer[newline - 1] == 13 else b"\n\n"
        end = self._buffer.find(end_mark, max(0, self._searched - len(end_mark) + 1), self._max_head)
        if end < 0:
            self._searched = len(self._buffer)
            return self._wait_for_head()
        head = bytes(self._buffer[: end + len(end_mark)])
        return len(head) + self._body_length(head)

    def _wait_for_head(self) -> int:
        if len(self._buffer) >= self._max_head:
            raise _Broken(Fault("the head has no end", 513))
        return 0

    def _body_length(self, head: bytes) -> int:
        try:
            length = content_length(head)
        except RemoteProtocolError as error:
            raise _Broken(Fault(str(error), 400, head)) from error
        if length is None:
            # §20.14: a stream needs it. Without it nobody knows where the next message begins.
            raise _Broken(Fault("no Content-Length on a stream", 400, head))
        if length > self._max_body:
            raise _Broken(Fault(f"a body of {length} bytes", 513, head))
        return length


class _Broken(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.why)
        self.fault = fault
