"""What the API says about calls that will come by AudioSocket. It is kept in the runtime's loop."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from voicegw.api.bridge import Bridge
from voicegw.api.control import Refused
from voicegw.base.errors import LocalError
from voicegw.gateway.audiosocket.announcements import Announcement


class Door(Protocol):
    """:class:`voicegw.gateway.audiosocket.legs.AudioSocketLegs`."""

    def announce(self, uuid: UUID, announcement: Announcement) -> None:
        """Raises LocalError for one too many."""
        ...


class Announcer(Protocol):
    """Who is told about calls to come."""

    async def announce(self, uuid: UUID, announcement: Announcement) -> None:
        """The connection of this name will be this call. Raises :class:`Refused` for one too many."""
        ...


class BridgedAnnouncer:
    """Says it in the runtime's loop."""

    def __init__(self, bridge: Bridge, door: Door) -> None:
        self._bridge = bridge
        self._door = door

    async def announce(self, uuid: UUID, announcement: Announcement) -> None:
        """See :class:`Announcer`."""
        await self._bridge.run(self._say(uuid, announcement))

    async def _say(self, uuid: UUID, announcement: Announcement) -> None:
        try:
            self._door.announce(uuid, announcement)
        except LocalError as error:
            raise Refused(str(error)) from None
