"""What a media worker tells the gateway; :mod:`voicegw.media.messages` has units and scales."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.base.metrics import HistogramState
from voicegw.call.edges import AGENT_EAR
from voicegw.media.message import Message


class LegOpened(Message, frozen=True):
    """The leg has a row and this RTP port (RTCP is port + 1)."""

    leg_id: LegId
    port: int


class LegMoved(Message, frozen=True):
    """The leg's worker died and another one goes on with it, at this RTP port: the peer has to be told."""

    leg_id: LegId
    port: int


class LegFailed(Message, frozen=True):
    """The leg could not be opened or configured; ``reason`` is for people."""

    leg_id: LegId
    reason: str


class LegStats(Message, frozen=True):
    """Counters of one leg so far (RFC 3550 §6.4.1 terms); sent on close, part of LegClosed.

    ``peer_lost`` and ``peer_jitter_ms`` are what the peer reported of our packets, ``peer_mos`` the estimate from
    that; 0, -1 and 0 when it reported nothing. ``round_trip_ms`` -1 when its reports gave none; ``mos`` the
    estimate for what we received (ITU-T G.107), 0 when nothing was. ``srtp`` is the suite of a protected leg;
    forged packets were not made with its key, replayed ones had come before.
    """

    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    packets_duplicate: int = 0
    packets_rejected: int = 0
    concealed_samples: int = 0
    jitter_ms: float = 0.0
    peer_lost: int = 0
    round_trip_ms: float = -1.0
    mos: float = 0.0
    srtp: str = ""
    packets_forged: int = 0
    packets_replayed: int = 0
    peer_jitter_ms: float = -1.0
    peer_mos: float = 0.0


class LegClosed(Message, frozen=True):
    """The leg is gone.

    Its audio came from ``remote_ip`` and ``remote_port`` to ``port``; "" and 0 where nobody knows.
    """

    leg_id: LegId
    stats: LegStats
    port: int = 0
    remote_ip: str = ""
    remote_port: int = 0


class RtcpPassed(Message, frozen=True):
    """A compound packet of RTCP was sent or taken in (RFC 3550 §6.1): told only where somebody asked for it.

    ``data`` is plain, whatever it was on the wire; ``wall`` is Unix time; ``port`` ours that it went through.
    """

    leg_id: LegId
    wall: float
    sent: bool
    port: int
    remote_ip: str
    remote_port: int
    data: bytes


class MediaLatched(Message, frozen=True):
    """The first good packets arrived and the source is locked (RFC 4961, INTEROP §32)."""

    leg_id: LegId
    remote_ip: str
    remote_port: int
    at: float


class KeystreamReached(Message, frozen=True):
    """A protected stream of the peer has come to this packet, counted on past 16 bits under its key.

    No packet tells the upper bits (RFC 3711 §3.3.1): another worker cannot decrypt the stream without knowing them.
    Told at the beginning of a stream and every few thousand packets.
    """

    leg_id: LegId
    ssrc: int
    index: int


class MediaTimedOut(Message, frozen=True):
    """Nothing arrived on a leg that should receive, for ``silent_ms``; repeated every such span."""

    leg_id: LegId
    silent_ms: int


class LegProbed(Message, frozen=True):
    """How a leg stands, as ProbeLeg asked.

    ``packets_rejected`` came and were not believed. ``reports``: so many RTCP reports came; the last of them says
    whether the peer sends audio (``peer_sends``), any of them whether it hears us (``peer_hears``).
    """

    leg_id: LegId
    at: float
    sending: bool
    receiving: bool
    packets_sent: int
    packets_received: int
    packets_rejected: int
    reports: int
    peer_sends: bool
    peer_hears: bool


class QualityRated(Message, frozen=True):
    """How the last seconds of a leg sounded, told when that has changed, and again and again where it is poor.

    ``mos`` of what we received and ``peer_mos`` of what the peer reports to have received of ours, 0 where it does
    not report; ``loss`` from 0 to 1, of that span; ``round_trip_ms`` -1 where it is not known.
    """

    leg_id: LegId
    at: float
    mos: float
    peer_mos: float
    loss: float
    jitter_ms: float
    round_trip_ms: float


class MixChanged(Message, frozen=True):
    """The ``edges`` of a SetMix are in force since the tick at ``at``."""

    call_id: CallId
    edges: tuple[tuple[str, str, float], ...]
    at: float


class SpeechStarted(Message, frozen=True):
    """The VAD gate opened. ``onset_at`` is when the speech began (before detection); playout that was
    interruptible was paused in the same tick: ``paused`` says so."""

    leg_id: LegId
    at: float
    onset_at: float
    paused: bool


class SpeechPaused(Message, frozen=True):
    """The caller fell silent at ``offset_at``, so shortly ago that the gate is still open: nothing follows if they
    go on at once, :class:`SpeechStopped` if they do not."""

    leg_id: LegId
    at: float
    offset_at: float


