"""What the gateway and the media worker say to each other. Commands are imperative, events are past tense.

All are flat and frozen and travel as msgpack (:mod:`voicegw.base.messages` frames them). Positions are integer
samples at 8 kHz (1/8000 s), at whatever rate the call is mixed; ``at`` is CLOCK_MONOTONIC in seconds, one scale
for both processes. PCM is 16-bit little-endian mono at the ``rate_hz`` beside it.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.call.edges import AGENT, AGENT_EAR
from voicegw.sdp.opus_parameters import NO_WISHES, OpusParameters


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages; the class name is the tag."""


# ---------------------------------------------------------------- commands


class LegKeys(Message, frozen=True):
    """Master keys, with their salts, for SRTP (RFC 4568): what we send with, and what the peer does."""

    suite: str
    send: bytes
    receive: bytes
    receive_mki: bytes = b""

    def __repr__(self) -> str:
        """Without the keys: commands may be logged."""
        return f"LegKeys({self.suite})"


class OpenLeg(Message, frozen=True):
    """Take a row and an RTP/RTCP port pair; answered by LegOpened or LegFailed. Sends nothing yet."""

    leg_id: LegId
    call_id: CallId
    local_ip: str


class ConfigureLeg(Message, frozen=True):
    """Apply a negotiated session (RFC 3264); sent again after a re-INVITE. A new address unlatches the source.

    ``codec`` is "PCMU", "PCMA", "G722" or "opus"; that of the first leg of a call decides at which rate the call is
    mixed, for good. ``dtmf_payload_type`` is -1 when not negotiated. These two numbers are the peer's and go out
    with our packets; the ``receive`` ones are ours, -1 where they are the same. Both are taken from the peer: many
    send under the number that they were offered, whatever they answered. Keys are measured in ``dtmf_clock_hz``.
    ``other_codecs``: what else the peer may change to without a word, (payload type, name).
    ``ptime_ms`` is of our packets; ``send`` / ``receive`` follow the direction attribute (both false when on hold).
    ``inband_keys``: keys are tones in the audio, both ways. ``progress``: tell what the network plays (ToneHeard).
    ``vad``: detect speech on what arrives. ``tap``: send
    AudioTapped for what arrives. ``srtp``: the keys of a protected stream; the same ones again change nothing about
    it. ``rtcp_mux``: reports go by the port of the audio, else to ``rtcp_ip`` and ``rtcp_port`` (0: the port above
    it).
    """

    leg_id: LegId
    remote_ip: str
    remote_port: int
    codec: str
    payload_type: int
    dtmf_payload_type: int = -1
    receive_payload_type: int = -1
    dtmf_receive_payload_type: int = -1
    ptime_ms: int = 20
    send: bool = True
    receive: bool = True
    vad: bool = True
    tap: bool = True
    dtmf_clock_hz: int = 8000
    inband_keys: bool = False
    progress: bool = False
    opus: OpusParameters = NO_WISHES
    other_codecs: tuple[tuple[int, str], ...] = ()
    srtp: LegKeys | None = None
    rtcp_mux: bool = False
    rtcp_ip: str = ""
    rtcp_port: int = 0


class CloseLeg(Message, frozen=True):
    """Stop the leg; its port stays bound for the draining time. Answered by LegClosed."""

    leg_id: LegId


class SetMix(Message, frozen=True):
    """Replace who hears whom for one call: (source, sink, gain) edges, the whole matrix (DESIGN §4).

    Sources: a leg id (what it says) or a voice, that is a playout queue of the call (``agent`` and whatever audio
    was queued for). Sinks: a leg id (what it is sent), ears (ASR taps: ``agent_ear`` and those of single legs),
    ``rec_in`` and ``rec_out`` (left and right of the recording); the names are in :mod:`voicegw.call.edges`.
    """

    call_id: CallId
    edges: tuple[tuple[str, str, float], ...]


class QueueAudio(Message, frozen=True):
    """Append audio to an utterance of a voice of a call. The first chunk queues the utterance.

    ``final`` closes it; an empty ``pcm`` is allowed. ``interruptible``: caller speech pauses it at once; only the
    agent can be interrupted. What has another ``rate_hz`` than the call is converted.
    """

    call_id: CallId
    utterance_id: UtteranceId
    pcm: bytes
    final: bool = False
    interruptible: bool = True
    voice: str = AGENT
    rate_hz: int = 8000


class PausePlayout(Message, frozen=True):
    """Hold the playout where it is; silence is sent meanwhile."""

    call_id: CallId
    voice: str = AGENT


class ResumePlayout(Message, frozen=True):
    """Go on from the exact sample of the pause."""

    call_id: CallId
    voice: str = AGENT


class CutPlayout(Message, frozen=True):
    """Drop all queued utterances of a voice; each answers PlayoutCut with what was sent of it."""

    call_id: CallId
    voice: str = AGENT


class ProbeLeg(Message, frozen=True):
    """Tell how a leg stands; LegProbed answers."""

    leg_id: LegId


class SendDtmf(Message, frozen=True):
    """Send digits on a leg, by RFC 4733 or as tones, in order, with correct gaps."""

    leg_id: LegId
    digits: str
    duration_ms: int = 120


class StartRecording(Message, frozen=True):
    """Record ``rec_in`` and ``rec_out`` as a stereo WAV at the call's rate, in ``path + '.part'`` until stopped."""

    call_id: CallId
    path: str


class StopRecording(Message, frozen=True):
    """Close the file and give it its final name, or remove it: answers RecordingEnded or RecordingDiscarded."""

    call_id: CallId
    discard: bool = False


class Shutdown(Message, frozen=True):
    """Close everything and exit."""


Command: TypeAlias = (
    OpenLeg
    | ConfigureLeg
    | CloseLeg
    | SetMix
    | QueueAudio
    | PausePlayout
    | ResumePlayout
    | CutPlayout
    | SendDtmf
    | ProbeLeg
    | StartRecording
    | StopRecording
    | Shutdown
)

# ---------------------------------------------------------------- events


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

    ``peer_lost`` is what the peer reported of our packets; ``round_trip_ms`` -1 when its reports gave none;
    ``mos`` the estimate for what we received (ITU-T G.107), 0 when nothing was. ``srtp`` is the suite of a
    protected leg; forged packets were not made with its key, replayed ones had come before.
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


class LegClosed(Message, frozen=True):
    """The leg is gone."""

    leg_id: LegId
    stats: LegStats


class MediaLatched(Message, frozen=True):
    """The first good packets arrived and the source is locked (RFC 4961, INTEROP §32)."""

    leg_id: LegId
    remote_ip: str
    remote_port: int
    at: float


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


Event: TypeAlias = (
    LegOpened
    | LegMoved
    | LegFailed
    | LegClosed
    | MediaLatched
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
    | WorkerReport
)

_encoder = msgspec.msgpack.Encoder()
_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_event_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def encode(message: Message) -> bytes:
    """Serialise a command or an event."""
    return _encoder.encode(message)


def decode_command(payload: bytes) -> Command:
    """Parse a command; raises ``msgspec.DecodeError``."""
    return _command_decoder.decode(payload)


def decode_event(payload: bytes) -> Event:
    """Parse an event; raises ``msgspec.DecodeError``."""
    return _event_decoder.decode(payload)
