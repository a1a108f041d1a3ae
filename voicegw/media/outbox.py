"""Events on their way to the gateway: bounded, and never waited for."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from voicegw.base.messages import frame
from voicegw.base.metrics import Counters
from voicegw.media.messages import AudioBatch, Event, encode


class Outbox:
    """What the gateway has not read yet.

    When it does not read, audio is dropped first: the recogniser's loss is nothing against that of an event. Events
    themselves are dropped only at twice the limit, when the gateway is as good as dead.
    """

    def __init__(self, sock: socket.socket, limit_bytes: int, counters: Counters) -> None:
        self._sock = sock
        self.limit_bytes = limit_bytes
        self._counters = counters
        self._pending = bytearray()

    def put(self, events: Iterable[Event]) -> None:
        """Queue events in order."""
        for event in events:
            size = len(self._pending)
            if size > self.limit_bytes and isinstance(event, AudioBatch):
                self._counters.add("taps_dropped", len(event.frames))
            elif size > 2 * self.limit_bytes:
                self._counters.add("events_dropped")
            else:
                self._pending += frame(encode(event))

    def flush(self) -> bool:
        """Write what the socket takes now; False when the gateway is gone."""
        try:
            while self._pending:
                sent = self._sock.send(self._pending)
                del self._pending[:sent]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True