class SpeechStopped(Message, frozen=True):
    """The VAD gate closed. ``offset_at`` is when the speech ended (before the hang-over)."""

    leg_id: LegId
    at: float
    offset_at: float


class DtmfReceived(Message, frozen=True):
    """One key press, reported once, at its end or at the time limit of a long press."""

    leg_id: LegId
    digit: str
    duration_ms: int


class ToneHeard(Message, frozen=True):
    """The network plays something: the name of a :class:`voicegw.audio.progress_detect.Tone`."""

    leg_id: LegId
    tone: str
    at: float


class AudioTapped(Message, frozen=True):
    """What an ear of a call got since the last one: one or more frames of 20 ms of PCM at the rate of the call."""

    call_id: CallId
    pcm: bytes
    ear: str = AGENT_EAR
    rate_hz: int = 8000


class AudioBatch(Message, frozen=True):
    """All taps of some ticks (``tap_ms``): one message, however many calls."""

    frames: tuple[AudioTapped, ...]


class PlayoutStarted(Message, frozen=True):
    """The first sample of the utterance left the socket at ``at``."""

    call_id: CallId
    utterance_id: UtteranceId
    at: float


class PlayoutPaused(Message, frozen=True):
    """``sent_samples`` of the utterance had left when the pause took effect."""

    call_id: CallId
    utterance_id: UtteranceId
    sent_samples: int
    at: float


class PlayoutResumed(Message, frozen=True):
    """The utterance goes on."""

    call_id: CallId
    utterance_id: UtteranceId
    at: float


class PlayoutFinished(Message, frozen=True):
    """All of a final utterance has left."""

    call_id: CallId
    utterance_id: UtteranceId
    sent_samples: int
    at: float


class PlayoutCut(Message, frozen=True):
    """The rest of the utterance was dropped; ``sent_samples`` of ``queued_samples`` had left."""

    call_id: CallId
    utterance_id: UtteranceId
    sent_samples: int
    queued_samples: int
    at: float


class PlayoutStarved(Message, frozen=True):
    """The utterance is not final and its audio ran out: the caller hears a gap."""

    call_id: CallId
    utterance_id: UtteranceId
    sent_samples: int
    at: float


class DtmfSent(Message, frozen=True):
    """The last digit of a SendDtmf has left."""

    leg_id: LegId
    digits: str


class RecordingStarted(Message, frozen=True):
    """The file is open."""

    call_id: CallId
    path: str
    at: float


class RecordingEnded(Message, frozen=True):
    """The file has its final name; ``dropped_samples`` could not be written in time."""

    call_id: CallId
    path: str
    samples: int
    dropped_samples: int


class RecordingDiscarded(Message, frozen=True):
    """The file was removed; nothing of it is left."""

    call_id: CallId
    path: str


class RecordingFailed(Message, frozen=True):
    """The recorder stopped (full disk, permissions); the call goes on."""

    call_id: CallId
    path: str
    reason: str


class CaptureStarted(Message, frozen=True):
    """The file of a packet capture is open."""

    call_id: CallId
    path: str


class CaptureEnded(Message, frozen=True):
    """The capture that was to be ``wish`` is over, by order or by itself; it is now at ``path``, "" for nowhere.

    ``dropped`` packets found no room on the way to the disk; ``reason`` is for people.
    """

    call_id: CallId
    wish: str
    path: str
    packets: int
    size: int
    dropped: int
    reason: str


class WorkerReport(Message, frozen=True):
    """Heartbeat, a few times a second: lateness of the ticks since the last report and the worker's counters."""

    at: float
    ticks: int
    late_ticks: int
    worst_lateness_ms: float
    busy_ratio: float
    legs: int
    counters: dict[str, int]
    worker: int = 0
    """Which of several workers; set where they are known apart."""
    histograms: dict[str, HistogramState] = msgspec.field(default_factory=dict)
    """Since the worker began, by the names of the catalogue."""
    ports_free: int = 0
    """Pairs of ports that are not in use; those of another program among them."""


Event: TypeAlias = (
    LegOpened
    | LegMoved
    | LegFailed
    | LegClosed
    | MediaLatched
    | KeystreamReached
    | RtcpPassed
    | MediaTimedOut
    | LegProbed
    | QualityRated
    | MixChanged
    | SpeechStarted
    | SpeechPaused
    | SpeechStopped
    | DtmfReceived
    | ToneHeard
    | AudioBatch
    | PlayoutStarted
    | PlayoutPaused
    | PlayoutResumed
    | PlayoutFinished
    | PlayoutCut
    | PlayoutStarved
    | DtmfSent
    | RecordingStarted
    | RecordingEnded
    | RecordingDiscarded
    | RecordingFailed
    | CaptureStarted
    | CaptureEnded
    | WorkerReport
)
