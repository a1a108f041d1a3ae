"""The certificates of signers: kept, or on their way. Belongs to the gateway's loop.

What was found good and what was not are kept apart, so that strangers who invent URLs push out none that is used.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Collection
from typing import Final, TypeVar

from voicegw.base.clock import Clock
from voicegw.base.metrics import Counters
from voicegw.base.tasks import child_task
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.fetching import Fetch
from voicegw.gateway.identity.places import Place, read_place
from voicegw.stir.credentials import Anchors, Credential
from voicegw.stir.faults import Fault, IdentityFault

_Kept = TypeVar("_Kept", Credential, IdentityFault)
_PER_HOST: Final = 2
"""Fetches of one host at once: one that never answers must not take all of them."""


class Certificates:
    """``fetch`` gets what is not kept."""

    def __init__(
        self, config: IdentityConfig, anchors: Anchors, fetch: Fetch, clock: Clock, counters: Counters
    ) -> None:
        self._config = config
        self._anchors = anchors
        self._fetch = fetch
        self._clock = clock
        self._counters = counters
        self._good: OrderedDict[str, tuple[Credential, float]] = OrderedDict()
        self._bad: OrderedDict[str, tuple[IdentityFault, float]] = OrderedDict()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._hosts: Counter[str] = Counter()

    def known(self, urls: Collection[str]) -> dict[str, Credential | IdentityFault]:
        """What is kept of these."""
        return {url: found for url in urls if (found := self._kept(url)) is not None}

    async def obtain(self, urls: Collection[str], deadline_s: float) -> dict[str, Credential | IdentityFault]:
        """What is known of these after ``deadline_s`` at most. What is still on its way then goes on."""
        missing = [url for url in sorted(urls) if self._kept(url) is None]
        tasks = [task for url in missing if (task := self._begin(url)) is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=deadline_s)
        return self.known(urls)

    def close(self) -> None:
        """Stop fetching."""
        for task in self._running.values():
            task.cancel()

    def _kept(self, url: str) -> Credential | IdentityFault | None:
        now = self._clock.monotonic()
        if (good := self._good.get(url)) is not None:
            if good[1] > now:
                self._good.move_to_end(url)
                return good[0]
            del self._good[url]
        if (bad := self._bad.get(url)) is not None and bad[1] > now:
            return bad[0]
        return None if isinstance(place := self._place(url), Place) else place

    def _place(self, url: str) -> Place | IdentityFault:
        try:
            return read_place(url, self._config)
        except IdentityFault as fault:
            return fault

    def _begin(self, url: str) -> asyncio.Task[None] | None:
        """The fetch of a certificate; None where too many are under way."""
        if (task := self._running.get(url)) is not None:
            return task
        place = read_place(url, self._config)
        if len(self._running) >= self._config.fetches or self._hosts[place.host] >= _PER_HOST:
            self._counters.add("identity_fetches_put_off")
            return None
        self._hosts[place.host] += 1
        task = self._running[url] = child_task(self._get(url, place), "certificate of a signer")
        task.add_done_callback(lambda _task: self._done(url, place.host))
        return task

    def _done(self, url: str, host: str) -> None:
        del self._running[url]
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    async def _get(self, url: str, place: Place) -> None:
        try:
            fetched = await self._fetch(place, self._clock.wall())
            wall = self._clock.wall()
            credential = self._anchors.read(fetched.pem, wall)
        except IdentityFault as fault:
            kind = "failed" if fault.fault is Fault.UNFETCHED else "untrusted"
            self._counters.add(f"identity_certificates_{kind}")
            self._keep(self._bad, url, fault, self._config.retry_s)
            return
        self._counters.add("identity_certificates_fetched")
        self._bad.pop(url, None)
        self._keep(self._good, url, credential, min(fetched.keep_s, credential.expires - wall))

    def _keep(self, where: OrderedDict[str, tuple[_Kept, float]], url: str, what: _Kept, seconds: float) -> None:
        where[url] = (what, self._clock.monotonic() + seconds)
        where.move_to_end(url)
        while len(where) > self._config.certificates:
            where.popitem(last=False)
