"""The servers that a request goes to, and what is known of them: found by name, passed over when they failed.

RFC 3263 with the memory of §4.3. Who sends something asks :meth:`Servers.find`, tries one address after the other,
and tells what became of each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.resolver import Resolver
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.sip_requests import SipRequests
from voicegw.gateway.way import DIRECT, Way
from voicegw.sip.address import Address
from voicegw.sip.events import OutsideEvent, RequestAnswered
from voicegw.sip.failover import UNAVAILABLE, Blacklist, retry_after

log = logging.getLogger(__name__)


class Servers:
    """Finds servers, remembers failures, and asks the failed ones by OPTIONS whether they are back."""

    def __init__(
        self,
        config: LocatingConfig,
        resolver: Resolver,
        requests: SipRequests,
        driver: SipDriver,
        counters: Counters,
    ) -> None:
        self._config = config
        self._resolver = resolver
        self._requests = requests
        self._driver = driver
        self._counters = counters
        self._blacklist = Blacklist(config.blacklist_s)
        self._timer: asyncio.TimerHandle | None = None
        self._probes: set[asyncio.Task[None]] = set()

    def use(self, config: LocatingConfig) -> None:
        """Other patience and limits, from now on; servers that are passed over rest as long as before."""
        self._config = config
        self._blacklist.rest_s = config.blacklist_s
        self._resolver.use(config)

    @property
    def config(self) -> LocatingConfig:
        """Patience and limits."""
        return self._config

    @property
    def listed(self) -> tuple[Address, ...]:
        """The servers that are passed over at the moment."""
        return self._blacklist.listed()

    async def find(self, target_uri: str, way: Way = DIRECT) -> list[Address]:
        """Where to send a request, in the order in which to try; at least one address.

        LocalError where nothing is found, RemoteProtocolError for a URI that is none.
        """
        if way.addresses:
            return list(way.addresses)
        return self._usable(await self.locate(target_uri, way))

    async def locate(self, target_uri: str, way: Way = DIRECT) -> list[Address]:
        """All servers, those that failed among them. Raises as :meth:`find` does."""
        found: list[Address] = []
        failures: list[LocalError] = []
        for uri in way.next_hops(target_uri):
            try:
                found += await self._resolver.locate(uri)
            except LocalError as error:
                failures.append(error)
        if not found:
            raise failures[0]
        return list(dict.fromkeys(found))

    def find_now(self, target_uri: str, way: Way = DIRECT) -> list[Address] | None:
        """The same where nobody has to be asked; None if a name has to be looked up. Raises as :meth:`find`."""
        if way.addresses:
            return list(way.addresses)
        found: list[Address] = []
        for uri in way.next_hops(target_uri):
            addresses = self._resolver.locate_literal(uri)
            if addresses is None:
                return None
            found += addresses
        return self._usable(found)

    def failed(self, address: Address, rest_s: float | None = None) -> None:
        """A server was silent, could not be reached, or asked for ``rest_s`` seconds of peace."""
        if self._blacklist.add(address, self._driver.now, rest_s):
            self._counters.add(LocatingCounter.BLACKLISTED)
            log.warning("a SIP server failed", extra={"server": str(address), "transport": address.transport.value})
        self._plan_probe()

    def answered(self, address: Address) -> None:
        """A server gave any answer but 503."""
        if self._blacklist.remove(address):
            self._counters.add(LocatingCounter.REINSTATED)
            log.info("a SIP server is back", extra={"server": str(address), "transport": address.transport.value})

    def note(self, address: Address, event: OutsideEvent) -> bool:
        """Remember what became of a request outside calls; true where the next server is to be tried."""
        if not isinstance(event, RequestAnswered):
            self.failed(address)
            return True
        if event.response.status != UNAVAILABLE:
            self.answered(address)
            return False
        if (rest_s := retry_after(event.response.headers)) is not None:
            self.failed(address, rest_s)
        return True

    def close(self) -> None:
        """Ask nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for probe in self._probes:
            probe.cancel()
        self._resolver.close()

    # ---------------------------------------------------------------- inside

    def _usable(self, found: Iterable[Address]) -> list[Address]:
        return self._blacklist.order(dict.fromkeys(found))[: self._config.max_attempts]

    def _plan_probe(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._blacklist.next_probe()
        if due is not None:
            delay = max(0.0, due - self._driver.now)
            self._timer = asyncio.get_running_loop().call_later(delay, self._start_probes)

    def _start_probes(self) -> None:
        self._timer = None
        for address in self._blacklist.take_probes(self._driver.now):
            probe = child_task(self._probe(address), f"probe of {address}")
            self._probes.add(probe)
            probe.add_done_callback(self._probes.discard)
        self._plan_probe()

    async def _probe(self, address: Address) -> None:
        self._counters.add(LocatingCounter.PROBES)
        us = self._driver.local_address(address)
        uri = f"sip:{address}{address.transport.uri_parameter}"
        event = await self._requests.send(
            "OPTIONS", uri, address, from_=f"<sip:{us}>", patience_s=self._config.attempt_s
        )
        if isinstance(event, RequestAnswered) and event.response.status != UNAVAILABLE:
            self.answered(address)
