"""What a registrar does by itself: bindings end, ways through NAT are kept open, and what changes is stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from voicegw.base.personal import Personal
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.sip_requests import SipRequests
from voicegw.sip.address import Address, Transport
from voicegw.sip.bindings import Binding
from voicegw.sip.dialog import literal_address
from voicegw.sip.events import RequestAnswered
from voicegw.sip.path import flow_of

log = logging.getLogger(__name__)

Keep: TypeAlias = Callable[[str, tuple[Binding, ...]], None]
"""Stores the bindings of one phone; returns at once."""
PING_PATIENCE_S: Final = 5.0
"""More than a balancer has with the phone."""
_LOST: Final = frozenset({408, 430, 477, 478, 479})
"""What a proxy answers in the place of a phone that it does not reach (RFC 5626 §5.3.1, Kamailio's own)."""


def keep_nothing(_name: str, _bindings: tuple[Binding, ...]) -> None:
    """For a registrar that forgets at the end."""


class PhoneKeeper:
    """Runs the registrar of a gateway. Belongs to its event loop."""

    def __init__(
        self,
        config: PhonesConfig,
        book: PhoneBook,
        driver: SipDriver,
        requests: SipRequests,
        keep: Keep = keep_nothing,
    ) -> None:
        self.config = config
        self._book = book
        self._driver = driver
        self._requests = requests
        self._timer: asyncio.TimerHandle | None = None
        self._pings: dict[tuple[str, str, Address, tuple[str, ...]], asyncio.Task[None]] = {}
        self._by_flow: dict[int, str] = {}
        """Which phone came by a connection."""
        self._devices: dict[str, int] = {}
        """How many each phone had when it was last told of."""
        self.keep = keep
        self.is_ours_to_ping: Callable[[str, Binding], bool] = lambda _name, _binding: True
        """Of several nodes that know a device one asks it."""
        book.on_registered = self._registered
        driver.wire.connections.on_gone = self.connection_gone

    def restore(self, name: str, bindings: Iterable[Binding]) -> None:
        """Take back what was stored before a restart; a phone without an account is forgotten."""
        alive = tuple(one for one in bindings if one.expires_at > self._driver.now)
        if alive and self._book.account(name) is not None:
            self._book.restore(name, alive, self._driver.now)
            self._devices[name] = len(self._book.registrar.bindings(name, self._driver.now))
            self.watch(name)
            self._plan()

    def adopt(self, name: str, bindings: tuple[Binding, ...]) -> None:
        """What all nodes know to be bound of a phone; whoever learned it from the phone stores it."""
        before = self._book.registrar.bindings(name, self._driver.now)
        if self._book.account(name) is not None and set(bindings) != set(before):
            self._book.adopt(name, bindings, self._driver.now)
            self._log_devices(name, len(bindings))
            self.watch(name)
            self._plan()

    def close(self) -> None:
        """Stop; nothing that is stored changes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for ping in self._pings.values():
            ping.cancel()
        self._pings.clear()

    def forget(self, names: Iterable[str]) -> None:
        """The bindings of these phones have ended with their accounts."""
        for name in names:
            self._changed(name)

    def connection_gone(self, peer: Address) -> None:
        """What was registered by this connection is called at its Contact where that is the same host. Behind NAT,
        or in a browser, it is gone until it registers anew (RFC 5626 §5.3)."""
        name, now = self._by_flow.pop(peer.flow, ""), self._driver.now
        for one in self._book.registrar.bindings(name, now):
            if one.source == peer:
                named = literal_address(one.contact)
                reachable = named is not None and named.host == peer.host and not peer.transport.is_web
                if named is not None and reachable:
                    self._book.registrar.move(name, one, named)
                else:
                    self._book.drop(name, one, now)
                self._changed(name)

    # ---------------------------------------------------------------- changes

    def _registered(self, name: str, source: Address) -> None:
        self._driver.guard.remember(source)
        self._changed(name)

    def _changed(self, name: str) -> None:
        bindings = self._book.registrar.bindings(name, self._driver.now)
        self._log_devices(name, len(bindings))
        for one in bindings:
            if one.source.transport.is_reliable:
                self._by_flow[one.source.flow] = name
        self.keep(name, bindings)
        self.watch(name)
        self._plan()

    def _log_devices(self, name: str, devices: int) -> None:
        before, self._devices[name] = self._devices.get(name, 0), devices
        if devices != before:
            said = "phone registered" if devices > before else "phone gone"
            log.info(said, extra={"phone": Personal(name), "devices": devices})

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._book.registrar.next_expiry()
        if due is not None:
            delay = max(0.0, due - self._driver.now)
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for name, _ in self._book.expire(self._driver.now):
            self._changed(name)
        self._plan()

    # ---------------------------------------------------------------- the way through NAT

    def watch(self, name: str) -> None:
        """Ping each device that has to be, and no others."""
        bound = self._book.registrar.bindings(name, self._driver.now)
        wanted = {
            (name, one.contact, one.source, one.path)
            for one in bound
            if self.config.ping_s and needs_ping(one) and self.is_ours_to_ping(name, one)
        }
        for key in [key for key in self._pings if key[0] == name and key not in wanted]:
            self._pings.pop(key).cancel()
        for key in wanted - self._pings.keys():
            self._pings[key] = asyncio.get_running_loop().create_task(self._ping(*key), name=f"ping {name}")

    async def _ping(self, name: str, contact: str, source: Address, path: tuple[str, ...]) -> None:
        """RFC 5626 §4.4 leaves that to the phone; one that does not is lost behind its NAT after half a minute."""
        missed, patience_s = 0, PING_PATIENCE_S if path else min(PING_PATIENCE_S, self.config.ping_s)
        while missed < self.config.pings_missed:
            await asyncio.sleep(self.config.ping_s)
            here = self._driver.local_address(source)
            event = await self._requests.send(
                "OPTIONS",
                contact,
                source,
                from_=f"<sip:{here}>",
                routes=path,
                patience_s=patience_s,
            )
            if isinstance(event, RequestAnswered):
                missed = missed + 1 if path and event.response.status in _LOST else 0
            elif not path:  # else it is the proxy that is silent, who knows the phones still when it is back
                missed += 1
        del self._pings[(name, contact, source, path)]
        for one in self._book.registrar.bindings(name, self._driver.now):
            is_it = (one.contact, one.source, one.path) == (contact, source, path)
            if is_it and self._book.drop(name, one, self._driver.now):
                log.info("a phone does not answer any more", extra={"phone": Personal(name), "source": str(source)})
                self._changed(name)


def needs_ping(binding: Binding) -> bool:
    """Whether the phone is somewhere else than it thinks, and nothing but datagrams keeps the way to it open."""
    seen = flow_of(binding.path) if binding.path else binding.source
    if seen is None or seen.transport is not Transport.UDP:
        return False
    named = literal_address(binding.contact)
    return named is None or named.place != seen.place
