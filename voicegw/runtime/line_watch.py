"""Looks at each leg shortly after its answer, and says so if one side does not hear the other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from voicegw.base.ids import LegId
from voicegw.call import facts as f
from voicegw.media import messages as m
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.one_way import LineEnds, missing_audio
from voicegw.runtime.services import CallServices

log = logging.getLogger(__name__)

LOOKS_S: Final = (2.5, 8.0, 15.0)
"""After the answer: in the first three seconds for what does not come, later for what RTCP, which comes every five
seconds, says of our own audio, and once more in case that one of its packets was lost."""


class LineWatch:
    """Of one call. ``ends`` names the addresses of a leg, ``whose`` its role and party."""

    def __init__(
        self,
        services: CallServices,
        book: LogBook,
        ends: Callable[[LegId], LineEnds | None],
        whose: Callable[[LegId], tuple[str, str]],
    ) -> None:
        self._services = services
        self._book = book
        self._ends = ends
        self._whose = whose
        self._answered_at: dict[LegId, float] = {}
        self._looks: list[tuple[float, LegId]] = []
        self._told: set[tuple[LegId, str]] = set()

    def answered(self, leg_id: LegId) -> None:
        """A leg is answered, and audio is agreed."""
        now = self._services.clock.monotonic()
        self._answered_at[leg_id] = now
        self._looks = sorted([*self._looks, *((now + after, leg_id) for after in LOOKS_S)])

    def forget(self, leg_id: LegId) -> None:
        """A leg is over."""
        self._looks = [look for look in self._looks if look[1] != leg_id]

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._looks[0][0] if self._looks else None

    def handle_timer(self, now: float) -> None:
        """Ask the media worker about the legs whose time has come."""
        while self._looks and self._looks[0][0] <= now:
            self._services.media.send(m.ProbeLeg(self._looks.pop(0)[1]))

    def probed(self, probe: m.LegProbed) -> None:
        """The worker's answer. Each direction of a leg is told of once."""
        ends = self._ends(probe.leg_id)
        missing = missing_audio(probe, ends) if ends is not None else None
        if missing is None or (probe.leg_id, missing.direction) in self._told:
            return
        self._told |= {(probe.leg_id, missing.direction)}
        if missing.direction == "both":
            self._told |= {(probe.leg_id, "from_peer"), (probe.leg_id, "to_peer")}
        role, party = self._whose(probe.leg_id)
        after_ms = round((probe.at - self._answered_at.get(probe.leg_id, probe.at)) * 1000, 1)
        self._services.counters.add(f"audio_missing_{missing.reason}")
        self._book.note(f.AudioWasMissing(role, missing.direction, missing.reason, missing.text, after_ms, party))
        said = {"leg": role, "direction": missing.direction, "reason": missing.reason}
        log.warning("one side does not hear the other: %s", missing.text, extra=said)
