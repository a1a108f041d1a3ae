"""A bad network between two programs: a UDP relay that loses, delays, reorders and doubles by the model.

It stands before a server: what a peer sends to the relay's port goes to the server, and answers go back to whoever
sent last. One thread, started by ``with``; the socket pair of each direction has a path of its own.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from voicegw.testing.impairment import ImpairedPath, Impairment

_LARGEST: Final = 2048
_IDLE_S: Final = 0.05


@dataclass(slots=True)
class Way:
    """What one direction has seen. ``began_at``: when its first packet came, in monotonic seconds."""

    received: int = 0
    lost: int = 0
    """Packets that the model took away."""
    began_at: float = 0.0


class ImpairmentRelay:
    """``listen`` and ``target`` are (IP, port); port 0 takes a free one, :attr:`port` says which."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int], impairment: Impairment, seed: int) -> None:
        self._near = _bound(listen)
        self._far = _bound((listen[0], 0))
        self._target = target
        self._peer: tuple[str, int] | None = None
        self._paths = {self._near: ImpairedPath(impairment, seed), self._far: ImpairedPath(impairment, seed + 1)}
        self._waiting: list[tuple[float, int, socket.socket, bytes]] = []
        self._count = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="impairment relay")
        self.there, self.back = Way(), Way()
        """Towards ``target``, and back to the peer."""
        self.delivered = 0
        """Copies that were sent on, in both directions."""
        self.held_up_s = 0.0
        """The longest time for which a busy machine let packets wait, besides what the model wants."""

    @property
    def port(self) -> int:
        """Where peers send to."""
        return int(self._near.getsockname()[1])

    @property
    def far_port(self) -> int:
        """Where the server gets everything from, and answers to."""
        return int(self._far.getsockname()[1])

    @property
    def peer(self) -> tuple[str, int] | None:
        """Who sent last; None before anybody did."""
        return self._peer

    @property
    def received(self) -> int:
        """Packets of both directions."""
        return self.there.received + self.back.received

    @property
    def lost(self) -> int:
        """Packets of both directions that the model took away."""
        return self.there.lost + self.back.lost

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            for sock in (self._near, self._far):
                ready.register(sock, selectors.EVENT_READ)
            while not self._ended.is_set():
                began = time.monotonic()
                wait = self._waiting[0][0] - began if self._waiting else _IDLE_S
                wait = max(0.0, min(wait, _IDLE_S))
                for key, _ in ready.select(wait):
                    assert isinstance(key.fileobj, socket.socket)
                    self._take(key.fileobj)
                self._deliver(time.monotonic())
                self.held_up_s = max(self.held_up_s, time.monotonic() - began - wait)

    def _take(self, sock: socket.socket) -> None:
        try:
            data, source = sock.recvfrom(_LARGEST)
        except OSError:  # a port unreachable of the other side
            return
        now = time.monotonic()
        way = self.back
        if sock is self._near:
            self._peer, way = source, self.there
        way.began_at = way.began_at or now
        way.received += 1
        arrivals = self._paths[sock].arrivals(now)
        way.lost += not arrivals
        for arrival in arrivals:
            self._count += 1
            heapq.heappush(self._waiting, (arrival, self._count, sock, data))

    def _deliver(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, _, came_by, data = heapq.heappop(self._waiting)
            out, target = (self._far, self._target) if came_by is self._near else (self._near, self._peer)
            if target is not None:
                self.delivered += 1
                out.sendto(data, target)


def _bound(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind(address)
    return sock
