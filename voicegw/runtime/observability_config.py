"""The settings of what a node shows to others: a copy of its signalling for Homer, traces, captures."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicegw.call.capture_config import CaptureConfig
from voicegw.gateway.hep_config import HepConfig
from voicegw.telemetry.config import OtlpConfig


@dataclass(frozen=True, slots=True)
class ObservabilityConfig:
    """Who else is shown what goes on. Metrics need no setting: they are part of the API."""

    hep: HepConfig = field(default_factory=HepConfig)
    """A copy of the signalling for Homer."""
    otlp: OtlpConfig = field(default_factory=OtlpConfig)
    """A trace of every call."""
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    """Packet captures of calls, on demand."""
