"""Carries webhooks from the outbox to their receivers: signed, tried again ever later, given up as dead letters.

The outbox is a table: what is in it survives a crash, and several nodes share the work. A delivery may come twice
(the answer of the first was lost); receivers tell by its id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

import httpx

from voicegw.api.vault import Vault, webhook_context
from voicegw.api.webhook_signature import DELIVERY_HEADER, EVENT_HEADER, SIGNATURE_HEADER, retry_delay_s, sign
from voicegw.base.clock import Clock
from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.store import Store
from voicegw.storage.webhooks import Attempt, Delivery

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 14
"""About four hours with the doubling pauses; then it is a dead letter."""
TIMEOUT_S = 10.0
POLL_S = 1.0
"""How often the outbox is looked into: a webhook is no faster than this, and an idle table costs one query."""
_LEASE_MS = 60_000
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class _Outcome:
    """``status`` 0 and an error when no answer came."""

    status: int
    error: str
    duration_ms: int

    @property
    def delivered(self) -> bool:
        return 200 <= self.status < 300


class Outbox:
    """Runs until it is cancelled. Counts ``webhooks_delivered``, ``webhooks_failed`` and ``webhooks_dead``."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        http: httpx.AsyncClient,
        clock: Clock,
        random: RandomBytes,
        counters: Counters,
    ) -> None:
        self._store = store
        self._vault = vault
        self._http = http
        self._clock = clock
        self._random = random
        self._counters = counters

    async def run(self) -> None:
        """Deliver what is due, for ever."""
        while True:
            try:
                busy = await self.deliver_due()
            except StoreUnavailable as error:
                log.warning("the outbox of webhooks cannot be read: %s", error)
                busy = 0
            if busy < _AT_ONCE:
                await asyncio.sleep(POLL_S)

    async def deliver_due(self) -> int:
        """Try everything that is due once, several at a time; returns how many there were."""
        now = int(self._clock.wall() * 1000)
        async with self._store.write() as unit:
            due = await unit.deliveries.claim_due(now_wall_ms=now, lease_ms=_LEASE_MS, limit=_AT_ONCE)
        await asyncio.gather(*(self._try(delivery) for delivery in due))
        return len(due)

    async def _try(self, delivery: Delivery) -> None:
        outcome = await self._send(delivery)
        now = int(self._clock.wall() * 1000)
        attempt = Attempt(delivery.id, delivery.attempts, now, outcome.duration_ms, outcome.status, outcome.error)
        async with self._store.write() as unit:
            if outcome.delivered:
                self._counters.add("webhooks_delivered")
                await unit.deliveries.delivered(attempt)
            elif delivery.attempts >= MAX_ATTEMPTS:
                self._counters.add("webhooks_dead")
                log.error("a webhook is given up", extra={"delivery": delivery.id, "error": outcome.error})
                await unit.deliveries.failed(attempt, None)
            else:
                self._counters.add("webhooks_failed")
                jitter = self._random(1)[0] / 255
                await unit.deliveries.failed(attempt, now + int(retry_delay_s(delivery.attempts, jitter) * 1000))

    async def _send(self, delivery: Delivery) -> _Outcome:
        async with self._store.read() as unit:
            subscription = await unit.subscriptions.find(delivery.subscription_id)
        if subscription is None:
            return _Outcome(0, "the subscription is gone", 0)
        started = time.perf_counter()
        try:
            secret = self._vault.open(subscription.secret_sealed, webhook_context(subscription.id))
            body = delivery.payload_json.encode()
            headers = {
                "Content-Type": "application/json",
                SIGNATURE_HEADER: sign(secret, body, int(self._clock.wall())),
                EVENT_HEADER: delivery.kind,
                DELIVERY_HEADER: delivery.event_id,
            }
            answer = await self._http.post(subscription.url, content=body, headers=headers, timeout=TIMEOUT_S)
            status, error = answer.status_code, "" if answer.is_success else f"HTTP {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, LocalError) as failure:
            status, error = 0, f"{type(failure).__name__}: {failure}"[:500]
        return _Outcome(status, error, round((time.perf_counter() - started) * 1000))
