"""What the gateway asks of a media worker; :mod:`voicegw.media.messages` has units and scales."""

from __future__ import annotations

from typing import TypeAlias

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.call.edges import AGENT
from voicegw.media.config import MediaConfig
from voicegw.media.message import Message
from voicegw.sdp.opus_parameters import NO_WISHES, OpusParameters


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
    ``noise_payload_type``: pauses of ours are sent as comfort noise under this number; -1 as audio like all else.
    ``other_codecs``: what else the peer may change to without a word, (payload type, name).
    ``ptime_ms`` is of our packets; ``send`` / ``receive`` follow the direction attribute (both false when on hold).
    ``inband_keys``: keys are tones in the audio, both ways. ``progress``: tell what the network plays (ToneHeard).
    ``vad``: detect speech on what arrives. ``tap``: send AudioTapped for what arrives.
    ``srtp``: the keys of a protected stream; the same ones again change nothing about it. ``heard_ssrc`` and
    ``heard_to``: what another worker told of the peer's stream (KeystreamReached); -1 for nothing.
    ``rtcp_mux``: reports go by the port of the audio, else to ``rtcp_ip`` and ``rtcp_port`` (0: the port above it).
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
    heard_ssrc: int = -1
    heard_to: int = 0
    rtcp_mux: bool = False
    rtcp_ip: str = ""
    rtcp_port: int = 0
    noise_payload_type: int = -1


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


class StartCapture(Message, frozen=True):
    """Write every packet of all legs of a call to ``path + '.part'`` until stopped or at a limit: CaptureStarted.

    ``audio``: with what is said, else of each audio packet the RTP header alone. ``keys``: the same of everything
    that is no audio. RTCP is there in full. SRTP is written as it is inside, decrypted.
    """

    call_id: CallId
    path: str
    audio: bool
    keys: bool
    max_bytes: int
    max_s: float


class ChangeCapture(Message, frozen=True):
    """From now on a capture has what is said and keyed in, or the headers alone."""

    call_id: CallId
    audio: bool
    keys: bool


class CaptureMessage(Message, frozen=True):
    """A message of the call's signalling for the capture beside its audio; ``wall_us`` is Unix time in µs."""

    call_id: CallId
    wall_us: int
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes


class StopCapture(Message, frozen=True):
    """Close the file and give it its final name, or remove it; answered by CaptureEnded."""

    call_id: CallId
    discard: bool = False


class ChangeSettings(Message, frozen=True):
    """What the worker does from now on, what it logs, and how files that it begins from now on are kept."""

    log_level: str
    """debug, info, warning or error."""
    log_personal: str
    """keep or drop: a worker has no key for pseudonyms."""
    keep_free_mb: int
    """See :class:`voicegw.recording.config.RecordingConfig`; counts for running recordings, too."""
    max_total_mb: int
    seal_to: tuple[bytes, ...]
    """Public keys."""
    media: MediaConfig
    """Ports, rows and compiled code stay as they are, whatever it says."""
    tell_reports: bool = False
    """Of every report of RTCP there is an event."""


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
    | StartCapture
    | ChangeCapture
    | CaptureMessage
    | StopCapture
    | ChangeSettings
    | Shutdown
)
