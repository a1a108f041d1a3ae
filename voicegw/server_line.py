"""The line of a node as its API sees it: trunks, and whom the guard ignores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicegw.base.clock import Clock
from voicegw.gateway.guard import Ban
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.trunk_desk import TrunkState
from voicegw.gateway.trunk_status import TrunkStatus, statuses


class NodeLine:
    """Implements the API's ``LineBoard``. Belongs to the runtime's loop, but for what only looks."""

    def __init__(self, gateway: SipGateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self.on_change: Callable[[TrunkState], None] = lambda _state: None
        gateway.trunks.on_state = self._changed

    def trunks(self) -> Sequence[TrunkStatus]:
        """See the protocol."""
        return statuses(self._gateway.trunks, self._gateway.watch.snapshot())

    def bans(self) -> Sequence[tuple[Ban, float]]:
        """See the protocol."""
        now = self._clock.monotonic()
        return [(ban, ban.until - now) for ban in self._gateway.snapshot().guard.bans]

    async def ban(self, host: str, seconds: float) -> bool:
        """See the protocol."""
        return self._gateway.guard.ban(host, self._clock.monotonic(), seconds)

    async def pardon(self, host: str) -> bool:
        """See the protocol."""
        return self._gateway.guard.pardon(host)

    def _changed(self, state: TrunkState) -> None:
        self.on_change(state)
