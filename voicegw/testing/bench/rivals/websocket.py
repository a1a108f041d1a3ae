"""As much of a WebSocket client (RFC 6455) as a telephone network's media stream needs: text both ways, no I/O."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from voicegw.base.errors import RemoteError

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_HEADER_END: Final = b"\r\n\r\n"


class Opcode(IntEnum):
    """RFC 6455 §5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class Message:
    """One frame that came in whole."""

    opcode: Opcode
    payload: bytes


def request(host: str, path: str, nonce: bytes) -> bytes:
    """The opening handshake (§4.1); ``nonce`` is 16 random bytes."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(nonce).decode()}",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join(lines).encode() + _HEADER_END


def encode(opcode: Opcode, payload: bytes, mask: bytes) -> bytes:
    """A client's frame, masked with four random bytes (§5.3)."""
    length = len(payload)
    if length < _LENGTH_16:
        head = bytes([_FINAL | opcode, _MASKED | length])
    elif length < 1 << 16:
        head = bytes([_FINAL | opcode, _MASKED | _LENGTH_16]) + length.to_bytes(2, "big")
    else:
        head = bytes([_FINAL | opcode, _MASKED | _LENGTH_64]) + length.to_bytes(8, "big")
    stream = (mask * (length // 4 + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + mask + masked.to_bytes(length, "big")


class Receiver:
    """Takes a server's bytes as they come and yields its frames. A server's frames are never masked."""

    def __init__(self, nonce: bytes) -> None:
        """``nonce`` is the one of the :func:`request`."""
        digest = hashlib.sha1(base64.b64encode(nonce) + _GUID, usedforsecurity=False).digest()
        self._accept = base64.b64encode(digest)
        self._data = bytearray()
        self.open = False

    def feed(self, data: bytes) -> list[Message]:
        """The frames that are complete now; raises RemoteError when the server does not accept the handshake."""
        self._data += data
        if not self.open and not self._open():
            return []
        messages: list[Message] = []
        while (message := self._take()) is not None:
            messages.append(message)
        return messages

    def _open(self) -> bool:
        head, end, rest = bytes(self._data).partition(_HEADER_END)
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101") or self._accept not in head:
            raise RemoteError(f"no WebSocket: {head[:80].decode(errors='replace')}")
        self._data = bytearray(rest)
        self.open = True
        return True

    def _take(self) -> Message | None:
        if len(self._data) < 2:
            return None
        length, start = self._data[1] & 0x7F, 2
        if length in (_LENGTH_16, _LENGTH_64):
            start += 2 if length == _LENGTH_16 else 8
            if len(self._data) < start:
                return None
            length = int.from_bytes(self._data[2:start], "big")
        if len(self._data) < start + length:
            return None
        message = Message(Opcode(self._data[0] & 0x0F), bytes(self._data[start : start + length]))
        del self._data[: start + length]
        return message
