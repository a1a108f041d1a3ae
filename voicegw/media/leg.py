"""One leg and one call as the media worker knows them: what changes seldom; the rest is in the bank."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from voicegw.base.ids import CallId, LegId
from voicegw.media.latch import SourceLatch
from voicegw.media.messages import ConfigureLeg, SendDtmf
from voicegw.media.playout import Playout
from voicegw.media.sockets import PortPair
from voicegw.rtp.telephone_event import TelephoneEventReceiver, TelephoneEventSender


@dataclass(slots=True)
class Leg:
    """A row with its sockets. ``settings`` is None until the session is negotiated."""

    leg_id: LegId
    call_id: CallId
    row: int
    ports: PortPair
    latch: SourceLatch
    settings: ConfigureLeg | None = None
    keys_in: TelephoneEventReceiver = field(default_factory=TelephoneEventReceiver)
    keys_out: TelephoneEventSender = field(default_factory=TelephoneEventSender)
    keys_waiting: deque[SendDtmf] = field(default_factory=deque)
    odd_codes: bytearray = field(default_factory=bytearray)
    """Encoded samples that wait for a packet that is not 20 ms long."""
    rejected: int = 0
    peer_lost: int = 0
    round_trip_ms: float = -1.0

    @property
    def keying(self) -> bool:
        """Whether packets of this leg carry a digit instead of audio."""
        return bool(self.keys_waiting) or self.keys_out.busy


@dataclass(slots=True)
class Call:
    """The legs of a call and its matrix."""

    call_id: CallId
    playout: Playout
    edges: tuple[tuple[str, str, float], ...] = ()
    legs: dict[str, Leg] = field(default_factory=dict)
    recording: bool = False
    mouths: list[Leg] = field(default_factory=list)
    """Legs that hear the agent and can be sent to: while there is none, the playout stands still."""
    source: int = -1
    """Where the playout is in the mixer's sources."""
    agent_ear: int = -1
    recorded_in: int = -1
    recorded_out: int = -1
    """Where these sinks are in the mixer's output; -1 for none."""
