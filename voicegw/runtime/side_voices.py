"""Everybody in a call besides caller and agent: supervisors, a person whom the caller was connected to, and those
who are recorded.
"""

from __future__ import annotations

from typing import Protocol

from voicegw.base.ids import LegId
from voicegw.call.edges import Edge
from voicegw.call.facts import AnyFact
from voicegw.media import messages as m
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.supervision import SupervisionDesk


class Ears(Protocol):
    """Puts voices down in writing: :class:`~voicegw.runtime.bridge_ear.BridgeEar` and its kin."""

    def hear(self, pcm: bytes, ear: str, rate_hz: int) -> None:
        """What an ear got since the last time."""
        ...

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """Somebody began to speak, or fell silent."""
        ...

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of theirs."""
        ...

    def settle(self) -> None:
        """The call machine has moved on."""
        ...

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        ...

    def handle_timer(self, now: float) -> None:
        """Act on whatever deadline has come."""
        ...

    @property
    def pending(self) -> bool:
        """Whether the last words are still being recognised."""
        ...

    def let_go(self) -> None:
        """Nobody is heard any more, and nothing asked."""
        ...


class SideVoices:
    """Lives in the call task, but for :meth:`hear`. ``bridge``: None where that is not put down in writing."""

    def __init__(self, supervision: SupervisionDesk, bridge: Ears | None, caller: LegId) -> None:
        self._supervision = supervision
        self._bridge = bridge
        self._caller = caller

    def hear(self, pcm: bytes, ear: str, rate_hz: int = 8000) -> None:
        """What an ear got since the last time. Runs outside the mailbox: it moves data and decides nothing."""
        self._supervision.hear(pcm, ear, rate_hz)
        if self._bridge is not None:
            self._bridge.hear(pcm, ear, rate_hz)

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """Somebody began to speak, or fell silent."""
        self._supervision.on_speech(event, self._caller)
        if self._bridge is not None:
            self._bridge.on_speech(event)

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of theirs."""
        return self._supervision.on_asr(report) or (self._bridge is not None and self._bridge.on_asr(report))

    def on_key(self, leg_id: LegId, digit: str) -> bool:
        """A key; False if it was not a supervisor's."""
        return self._supervision.on_key(leg_id, digit)

    def awaits(self, fact: AnyFact, edges: tuple[Edge, ...]) -> bool:
        """See :meth:`SupervisionDesk.awaits`."""
        return self._supervision.awaits(fact, edges)

    def mixed(self, event: m.MixChanged) -> None:
        """The media worker has changed who hears whom."""
        self._supervision.mixed(event)

    def settle(self) -> None:
        """The call machine has moved on."""
        self._supervision.mode_changed()
        if self._bridge is not None:
            self._bridge.settle()

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        timers = (self._supervision.get_timer(), self._bridge.get_timer() if self._bridge is not None else None)
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Act on whatever deadline has come."""
        self._supervision.handle_timer(now)
        if self._bridge is not None:
            self._bridge.handle_timer(now)

    @property
    def pending(self) -> bool:
        """Whether the last words are still being recognised."""
        return self._bridge is not None and self._bridge.pending

    def stop(self) -> None:
        """The call is over."""
        self._supervision.stop()

    def let_go(self) -> None:
        """Nobody is heard any more, and nothing asked: who puts a voice down is known to it, and no cycle stays."""
        self._supervision.let_go()
        if self._bridge is not None:
            self._bridge.let_go()
