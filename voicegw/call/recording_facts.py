"""Facts of a recording session (SIPREC): who is recorded in which stream, and what each of them says.

``label`` names a stream as the session description and the metadata do (RFC 4574); where it has none, it is the
number of its section in the description, from 0.
"""

from __future__ import annotations

import msgspec

from voicegw.call.fact import Fact


class RecordedSession(msgspec.Struct, frozen=True, omit_defaults=True):
    """A communication session that is recorded. Times and ids as the client wrote them; "" where it did not."""

    id: str
    sip_session_ids: tuple[str, ...] = ()
    started: str = ""
    stopped: str = ""
    reason: str = ""
    group: str = ""


class RecordedParticipant(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody in it. ``speaks_in``, ``hears``: labels of streams. ``gone``: they have left."""

    id: str
    aor: str = ""
    name: str = ""
    speaks_in: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    gone: bool = False


class RecordingWasDescribed(Fact, frozen=True):
    """The metadata of a recording session (RFC 7865), as it is known from here on, or that it could not be read."""

    readable: bool
    sessions: tuple[RecordedSession, ...] = ()
    participants: tuple[RecordedParticipant, ...] = ()


class StreamWasAgreed(Fact, frozen=True):
    """A stream is recorded from here on, on this side of the recording: left or right."""

    label: str
    side: str
    codec: str
    remote: str


class StreamWasPaused(Fact, frozen=True):
    """The client does not send a stream for now, or sends it again."""

    label: str
    paused: bool


class StreamHasEnded(Fact, frozen=True):
    """A stream was taken out of the recording session, which goes on."""

    label: str


class ParticipantSpoke(Fact, frozen=True):
    """Somebody who is recorded spoke. ``participant`` (an id) and ``name`` are empty where nobody knows."""

    label: str
    participant: str
    name: str
    text: str
    confidence: float
    started_ms: float
    ended_ms: float
