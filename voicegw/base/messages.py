"""Framing of messages between our own processes: a 4-byte big-endian length, then one msgpack value.

Senders and receivers are both ours and on one machine, so the limit only guards against a broken peer.
"""

from __future__ import annotations

import struct

from voicegw.base.errors import LocalError

MAX_FRAME_BYTES = 16 * 1024 * 1024
_LENGTH = struct.Struct(">I")


def frame(payload: bytes) -> bytes:
    """One payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Cuts a byte stream back into payloads; keeps what is torn until the rest arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes and return every payload that is now whole."""
        if not self._buffer:
            payloads, taken = _cut(data)
            self._buffer += data[taken:]
        else:
            self._buffer += data
            payloads, taken = _cut(self._buffer)
            del self._buffer[:taken]
        return payloads


def _cut(data: bytes | bytearray) -> tuple[list[bytes], int]:
    """Every whole payload at the beginning of ``data``, and how many bytes they take with their lengths."""
    payloads: list[bytes] = []
    start = 0
    while len(data) - start >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(data, start)
        if length > MAX_FRAME_BYTES:
            raise LocalError(f"frame of {length} bytes exceeds {MAX_FRAME_BYTES}")
        end = start + _LENGTH.size + length
        if end > len(data):
            break
        payloads.append(bytes(data[start + _LENGTH.size : end]))
        start = end
    return payloads, start
