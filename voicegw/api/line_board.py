"""What the API asks of the node's line: its trunks, and whom the guard ignores. They live in the runtime's loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from voicegw.api.bridge import Bridge
from voicegw.gateway.guard import Ban
from voicegw.gateway.trunk_desk import TrunkState
from voicegw.gateway.trunk_status import TrunkStatus


class LineBoard(Protocol):
    """:class:`voicegw.server_line.NodeLine`."""

    on_change: Callable[[TrunkState], None]
    """To be set: told of every trunk that goes down or comes up, in the runtime's loop."""

    def trunks(self) -> Sequence[TrunkStatus]:
        """All trunks now, by name; from any thread."""
        ...

    def bans(self) -> Sequence[tuple[Ban, float]]:
        """Who is ignored, and for how many seconds more; from any thread."""
        ...

    async def ban(self, host: str, seconds: float) -> bool:
        """Ignore an address; False for one that is a trunk's, or trusted."""
        ...

    async def pardon(self, host: str) -> bool:
        """Hear an address again; False for one that is not ignored."""
        ...


class BridgedLine:
    """A :class:`LineBoard` in the runtime's loop."""

    def __init__(self, bridge: Bridge, board: LineBoard) -> None:
        self._bridge = bridge
        self._board = board
        self.trunks = board.trunks
        self.bans = board.bans
        self.on_change: Callable[[TrunkState], None] = lambda _state: None

    async def ban(self, host: str, seconds: float) -> bool:
        """See :class:`LineBoard`."""
        return await self._bridge.run(self._board.ban(host, seconds))

    async def pardon(self, host: str) -> bool:
        """See :class:`LineBoard`."""
        return await self._bridge.run(self._board.pardon(host))
