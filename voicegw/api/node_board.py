"""What the API asks of the node as a whole: to be emptied, to take calls again. It lives in the runtime's loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicegw.api.bridge import Bridge
from voicegw.runtime.drain import DrainStatus, Farewell


@dataclass(frozen=True, slots=True)
class DrainWish:
    """How a drain differs from what the configuration says; None is as configured."""

    deadline_s: float | None = None
    farewell: Farewell | None = None
    transfer_to: str | None = None
    stop: bool = False
    """The process ends with the last call."""


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What a reload found to be different: what is in force now, and what will be after a restart."""

    changed: tuple[str, ...] = ()
    need_restart: tuple[str, ...] = ()


class NodeBoard(Protocol):
    """:class:`voicegw.server_lifecycle.Lifecycle`."""

    def status(self) -> DrainStatus:
        """How the node stands; from any thread."""
        ...

    async def drain(self, wish: DrainWish, by: str) -> DrainStatus:
        """Take no new calls, and hand over what is left at the deadline; ConfigError for what cannot be wished."""
        ...

    async def undrain(self, by: str) -> DrainStatus:
        """Take calls again. Raises NotDrainable where it is too late."""
        ...

    async def reload(self, by: str) -> ReloadReport:
        """Read the files anew. Raises ConfigError with all that is wrong in them; then nothing has changed."""
        ...


class BridgedNode:
    """A :class:`NodeBoard` in the runtime's loop."""

    def __init__(self, bridge: Bridge, board: NodeBoard) -> None:
        self._bridge = bridge
        self._board = board
        self.status = board.status

    async def drain(self, wish: DrainWish, by: str) -> DrainStatus:
        """See :class:`NodeBoard`."""
        return await self._bridge.run(self._board.drain(wish, by))

    async def undrain(self, by: str) -> DrainStatus:
        """See :class:`NodeBoard`."""
        return await self._bridge.run(self._board.undrain(by))

    async def reload(self, by: str) -> ReloadReport:
        """See :class:`NodeBoard`."""
        return await self._bridge.run(self._board.reload(by))
