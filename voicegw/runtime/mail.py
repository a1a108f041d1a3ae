"""What lands in a call's mailbox besides call events and media events: reports of its own child tasks.

Each carries the id of the work it reports on; a report of work that is no longer wanted is refused by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from voicegw.agents.actions import AgentAction
from voicegw.base.ids import GenerationId, GuessId, LegId, StreamId, UtteranceId
from voicegw.call.events import CallEvent
from voicegw.gateway.events import LegMetadata, LegStreamsChanged, LegStreamsOffered
from voicegw.media import messages as m
from voicegw.ports.asr import AsrEvent
from voicegw.ports.tts import SpokenChunk
from voicegw.runtime.far_ends import FarEndChange
from voicegw.runtime.orders import Ordered
from voicegw.sdp.negotiate import MediaSession


@dataclass(frozen=True, slots=True)
class AsrReported:
    """The recogniser said something about a stream."""

    stream_id: StreamId
    event: AsrEvent


@dataclass(frozen=True, slots=True)
class EndOfTurnEstimated:
    """An end-of-turn model's word on a silence: 0 to 1 that the turn is over."""

    guess_id: GuessId
    probability: float


@dataclass(frozen=True, slots=True)
class AgentActed:
    """The agent's reply has one more action."""

    generation_id: GenerationId
    action: AgentAction


@dataclass(frozen=True, slots=True)
class AgentReplied:
    """The agent's reply is complete; ``failure`` is empty or why it is not."""

    generation_id: GenerationId
    failure: str = ""


@dataclass(frozen=True, slots=True)
class SentenceBegun:
    """The next audio of the utterance speaks this written text."""

    utterance_id: UtteranceId
    text: str


@dataclass(frozen=True, slots=True)
class SpeechMade:
    """A piece of synthesised audio, or what comes with it."""

    utterance_id: UtteranceId
    chunk: SpokenChunk


@dataclass(frozen=True, slots=True)
class SpeechDone:
    """All audio of the utterance is made; ``failure`` is empty or why the rest is missing."""

    utterance_id: UtteranceId
    failure: str = ""


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """The session of a leg is agreed, or was re-negotiated by its peer."""

    leg_id: LegId
    session: MediaSession


@dataclass(frozen=True, slots=True)
class EarlyMediaOffered:
    """A leg that is not answered yet has media (RFC 3960)."""

    leg_id: LegId
    session: MediaSession


@dataclass(frozen=True, slots=True)
class RecordingClientSaid:
    """The client of a recording session offered streams, changed them, or told who is recorded."""

    said: LegStreamsOffered | LegStreamsChanged | LegMetadata


@dataclass(frozen=True, slots=True)
class StreamsMoved:
    """All that another media worker took over of a recording session has its ports there."""


@dataclass(frozen=True, slots=True)
class CallerLookedUp:
    """What was found out about the caller while it rang, by name."""

    known: Mapping[str, str]


MediaMail: TypeAlias = (
    m.MediaLatched
    | m.MediaTimedOut
    | m.LegProbed
    | m.QualityRated
    | m.MixChanged
    | m.SpeechStarted
    | m.SpeechPaused
    | m.SpeechStopped
    | m.DtmfReceived
    | m.ToneHeard
    | m.PlayoutStarted
    | m.PlayoutPaused
    | m.PlayoutResumed
    | m.PlayoutFinished
    | m.PlayoutCut
    | m.PlayoutStarved
    | m.DtmfSent
    | m.RecordingStarted
    | m.RecordingEnded
    | m.RecordingDiscarded
    | m.RecordingFailed
    | m.CaptureStarted
    | m.CaptureEnded
    | m.LegFailed
    | m.LegMoved
    | m.LegClosed
)
ChildMail: TypeAlias = (
    AsrReported | EndOfTurnEstimated | AgentActed | AgentReplied | SentenceBegun | SpeechMade | SpeechDone
)
Mail: TypeAlias = (
    RecordingClientSaid
    | StreamsMoved
    | CallEvent
    | MediaMail
    | ChildMail
    | MediaChanged
    | EarlyMediaOffered
    | CallerLookedUp
    | FarEndChange
    | Ordered
)
