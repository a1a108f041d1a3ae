"""What the gateway and an inference worker say to each other: flat, frozen, msgpack, one kind of engine a worker.

Every job is a stream with an id. Events of a stream that the gateway has closed are refused by that id.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from voicegw.base.ids import StreamId


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages; the class name is the tag."""


# ---------------------------------------------------------------- commands


class DefineModel(Message, frozen=True):
    """Name a domain language model. It is compiled when it is first used, or at :class:`PrepareModel`."""

    key: str
    phrases: tuple[str, ...]
    boost: tuple[str, ...]


class PrepareModel(Message, frozen=True):
    """Compile and load a defined model now; answered by StreamEnded or StreamFailed."""

    stream_id: StreamId
    key: str


class OpenRecognition(Message, frozen=True):
    """Begin one utterance. ``channel`` is what an earlier one of this caller ended with, empty at first.

    ``language`` is a BCP 47 tag, ``auto`` to find out, empty for an engine of one language. ``rate_hz``
    is 8000 or 16000.
    """

    stream_id: StreamId
    key: str
    channel: str
    language: str = ""
    rate_hz: int = 8000


class PushAudio(Message, frozen=True):
    """16-bit little-endian mono PCM, at the rate of the utterance."""

    stream_id: StreamId
    pcm: bytes


class FinishRecognition(Message, frozen=True):
    """The utterance is over; answered by TextFinal."""

    stream_id: StreamId


class Synthesize(Message, frozen=True):
    """Make speech; answered by AudioMade and WordBegan, then StreamEnded."""

    stream_id: StreamId
    text: str
    voice: str
    language: str
    rate: float
    sample_rate_hz: int


class CloseStream(Message, frozen=True):
    """Nobody wants the rest: stop working on it."""

    stream_id: StreamId


class Ping(Message, frozen=True):
    """Answered at once, even in the middle of a job."""

    number: int


Command: TypeAlias = (
    DefineModel | PrepareModel | OpenRecognition | PushAudio | FinishRecognition | Synthesize | CloseStream | Ping
)

# ---------------------------------------------------------------- events


class WorkerReady(Message, frozen=True):
    """The engine is loaded. ``voices`` and ``languages`` (BCP 47) are what it found on this machine.

    ``version`` as in :class:`voicegw.ports.tts.TtsCapabilities`.
    """

    voices: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    version: str = ""


class WorkerRefused(Message, frozen=True):
    """The engine cannot run on this machine; ``reason`` says what to install. The worker exits."""

    reason: str


class TextChanged(Message, frozen=True):
    """The best text so far."""

    stream_id: StreamId
    text: str


class TextFinal(Message, frozen=True):
    """The text of an utterance; ends the stream. ``channel`` is what was learnt of the caller's voice and line;
    ``language`` in which language it was, empty where that is no question."""

    stream_id: StreamId
    text: str
    confidence: float
    audio_ms: float
    decode_ms: float
    channel: str
    language: str = ""


class AudioMade(Message, frozen=True):
    """A piece of 16-bit little-endian mono PCM at the rate that was asked for."""

    stream_id: StreamId
    pcm: bytes


class WordBegan(Message, frozen=True):
    """The word ``text[start_char:end_char]`` begins at ``at_sample``."""

    stream_id: StreamId
    at_sample: int
    start_char: int
    end_char: int


class StreamEnded(Message, frozen=True):
    """All of it was done."""

    stream_id: StreamId


class StreamFailed(Message, frozen=True):
    """The job ended badly; ``retryable`` says whether another try may succeed."""

    stream_id: StreamId
    reason: str
    retryable: bool


class Pong(Message, frozen=True):
    """Answer to Ping, with the resident memory of the worker."""

    number: int
    rss_kb: int


StreamEvent: TypeAlias = TextChanged | TextFinal | AudioMade | WordBegan | StreamEnded | StreamFailed
Event: TypeAlias = StreamEvent | WorkerReady | WorkerRefused | Pong

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
