"""What the packet captures of a node have in common: their limits, how many run, and calls that are waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.call.capture_config import CaptureConfig
from voicegw.runtime.orders import StartCapture

_MOST_ARMED: Final = 100


@dataclass(slots=True)
class Armed:
    """The next ``left`` calls from or to ``number`` are captured, until ``until`` (monotonic seconds)."""

    id: str
    number: str
    left: int
    until: float
    order: StartCapture


@dataclass(slots=True)
class CaptureHouse:
    """Of a node. ``now``: monotonic seconds."""

    config: CaptureConfig = field(default_factory=CaptureConfig)
    now: Callable[[], float] = lambda: 0.0
    _running: set[CallId] = field(default_factory=set)
    _armed: dict[str, Armed] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """Calls that are being captured."""
        return len(self._running)

    def take(self, call_id: CallId) -> str:
        """Begin one; why it cannot be, or nothing."""
        if len(self._running) >= self.config.at_once:
            return f"{self.config.at_once} calls are being captured, which is as many as may be at once"
        self._running.add(call_id)
        return ""

    def give_back(self, call_id: CallId) -> None:
        """It is over."""
        self._running.discard(call_id)

    # ------------------------------------------------------------ calls to come

    def arm(self, armed: Armed) -> None:
        """Wait for calls; raises LocalError where too many are waited for."""
        if len(self.armed()) >= _MOST_ARMED:
            raise LocalError(f"{_MOST_ARMED} numbers are waited for already")
        self._armed[armed.id] = armed

    def armed(self) -> list[Armed]:
        """Calls that are waited for."""
        now = self.now()
        self._armed = {one.id: one for one in self._armed.values() if one.left > 0 and one.until > now}
        return list(self._armed.values())

    def disarm(self, id: str) -> bool:
        """Wait no more; False where nobody does."""
        return self._armed.pop(id, None) is not None

    def claim(self, calling: str, called: str) -> StartCapture | None:
        """A call begins: what was ordered for it."""
        for armed in self.armed() if self._armed else ():
            if armed.number in (calling, called):
                armed.left -= 1
                return armed.order
        return None
