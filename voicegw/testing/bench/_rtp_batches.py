"""RTP streams in batches: many telephones on one socket that cost less than the server which they call.

All packets are rows of one array, sent with ``sendmmsg``, and replies are read with ``recvmmsg``; the kernel's
receive timestamps (SO_TIMESTAMPNS) keep the delays of whoever reads out of the figures.
"""

from __future__ import annotations

import ctypes
import socket
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voicegw.rtp.packet import write_plain
from voicegw.rtp.srtp import SrtpSender

_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_BUFFER_BYTES: Final = 16 * 1024 * 1024
_FRAME: Final = 160
SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
"""Of encrypted streams."""
_TAG: Final = 10
_RECEIVE_ROWS: Final = 1024
_MSG_DONTWAIT: Final = 0x40

_MMSGHDR: Final = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "len"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
_IOVEC: Final = np.dtype([("base", "u8"), ("len", "u8")])
_SOCKADDR: Final = np.dtype([("family", "<u2"), ("port", ">u2"), ("ip", ">u4"), ("zero", "u8")])

_libc: Any = ctypes.CDLL(None, use_errno=True)


class Talkers:
    """The packets of all streams and the system call structures that point at them."""

    def __init__(
        self,
        fd: int,
        ports: list[int],
        speech: tuple[NDArray[np.uint8], NDArray[np.int64]],
        speaking: int,
        sealer: SrtpSender | None,
        payload_type: int,
        step: int,
    ) -> None:
        count = len(ports)
        self._sealer = sealer
        self._fd = fd
        self._payloads, self._lengths = speech
        self._payload_type, self._step = payload_type, step
        self._speaking = speaking
        self._packets = np.zeros((count, 12 + _FRAME), np.uint8)
        self._packets[:, 12:] = self._payloads[-1]  # the last is silence
        self._sequence = np.zeros(count, np.int64)
        self._timestamp = np.zeros(count, np.int64)
        self._ssrc = np.arange(1, count + 1, dtype=np.int64)
        self._position = np.arange(count, dtype=np.int64) * 7919
        self._names = np.zeros(count, _SOCKADDR)
        self._names["family"] = socket.AF_INET
        self._names["port"] = ports
        self._names["ip"] = 0x7F000001
        # What goes over the wire: the packets, or what SRTP makes of them.
        self._wire = self._packets if sealer is None else np.zeros((count, 12 + _FRAME + _TAG), np.uint8)
        self._vectors = np.zeros(count, _IOVEC)
        self._vectors["base"] = self._wire.ctypes.data + np.arange(count) * self._wire.shape[1]
        self._vectors["len"] = self._wire.shape[1] - _FRAME + self._lengths[-1]
        self._messages = np.zeros(count, _MMSGHDR)
        self._messages["name"] = self._names.ctypes.data + np.arange(count) * _SOCKADDR.itemsize
        self._messages["namelen"] = _SOCKADDR.itemsize
        self._messages["iov"] = self._vectors.ctypes.data + np.arange(count) * _IOVEC.itemsize
        self._messages["iovlen"] = 1
        self.sent = 0

    def send(self, begin: int, end: int) -> None:
        """The next packet of streams ``begin`` to ``end``."""
        talkers = min(end, self._speaking)
        if begin < talkers:
            index = self._position[begin:talkers] % (len(self._lengths) - 1)
            self._packets[begin:talkers, 12:] = self._payloads[index]
            self._vectors["len"][begin:talkers] = self._wire.shape[1] - _FRAME + self._lengths[index]
            self._position[begin:talkers] += 1
        part = slice(begin, end)
        second = np.full(end - begin, self._payload_type, np.uint8)
        write_plain(self._packets[part], second, self._sequence[part], self._timestamp[part], self._ssrc[part])
        self._sequence[part] += 1
        self._timestamp[part] += self._step
        if self._sealer is not None:
            for row in range(begin, end):
                sealed = self._sealer.protect(self._packets[row].data)
                if sealed is not None:
                    self._wire[row] = np.frombuffer(sealed, np.uint8)
        first = self._messages.ctypes.data + begin * _MMSGHDR.itemsize
        done = _libc.sendmmsg(self._fd, ctypes.c_void_p(first), end - begin, 0)
        self.sent += max(0, done)


class Listener:
    """Reads packets and kernel timestamps in batches."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._packets = np.zeros((_RECEIVE_ROWS, 256), np.uint8)
        self._control = np.zeros((_RECEIVE_ROWS, 8), np.int64)
        self._vectors = np.zeros(_RECEIVE_ROWS, _IOVEC)
        self._vectors["base"] = self._packets.ctypes.data + np.arange(_RECEIVE_ROWS) * 256
        self._vectors["len"] = 256
        self._messages = np.zeros(_RECEIVE_ROWS, _MMSGHDR)
        self._messages["iov"] = self._vectors.ctypes.data + np.arange(_RECEIVE_ROWS) * _IOVEC.itemsize
        self._messages["iovlen"] = 1
        self._messages["control"] = self._control.ctypes.data + np.arange(_RECEIVE_ROWS) * 64
        self.batches: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []

    def read(self) -> None:
        """Everything that waits."""
        while True:
            self._messages["controllen"] = 64
            first = ctypes.c_void_p(self._messages.ctypes.data)
            count = _libc.recvmmsg(self._fd, first, _RECEIVE_ROWS, _MSG_DONTWAIT, None)
            if count <= 0:
                return
            head = np.ascontiguousarray(self._packets[:count, :12])
            # A control message is a 16-byte header (length, level and type), then seconds and nanoseconds.
            stamp = self._control[:count, 2] * 1_000_000_000 + self._control[:count, 3]
            ssrc = head.view(">u4")[:, 2].astype(np.int64)
            sequence = head.view(">u2")[:, 1].astype(np.int64)
            self.batches.append((ssrc, sequence, stamp))
            if count < _RECEIVE_ROWS:
                return


def open_socket() -> socket.socket:
    """A socket of the loopback with kernel timestamps and room for a second of all streams, if we may."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    return sock
