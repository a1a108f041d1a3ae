"""What the API asks of packet captures: the narrow door to the runtime, which lives in another thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voicegw.api.bridge import Bridge
from voicegw.base.ids import CallId
from voicegw.runtime.orders import StartCapture

__all__ = ["BridgedCaptures", "CallCaptures", "Keeper", "StartCapture", "Waited"]


@dataclass(frozen=True, slots=True)
class Waited:
    """The next ``left`` calls from or to a number are captured, for ``seconds`` more."""

    id: str
    number: str
    left: int
    seconds: float
    by: str
    audio: bool


@dataclass(frozen=True, slots=True)
class Keeper:
    """The node that has a file, and the URL of its API; empty where it has none."""

    node: str
    api: str


class CallCaptures(Protocol):
    """Captures calls of this node, and of others where there are some. Every method runs in the
    runtime's loop and raises NoSuchCall and Refused."""

    async def start(self, call_id: CallId, order: StartCapture) -> None:
        """Begin; returns when the file is open."""
        ...

    async def stop(self, call_id: CallId, name: str) -> None:
        """End it; returns when the file is complete."""
        ...

    async def arm(self, number: str, count: int, seconds: float, order: StartCapture) -> Waited:
        """Capture the next calls from or to a number."""
        ...

    async def waited(self) -> Sequence[Waited]:
        """All that is waited for."""
        ...

    async def disarm(self, id: str) -> bool:
        """Wait no more; False where nobody does."""
        ...

    async def keeper(self, call_id: CallId) -> Keeper | None:
        """The other node that has captures of a call, which may be over; None: there is none."""
        ...


class BridgedCaptures:
    """:class:`CallCaptures` in the runtime's loop."""

    def __init__(self, bridge: Bridge, captures: CallCaptures) -> None:
        self._bridge = bridge
        self._captures = captures

    async def start(self, call_id: CallId, order: StartCapture) -> None:
        """See :class:`CallCaptures`."""
        await self._bridge.run(self._captures.start(call_id, order))

    async def stop(self, call_id: CallId, name: str) -> None:
        """See :class:`CallCaptures`."""
        await self._bridge.run(self._captures.stop(call_id, name))

    async def arm(self, number: str, count: int, seconds: float, order: StartCapture) -> Waited:
        """See :class:`CallCaptures`."""
        return await self._bridge.run(self._captures.arm(number, count, seconds, order))

    async def waited(self) -> Sequence[Waited]:
        """See :class:`CallCaptures`."""
        return await self._bridge.run(self._captures.waited())

    async def disarm(self, id: str) -> bool:
        """See :class:`CallCaptures`."""
        return await self._bridge.run(self._captures.disarm(id))

    async def keeper(self, call_id: CallId) -> Keeper | None:
        """See :class:`CallCaptures`."""
        return await self._bridge.run(self._captures.keeper(call_id))
