"""Keeps the way open by which a registrar reaches us, and notices when it is gone (RFC 5626 §4.4, client side).

Over UDP a STUN Binding request, which has to be answered; over a stream the double CRLF, where a connection that
broke is another one by then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_driver import SipDriver
from voicegw.sip.address import Address
from voicegw.sip.stun import TRANSACTION_BYTES, answered_transaction, binding_request

log = logging.getLogger(__name__)

PING: Final = b"\r\n\r\n"
UDP_S: Final = 29.0
STREAM_S: Final = 120.0
"""How often where the registrar has not said (§4.4.1, §4.4.2): at most; a fifth less by chance."""
MAX_MISSED: Final = 2
"""STUN requests without an answer; one may be lost on the way."""


class _Flow:
    """One flow that is kept open."""

    __slots__ = ("server", "interval_s", "connection", "transaction", "missed", "timer")

    def __init__(self, server: Address, interval_s: float, connection: int) -> None:
        self.server = server
        self.interval_s = interval_s
        self.connection = connection
        self.transaction = b""
        """Of the STUN request that waits for its answer."""
        self.missed = 0
        self.timer: asyncio.TimerHandle | None = None


class FlowKeeper:
    """``on_lost`` is told the name of a flow that is gone; it is not kept any more."""

    def __init__(
        self, driver: SipDriver, random: RandomBytes, counters: Counters, on_lost: Callable[[str], None]
    ) -> None:
        self._driver = driver
        self._random = random
        self._counters = counters
        self._on_lost = on_lost
        self._flows: dict[str, _Flow] = {}
        driver.on_stun_answer = self._answered

    def keep(self, name: str, server: Address, flow_timer_s: float) -> None:
        """Keep the flow of a registration at ``server`` open; ``flow_timer_s`` 0: as often as the RFC says."""
        self.drop(name)
        usual = STREAM_S if server.transport.is_reliable else UDP_S
        flow = _Flow(server, flow_timer_s or usual, self._driver.wire.connections.flow_to(server))
        self._flows[name] = flow
        self._plan(name, flow)

    def drop(self, name: str) -> None:
        """The flow is not needed any more."""
        flow = self._flows.pop(name, None)
        if flow is not None and flow.timer is not None:
            flow.timer.cancel()

    def close(self) -> None:
        """Keep none."""
        for name in list(self._flows):
            self.drop(name)

    # ---------------------------------------------------------------- inside

    def _plan(self, name: str, flow: _Flow) -> None:
        part = 0.8 + 0.2 * int.from_bytes(self._random(2), "big") / 65536
        flow.timer = asyncio.get_running_loop().call_later(flow.interval_s * part, self._tick, name, flow)

    def _tick(self, name: str, flow: _Flow) -> None:
        if flow.transaction:
            flow.missed += 1
        if flow.missed >= MAX_MISSED or flow.connection != self._driver.wire.connections.flow_to(flow.server):
            self._lose(name, flow)
            return
        self._counters.add(LocatingCounter.KEEPALIVES)
        if flow.server.transport.is_reliable:
            self._driver.wire.send(PING, flow.server)
        else:
            flow.transaction = self._random(TRANSACTION_BYTES)
            self._driver.wire.send(binding_request(flow.transaction), flow.server)
        self._plan(name, flow)

    def _answered(self, data: bytes, source: Address) -> None:
        transaction = answered_transaction(data)
        for flow in self._flows.values():
            if transaction and transaction == flow.transaction and source.host == flow.server.host:
                flow.transaction, flow.missed = b"", 0

    def _lose(self, name: str, flow: _Flow) -> None:
        self.drop(name)
        self._counters.add(LocatingCounter.FLOWS_LOST)
        log.warning("the way back from a registrar is gone", extra={"trunk": name, "server": str(flow.server)})
        self._on_lost(name)
