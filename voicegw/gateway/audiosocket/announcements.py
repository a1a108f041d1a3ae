"""What was said about a call before its connection came: AudioSocket itself tells a UUID only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from uuid import UUID

from voicegw.base.errors import LocalError

_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Announcement:
    """Who calls whom; ``called`` "" is what the listener has for it."""

    called: str = ""
    calling: str = ""
    display_name: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What the dialplan and the agent see as headers of the call."""


class Announcements:
    """Each is good for one connection and for ``good_s`` seconds of monotonic time."""

    def __init__(self, good_s: float) -> None:
        self.good_s = good_s
        self._known: dict[UUID, tuple[float, Announcement]] = {}

    def add(self, uuid: UUID, announcement: Announcement, now: float) -> None:
        """Raises LocalError where too many wait for their connection."""
        self._forget_old(now)
        if len(self._known) >= _MOST and uuid not in self._known:
            raise LocalError(f"{_MOST} announced calls have not come yet")
        self._known.pop(uuid, None)  # so that the newest are last
        self._known[uuid] = now, announcement

    def take(self, uuid: UUID, now: float) -> Announcement:
        """What was announced for this connection; an empty one where nothing was."""
        self._forget_old(now)
        return self._known.pop(uuid, (now, Announcement()))[1]

    def _forget_old(self, now: float) -> None:
        for uuid in [uuid for uuid, (at, _) in self._known.items() if at + self.good_s < now]:
            del self._known[uuid]
