"""Our SIP gateway in a thread of the test, without the rest of the server: for what no dialplan asks of it yet."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from voicegw.base.clock import SystemClock
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegEvent
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.way import Way
from voicegw.sip.address import Address

E = TypeVar("E", bound=LegEvent)
R = TypeVar("R")
OUT = LegId("out")
_START_S = 30.0


class LiveGateway:
    """``do`` gives a command in the gateway's own thread; ``expect`` takes the next event of a kind."""

    def __init__(self, t1_ms: int = 500) -> None:
        self._config = SipConfig(listen_ip="127.0.0.1", listen_port=0, t1_ms=t1_ms)
        self._events: queue.Queue[LegEvent] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.passed_over: list[LegEvent] = []
        self.counters = Counters()

    def do(self, command: Callable[[SipGateway], R]) -> R:
        """Run ``command`` where the gateway lives."""

        async def run() -> R:
            return command(self.gateway)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_START_S)

    def dial(self, port: int, media_port: int, *, delayed_offer: bool = False) -> None:
        """Call the peer on ``port`` of this machine."""
        uri = f"sip:desk@127.0.0.1:{port}"
        self.do(
            lambda gateway: gateway.dial(
                OUT, uri, "127.0.0.1", media_port, "sip:us@127.0.0.1", way=Way(delayed_offer=delayed_offer)
            )
        )

    def expect(self, kind: type[E], within_s: float = 30.0) -> E:
        """The next event of this kind; others that come before it are passed over."""
        while True:
            try:
                event = self._events.get(timeout=within_s)
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__} after {self.passed_over}") from None
            if isinstance(event, kind):
                return event
            self.passed_over.append(event)

    def none_of(self, kind: type[LegEvent]) -> None:
        """Nothing of this kind has been passed over."""
        assert not [event for event in self.passed_over if isinstance(event, kind)]

    async def _open(self) -> Address:
        self.gateway = SipGateway(
            self._config,
            self._events.put_nowait,
            random=os.urandom,
            clock=SystemClock(),
            counters=self.counters,
        )
        return self.gateway.start()

    def __enter__(self) -> Self:
        self._thread.start()
        self.address = str(asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(_START_S))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(lambda gateway: gateway.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
