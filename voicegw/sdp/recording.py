"""Offer and answer of a recording session (RFC 7866 §7): several audio sections, each a stream of a voice.

The recorder only receives. Every section is agreed on its own, as if it were alone (RFC 3264 §6), so what is true
of one stream is true of each: codecs, addresses, hold. A section keeps its place for the whole session, and a
stream is found by it; its label (RFC 4574) says which it is in the metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from voicegw.base.errors import RemoteProtocolError
from voicegw.sdp.codecs import Codec
from voicegw.sdp.description import MediaDescription, Origin, SessionDescription, connection_for
from voicegw.sdp.direction import RECVONLY
from voicegw.sdp.negotiate import MediaSession, NotAcceptable, accept_answer, make_answer
from voicegw.sdp.security import PLAIN, Security

MOST_STREAMS: Final = 8
"""Streams of one recording session; sections beyond them are refused, as any that we cannot serve."""
_LONGEST_LABEL: Final = 64


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """A stream that is agreed. ``place`` is the number of its section; ``label`` is "" where it has none."""

    place: int
    label: str
    session: MediaSession


@dataclass(frozen=True, slots=True)
class StreamsAnswer:
    """Our answer and the streams that it agreed, in the order of their sections."""

    description: SessionDescription
    streams: tuple[RecordedStream, ...]


def wanted_places(offer: SessionDescription) -> tuple[int, ...]:
    """The sections that a port is needed for: live audio, as far as we take it."""
    live = (place for place, media in enumerate(offer.media) if media.media == "audio" and media.port)
    return tuple(live)[:MOST_STREAMS]


def answer_streams(
    offer: SessionDescription,
    local_ip: str,
    ports: Mapping[int, int],
    preferences: tuple[Codec, ...],
    security: Callable[[int], Security] = lambda _place: PLAIN,
) -> StreamsAnswer:
    """Answer each section that has a port of ours; the others are refused in their places.

    ``security``: what may be agreed for the stream of a section.

    NotAcceptable where the offer has live audio, and none of it suits us.
    """
    sections: list[MediaDescription] = []
    streams: list[RecordedStream] = []
    reason = NotAcceptable("no stream that can be recorded")
    for place, media in enumerate(offer.media):
        sections.append(MediaDescription(media.media, 0, media.protocol, media.formats))
        if place not in ports or not media.port:
            continue
        alone = replace(offer, media=(media,))
        try:
            answer = make_answer(
                alone, local_ip, ports[place], preferences, direction=RECVONLY, security=security(place)
            )
        except NotAcceptable as error:
            reason = error
            continue
        sections[place] = _labelled(answer.description.media[0], label_of(media))
        streams.append(RecordedStream(place, label_of(media), answer.session))
    if not streams and wanted_places(offer):
        raise reason
    connection = connection_for(local_ip)
    origin = Origin("voicegw", "1", "1", connection)
    return StreamsAnswer(SessionDescription(origin, tuple(sections), connection), tuple(streams))


def agreed_streams(offer: SessionDescription, answer: SessionDescription) -> tuple[RecordedStream, ...]:
    """What the client's answer to an offer of ours agreed: what we said last, said again.

    RemoteProtocolError where the answer does not have our sections in our order (RFC 3264 §6).
    """
    if [media.media for media in answer.media] != [media.media for media in offer.media]:
        raise RemoteProtocolError("media sections of the answer differ from the offer", 488)
    streams: list[RecordedStream] = []
    for place, (ours, theirs) in enumerate(zip(offer.media, answer.media, strict=True)):
        if not ours.port or not theirs.port:
            continue
        session = accept_answer(replace(offer, media=(ours,)), replace(answer, media=(theirs,)))
        streams.append(RecordedStream(place, label_of(ours), session))
    return tuple(streams)


def label_of(media: MediaDescription) -> str:
    """The label of a section, "" without one or where it is longer than any label is."""
    label = (media.attribute("label") or "").strip()
    return label if len(label) <= _LONGEST_LABEL else ""


def _labelled(ours: MediaDescription, label: str) -> MediaDescription:
    """Our section under the client's label, for whoever reads the two side by side."""
    return replace(ours, attributes=(*ours.attributes, ("label", label))) if label else ours
