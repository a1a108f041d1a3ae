"""What the API asks of the node's phones; they live in the runtime's loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from voicegw.api.bridge import Bridge
from voicegw.gateway.phone_book import PhoneState


class PhoneBoard(Protocol):
    """:class:`voicegw.server_phones.NodePhones`."""

    @property
    def domain(self) -> str:
        """What stands behind the @ of their addresses; empty: nobody registers. Any thread may ask."""
        ...

    @property
    def realm(self) -> str:
        """What their passwords are for; any thread may ask."""
        ...

    on_change: Callable[[PhoneState], None]
    """To be set: told of every change, in the runtime's loop."""

    def snapshot(self) -> Mapping[str, PhoneState]:
        """All phones now, by name; from any thread."""
        ...

    async def accounts_changed(self) -> None:
        """Take the accounts of the store anew."""
        ...


class BridgedPhones:
    """A :class:`PhoneBoard` in the runtime's loop."""

    def __init__(self, bridge: Bridge, board: PhoneBoard) -> None:
        self._bridge = bridge
        self._board = board
        self.snapshot = board.snapshot
        self.on_change: Callable[[PhoneState], None] = lambda _state: None

    @property
    def domain(self) -> str:
        """See :class:`PhoneBoard`."""
        return self._board.domain

    @property
    def realm(self) -> str:
        """See :class:`PhoneBoard`."""
        return self._board.realm

    async def accounts_changed(self) -> None:
        """See :class:`PhoneBoard`."""
        await self._bridge.run(self._board.accounts_changed())
