"""The settings of the media worker, with unit, default and reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from voicegw.audio.libraries import has_numba
from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install
from voicegw.media.line_config import LineConfig
from voicegw.turn.echo_gate_config import EchoGateConfig
from voicegw.turn.vad_gate_config import VadGateConfig

SAMPLE_RATE_HZ = 8000
"""The unit of all positions and durations in samples, whatever the rate of a call (docs/decisions/0013)."""
WIDE_HZ = 16000
"""The other rate at which calls are mixed."""
FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000
"""One tick at 8 kHz: the frame of G.711 that every telephone sends by default (RFC 3551 §4.5)."""
WIDE_FRAME_SAMPLES = WIDE_HZ * FRAME_MS // 1000
FRAME_S = FRAME_MS / 1000
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Environment of whatever ticks an engine: products as small as ours are slower on several cores, and it has one.

With two such processes on two cores the threads of each would spin on the other's core, and a tick last a second.
"""


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """Everything that can be set; times are milliseconds unless the name says otherwise."""

    workers: int = 1
    """Processes that carry media, each with a core and its part of the ports. One core carries about 300 legs."""
    full_busy: float = 0.8
    """A worker that is at work for this share of its time takes no new calls: its ticks would soon be late."""
    full_late: float = 0.2
    """The same for one half as busy of whose ticks this share was late, by a tenth of a frame or more."""
    port_low: int = 16384
    """First RTP port; even. The range must be open in the firewall and clear of the SIP ports."""
    port_high: int = 32767
    """Last port of the range, RTCP included: two ports a leg, twice that while old ones drain."""
    draining_s: float = 5.0
    """A closed port stays bound this long: what the old peer still sends must not reach the next call."""
    max_legs: int = 512
    """Rows allocated at start (about 50 kB each); more legs are refused. One core carries about 300."""
    jitter_start_ms: int = 40
    """Delay of a new stream. Two frames ride out most access networks; it adapts from there."""
    jitter_min_ms: int = 20
    """The buffer is made no thinner, and thicker where clocks have made it so: one frame is what the phase of two
    clocks needs."""
    jitter_max_ms: int = 200
    """Late packets make the buffer no thicker: beyond it, loss is easier to talk through than delay (ITU-T G.114).
    What a path that gets shorter leaves above it goes at a frame a second."""
    latch_packets: int = 5
    """Consecutive good packets from an unannounced source before it is believed (INTEROP: RTP bleed)."""
    latch_window_ms: int = 500
    """The packets of one candidate must come within this time."""
    relatch_gap_ms: int = 3000
    """Another source may be learned only after the locked one was silent this long."""
    no_media_timeout_ms: int = 20000
    """MediaTimedOut after this long without a packet; above the longest silence a DTX sender keeps."""
    rtcp_interval_ms: int = 5000
    """Mean time between our RTCP reports (RFC 3550 §6.2 minimum)."""
    opus_complexity: int = 1
    """Effort of the Opus encoder, 0 to 10: 100 µs a frame at 1, 250 at 5, for little that is heard in speech."""
    g722_compiled: bool = False
    """G.722 by code that is compiled for all legs at once (extra ``g722``), for more than a hundred of them a core:
    a sixth of the time of the codec. A worker takes half a second and 90 MB more, the first some ten seconds."""
    echo: EchoGateConfig = field(default_factory=EchoGateConfig)
    """What of a leg's sound may be our own come back: it interrupts nobody."""
    line_processing: LineConfig = field(default_factory=LineConfig)
    """Echo, noise and level of telephones, by WebRTC's processing (extra ``line``); off."""
    vad: VadGateConfig = field(default_factory=VadGateConfig)
    """When speech counts as started and stopped, and which windows are loud enough to ask the model."""
    catch_up_frames: int = 3
    """A late worker sends at most this many frames at once and gives the rest up as lost."""
    report_interval_ms: int = 250
    """Heartbeat to the gateway, which takes the worker for dead after a second without one."""
    tap_ms: int = 60
    """Audio goes to the recognisers in pieces of this length, whole frames of 20: each wakes the gateway, and
    recognisers take longer steps. Before any news of somebody's speech it is brought up to date."""
    ear_level_dbov: float = -23.0
    """Recognisers get speech slowly brought to this level, by -12 to +18 dB: about that of what they were trained
    on. 0 for as it comes. Recordings, and whoever else listens, get what was said."""
    outbox_bytes: int = 4 * 1024 * 1024
    """Unsent events kept while the gateway does not read; then taps are dropped and counted."""

    def of_worker(self, index: int) -> MediaConfig:
        """The settings of one of the workers: its own even part of the ports."""
        if self.workers == 1:
            return self
        span = (self.port_high + 1 - self.port_low) // self.workers // 2 * 2
        low = self.port_low + index * span
        return replace(self, workers=1, port_low=low, port_high=low + span - 1)

    def __post_init__(self) -> None:
        """Refuse values that cannot work; raises :class:`ConfigError`."""
        if self.port_low % 2 or not 1024 <= self.port_low < self.port_high <= 65535:
            raise ConfigError(
                f"media port range {self.port_low}-{self.port_high} is not usable",
                fix="an even first port of 1024 or more, and a last port of at most 65535 above it",
            )
        if not 20 <= self.jitter_min_ms <= self.jitter_start_ms <= self.jitter_max_ms <= 200:
            raise ConfigError(
                "jitter delays must satisfy 20 <= min <= start <= max <= 200 ms",
                fix="leave them out to get 20, 40 and 200",
            )
        if not FRAME_MS <= self.tap_ms <= 200 or self.tap_ms % FRAME_MS:
            raise ConfigError("tap_ms must be a multiple of 20 from 20 to 200", fix="leave it out to get 60")
        if self.ear_level_dbov and not -40 <= self.ear_level_dbov <= -10:
            raise ConfigError(f"ear_level_dbov is {self.ear_level_dbov}", fix="0, or from -40 to -10; -23 is usual")
        if not 0 <= self.opus_complexity <= 10:
            raise ConfigError(f"opus_complexity is {self.opus_complexity}", fix="take 1, or from 0 to 10")
        if self.g722_compiled and not has_numba():
            raise ConfigError("g722_compiled needs numba, which is not installed", fix=pip_install("voicegw[g722]"))
        if not 1 <= self.workers <= 64 or (self.port_high + 1 - self.port_low) < 4 * (self.workers - 1):
            raise ConfigError(
                f"{self.workers} media workers cannot share the ports {self.port_low}-{self.port_high}",
                fix="1 to 64 workers, with four ports or more for each",
            )
        if not (0.1 <= self.full_busy <= 1 and 0 < self.full_late <= 1):
            raise ConfigError(
                "full_busy and full_late are shares: up to 1", fix="leave them out to get 0.8 and 0.2"
            )
        if self.max_legs < 1 or self.latch_packets < 2 or self.catch_up_frames < 1:
            raise ConfigError("max_legs and catch_up_frames must be at least 1, latch_packets at least 2")
