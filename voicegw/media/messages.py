"""What the gateway and the media worker say to each other. Commands are imperative, events are past tense.

All are flat and frozen and travel as msgpack (:mod:`voicegw.base.messages` frames them). Positions are integer
samples at 8 kHz (1/8000 s), at whatever rate the call is mixed; ``at`` is CLOCK_MONOTONIC in seconds, one scale
for both processes. PCM is 16-bit little-endian mono at the ``rate_hz`` beside it.
"""

from __future__ import annotations

import msgspec

from voicegw.media.commands import (
    CaptureMessage,
    ChangeCapture,
    ChangeSettings,
    CloseLeg,
    Command,
    ConfigureLeg,
    CutPlayout,
    LegKeys,
    OpenLeg,
    PausePlayout,
    ProbeLeg,
    QueueAudio,
    ResumePlayout,
    SendDtmf,
    SetMix,
    Shutdown,
    StartCapture,
    StartRecording,
    StopCapture,
    StopRecording,
)
from voicegw.media.events import (
    AudioBatch,
    AudioTapped,
    CaptureEnded,
    CaptureStarted,
    DtmfReceived,
    DtmfSent,
    Event,
    KeystreamReached,
    LegClosed,
    LegFailed,
    LegMoved,
    LegOpened,
    LegProbed,
    LegStats,
    MediaLatched,
    MediaTimedOut,
    MixChanged,
    PlayoutCut,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutStarved,
    QualityRated,
    RecordingDiscarded,
    RecordingEnded,
    RecordingFailed,
    RecordingStarted,
    RtcpPassed,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    ToneHeard,
    WorkerReport,
)
from voicegw.media.message import Message

__all__ = [
    "AudioBatch",
    "AudioTapped",
    "CaptureEnded",
    "CaptureMessage",
    "CaptureStarted",
    "ChangeCapture",
    "CloseLeg",
    "Command",
    "ConfigureLeg",
    "CutPlayout",
    "DtmfReceived",
    "DtmfSent",
    "Event",
    "KeystreamReached",
    "LegClosed",
    "LegFailed",
    "LegKeys",
    "LegMoved",
    "LegOpened",
    "LegProbed",
    "LegStats",
    "MediaLatched",
    "MediaTimedOut",
    "Message",
    "MixChanged",
    "OpenLeg",
    "PausePlayout",
    "PlayoutCut",
    "PlayoutFinished",
    "PlayoutPaused",
    "PlayoutResumed",
    "PlayoutStarted",
    "PlayoutStarved",
    "ProbeLeg",
    "QualityRated",
    "QueueAudio",
    "RecordingDiscarded",
    "RecordingEnded",
    "RecordingFailed",
    "RecordingStarted",
    "ResumePlayout",
    "RtcpPassed",
    "SendDtmf",
    "SetMix",
    "ChangeSettings",
    "Shutdown",
    "SpeechPaused",
    "SpeechStarted",
    "SpeechStopped",
    "StartCapture",
    "StartRecording",
    "StopCapture",
    "StopRecording",
    "ToneHeard",
    "WorkerReport",
    "decode_command",
    "decode_event",
    "encode",
]

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
