"""Calls that talk while something else goes on: RTP both ways, and what came of it, by sequence numbers.

One thread sends and receives for all of them; arrival times are the kernel's (SO_TIMESTAMPNS), so that a late
thread is not taken for a late packet.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from typing import Final, Self

import numpy as np

_SO_TIMESTAMPNS: Final = 35
_HEADER: Final = struct.Struct("!BBHII")
_FRAME_S: Final = 0.02
_SILENCE: Final = bytes([0xFF]) * 160


@dataclass(frozen=True, slots=True)
class Heard:
    """What the callers heard: packets, those that never came, and each one's distance from its 20 ms grid."""

    packets: int
    lost: int
    jitter_p99_ms: float
    worst_ms: float


class Talkers:
    """``count`` sockets on loopback; ``start`` gives each its far end."""

    def __init__(self, count: int) -> None:
        self._sockets = []
        for _ in range(count):
            endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            endpoint.bind(("127.0.0.1", 0))
            endpoint.setblocking(False)
            endpoint.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._sockets.append(endpoint)
        self._came: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        self._remotes: list[tuple[str, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="talkers", daemon=True)

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return [int(endpoint.getsockname()[1]) for endpoint in self._sockets]

    def start(self, remotes: list[tuple[str, int]]) -> None:
        """Talk."""
        self._remotes = remotes
        self._thread.start()

    def heard(self, since: float, until: float) -> Heard:
        """What came between two moments of ``time.time()``."""
        packets = lost = 0
        offsets = [np.zeros(1)]
        for came in self._came:
            part = [(sequence, at) for sequence, at in list(came) if since <= at < until]
            if len(part) < 2:
                continue
            sequence, at = np.array(part, np.float64).T
            sequence = np.unwrap(sequence, period=65536)
            packets += len(part)
            lost += int(sequence.max() - sequence.min()) + 1 - len(np.unique(sequence))
            grid = at * 1000 - sequence * 20
            offsets.append(np.abs(grid - np.median(grid)))
        jitter = np.concatenate(offsets)
        return Heard(packets, lost, round(float(np.percentile(jitter, 99)), 2), round(float(jitter.max()), 1))

    def _run(self) -> None:
        selector = DefaultSelector()
        for number, endpoint in enumerate(self._sockets):
            selector.register(endpoint, EVENT_READ, number)
        due, turn = time.monotonic(), 0
        while not self._stop.is_set():
            left = due - time.monotonic()
            if left <= 0:
                for endpoint, remote in zip(self._sockets, self._remotes, strict=True):
                    header = _HEADER.pack(0x80, 0, turn & 0xFFFF, turn * 160 & 0xFFFFFFFF, remote[1])
                    endpoint.sendto(header + _SILENCE, remote)
                turn += 1
                due += _FRAME_S
                continue
            for key, _ in selector.select(left):
                self._read(self._sockets[key.data], self._came[key.data])
        selector.close()

    def _read(self, endpoint: socket.socket, came: list[tuple[int, float]]) -> None:
        try:
            data, control, _flags, _source = endpoint.recvmsg(2048, 64)
        except OSError:  # a port that is not open yet, or not any more
            return
        if len(data) > _HEADER.size and data[0] >> 6 == 2:
            seconds, nanoseconds = struct.unpack_from("qq", control[0][2])
            came.append((int.from_bytes(data[2:4], "big"), seconds + nanoseconds / 1e9))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for endpoint in self._sockets:
            endpoint.close()
