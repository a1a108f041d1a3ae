"""Offer and answer (RFC 3264) for one audio stream: which codec, where to, and which way.

Pure: descriptions in, descriptions and a MediaSession out. A MediaSession is what the media worker needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sdp.codec_choice import DTMF, G722, OPUS, PCMA, PCMU, CodecChoice, choose
from voicegw.sdp.codecs import Codec, codecs_of
from voicegw.sdp.description import (
    Attributes,
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
    connection_for,
)
from voicegw.sdp.direction import SENDRECV, answer_direction, direction_of, receives, sends
from voicegw.sdp.opus_parameters import NO_WISHES, OpusParameters, parse_opus
from voicegw.sdp.reports import NEXT_PORT, ReportPlace, mux_attribute, place_of_reports
from voicegw.sdp.security import (
    PLAIN,
    PLAIN_PROFILES,
    SECURE_PROFILES,
    Security,
    SrtpKeys,
    Unprotected,
    is_secure,
    keys_for_offer,
    keys_of_answer,
    offered_lines,
    offered_profile,
)

DEFAULT_PREFERENCES = (PCMU, PCMA, DTMF)
"""What we offer, best first."""

DEFAULT_PTIME_MS = 20
PTIMES_MS = (10, 20, 30, 40, 60)
"""Packet times that we send, by the wish of the peer."""
MAX_PTIME_MS = 120
"""The longest packets that we take, of whatever codec (RFC 8866 §6.5): the longest of Opus (RFC 7587 §3.1)."""
_PROTOCOLS = (*PLAIN_PROFILES, *SECURE_PROFILES)
_Protect = Callable[[MediaDescription], tuple[SrtpKeys | None, Attributes]]
"""What protection a section agrees, and what we say to that; raises Unprotected."""


class NotAcceptable(RemoteProtocolError):
    """The description is sound but nothing in it suits us: 488 (RFC 3261 §21.4.26)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 488)


@dataclass(frozen=True, slots=True)
class MediaSession:
    """One negotiated audio stream as we see it: what we send, where to, and what to expect.

    Payload types are two: each side names the numbers under which it wants to receive, so ``payload_type`` is the
    peer's and goes into our packets, ``receive_payload_type`` is ours and comes in the peer's. -1 is no DTMF, whose
    durations are counted at ``dtmf_clock_hz``. ``other_codecs``: what else the peer may send, (our number, name).
    ``remote_port`` is 0, and both directions are off, where the peer stopped the stream with port 0. ``srtp`` has
    the keys of a protected stream, None is plain RTP.
    """

    remote_ip: str
    remote_port: int
    codec: str
    payload_type: int
    receive_payload_type: int
    dtmf_payload_type: int = -1
    dtmf_receive_payload_type: int = -1
    ptime_ms: int = DEFAULT_PTIME_MS
    send: bool = True
    receive: bool = True
    srtp: SrtpKeys | None = None
    reports: ReportPlace = NEXT_PORT
    dtmf_clock_hz: int = 8_000
    tones: bool = True
    """Tones in the audio mean something: a telephone network is at the far end."""
    key_tones: bool = True
    """Keys may be among them where no events are agreed."""
    opus: OpusParameters = NO_WISHES
    other_codecs: tuple[tuple[int, str], ...] = ()
    noise_payload_type: int = -1
    """Under which the peer takes comfort noise for our pauses (RFC 3389); -1 where that was not agreed."""

    @property
    def rate_hz(self) -> int:
        """At which the codec samples, as far as we make use of it."""
        return 16_000 if self.codec in (G722.name, OPUS.name) else 8_000

    @property
    def on_hold(self) -> bool:
        """True while the peer does not want to hear us, whether or not it sends (music on hold)."""
        return not self.send


@dataclass(frozen=True, slots=True)
class Answer:
    """Our answer and what it agreed."""

    description: SessionDescription
    session: MediaSession


@dataclass(frozen=True, slots=True)
class _Choice:
    """The audio section that is taken, by the peer's numbering."""

    index: int
    media: MediaDescription
    codecs: CodecChoice
    remote_ip: str
    ptime_ms: int
    srtp: SrtpKeys | None
    crypto: Attributes
    """What our answer says about SRTP."""


def make_offer(
    local_ip: str,
    rtp_port: int,
    preferences: tuple[Codec, ...] = DEFAULT_PREFERENCES,
    session_id: int = 1,
    version: int = 1,
    direction: str = SENDRECV,
    ptime_ms: int = DEFAULT_PTIME_MS,
    before: SessionDescription | None = None,
    security: Security = PLAIN,
) -> SessionDescription:
    """Return an offer of one audio stream; LocalError where ``local_ip`` is no address.

    ``before`` is what we said last in this dialog: its sections keep their places, refused but for the audio, as no
    section ever goes away again (RFC 3264 §8).
    """
    profile = offered_profile(security, None if before is None else _audio_of(before))
    more = (*offered_lines(security), *mux_attribute(None))
    audio = _audio(rtp_port, profile, preferences, direction, ptime_ms, more)
    return _describe(local_ip, _in_place(audio, before), session_id, version)


def make_answer(
    offer: SessionDescription,
    local_ip: str,
    rtp_port: int,
    preferences: tuple[Codec, ...] = DEFAULT_PREFERENCES,
    session_id: int = 1,
    version: int = 1,
    direction: str = SENDRECV,
    security: Security = PLAIN,
) -> Answer:
    """Answer an offer: one audio stream is taken, every other media section is refused in its place with port 0.

    The offerer's order of codecs counts, and its payload types are used both ways (RFC 3264 §6.1). We answer with
    one codec, so that the peer does not switch in mid-call. ``direction`` is our own wish (hold by us).
    NotAcceptable where no audio section has a codec of ours, an address that we can send to, and the protection
    that ``security`` asks for.
    """
    choice = _choose(
        offer, preferences, connection_for(local_ip), protect=lambda media: keys_for_offer(media, security)
    )
    media = choice.media
    way = answer_direction(direction_of(offer, media), direction)
    chosen = choice.codecs
    codecs = (chosen.audio, *filter(None, (chosen.dtmf, chosen.noise)))
    port = rtp_port if media.port else 0
    audio = _audio(port, media.protocol, codecs, way, choice.ptime_ms, (*choice.crypto, *mux_attribute(media)))
    sections = tuple(
        [audio if index == choice.index else _refuse(other) for index, other in enumerate(offer.media)]
    )
    reports = place_of_reports(media, choice.remote_ip)
    return Answer(_describe(local_ip, sections, session_id, version), _session(choice, way, codecs, reports))


def accept_answer(offer: SessionDescription, answer: SessionDescription) -> MediaSession:
    """Return what the peer's answer to our offer agreed.

    RemoteProtocolError where the answer does not have our media sections in our order (RFC 3264 §6); NotAcceptable
    where it refused the audio or names no codec that we offered.
    """
    if [media.media for media in answer.media] != [media.media for media in offer.media]:
        raise RemoteProtocolError("media sections of the answer differ from the offer", 488)
    offered = _audio_of(offer)
    ours = codecs_of(offered)
    own = offer.connection_of(offered) or offer.origin.connection
    choice = _choose(answer, ours, own, ours, lambda media: (keys_of_answer(offered, media), ()))
    if not choice.media.port and offered.port:
        raise NotAcceptable("audio refused")
    way = answer_direction(direction_of(answer, choice.media), direction_of(offer, offered))
    return _session(choice, way, ours, place_of_reports(choice.media, choice.remote_ip, offered))


def _audio_of(offer: SessionDescription) -> MediaDescription:
    """The section of ours that carries audio: an answer of ours, offered again, may refuse others before it."""
    audio = [media for media in offer.media if media.media == "audio"]
    return next((media for media in audio if media.port), audio[0] if audio else offer.media[0])


def _session(choice: _Choice, way: str, ours: tuple[Codec, ...], reports: ReportPlace) -> MediaSession:
    """Return the outcome; ``way`` is our direction, ``ours`` has the numbers under which we receive."""
    audio, dtmf, noise = choice.codecs.audio, choice.codecs.dtmf, choice.codecs.noise
    others = ((_number_of(codec, ours), codec.name) for codec in choice.codecs.others)
    return MediaSession(
        remote_ip=choice.remote_ip,
        remote_port=choice.media.port,
        codec=audio.name,
        payload_type=audio.payload_type,
        receive_payload_type=_number_of(audio, ours),
        dtmf_payload_type=-1 if dtmf is None else dtmf.payload_type,
        dtmf_receive_payload_type=-1 if dtmf is None else _number_of(dtmf, ours),
        ptime_ms=choice.ptime_ms,
        send=sends(way),
        receive=receives(way),
        srtp=choice.srtp,
        reports=reports,
        dtmf_clock_hz=DTMF.clock_hz if dtmf is None else dtmf.clock_hz,
        opus=parse_opus(choice.codecs.parameters),
        other_codecs=tuple((number, name) for number, name in others if number >= 0),
        noise_payload_type=-1 if noise is None else noise.payload_type,
    )


def _describe(
    local_ip: str, media: tuple[MediaDescription, ...], session_id: int, version: int
) -> SessionDescription:
    connection = connection_for(local_ip)
    # Not "-": sipp's own scenarios look for an alphanumeric user name in the o= line.
    origin = Origin("voicegw", str(session_id), str(version), connection)
    return SessionDescription(origin=origin, media=media, connection=connection)


def _audio(
    port: int, protocol: str, codecs: tuple[Codec, ...], direction: str, ptime_ms: int, more: Attributes
) -> MediaDescription:
    attributes: list[tuple[str, str | None]] = []
    for codec in codecs:
        attributes.append(("rtpmap", codec.rtpmap))
        if codec.fmtp:
            attributes.append(("fmtp", f"{codec.payload_type} {codec.fmtp}"))
    attributes.append(("ptime", str(ptime_ms)))
    attributes.append(("maxptime", str(MAX_PTIME_MS)))
    attributes.append((direction, None))
    attributes += more
    formats = tuple(str(codec.payload_type) for codec in codecs)
    return MediaDescription("audio", port, protocol, formats, attributes=tuple(attributes))


def _refuse(media: MediaDescription) -> MediaDescription:
    """A refused section keeps its place, protocol and formats (RFC 3264 §6)."""
    return MediaDescription(media.media, 0, media.protocol, media.formats)


def _in_place(audio: MediaDescription, before: SessionDescription | None) -> tuple[MediaDescription, ...]:
    sections = before.media if before is not None else ()
    places = [index for index, media in enumerate(sections) if media.media == audio.media]
    live = [index for index in places if sections[index].port]
    if not places:
        return (*(_refuse(media) for media in sections), audio)
    place = (live or places)[0]
    return tuple(audio if index == place else _refuse(media) for index, media in enumerate(sections))


def _choose(
    remote: SessionDescription,
    preferences: tuple[Codec, ...],
    own: Connection,
    assumed: tuple[Codec, ...] = (),
    protect: _Protect = lambda _media: (None, ()),
) -> _Choice:
    """Return the first audio section that suits us, a protected one before others; NotAcceptable without one.

    A section with port 0 is taken only when there is no live one, of whatever kind: some peers put a call on hold
    that way, but beside a live section it is a change to fax (T.38) or to video alone.
    ``assumed`` names dynamic payload types that the peer lists without an rtpmap.
    """
    reason = "no audio over RTP"
    all_stopped = not any(media.port for media in remote.media)
    for index, media in sorted(enumerate(remote.media), key=lambda each: not is_secure(each[1])):
        stopped = media.port == 0 and not all_stopped
        if media.media != "audio" or media.protocol.upper() not in _PROTOCOLS or stopped:
            continue
        remote_ip = _target(remote.connection_of(media), own)
        codecs = choose(codecs_of(media, assumed), preferences)
        if remote_ip is None or codecs is None:
            reason = "no usable media address" if remote_ip is None else "no common codec"
            continue
        try:
            srtp, crypto = protect(media)
        except Unprotected as refused:
            reason = str(refused)
            continue
        return _Choice(index, media, codecs, remote_ip, _ptime_ms(remote, media), srtp, crypto)
    raise NotAcceptable(reason)


def _number_of(codec: Codec, ours: tuple[Codec, ...]) -> int:
    """Under which we receive ``codec``; -1 if we do not: our answer left it out."""
    return next((own.payload_type for own in ours if own is codec or own.matches(codec)), -1)


def _target(connection: Connection | None, own: Connection) -> str | None:
    """Return the address to send to, None where there is none: a name, multicast or broadcast, the other family.

    The unspecified address passes: it is hold as RFC 2543 spelled it, and nothing is sent.
    """
    ip = None if connection is None else connection.ip
    local = own.ip
    if ip is None or ip.is_multicast or ip.compressed == "255.255.255.255":
        return None
    if local is not None and local.version != ip.version and not ip.is_unspecified:
        return None
    return ip.compressed


def _ptime_ms(description: SessionDescription, media: MediaDescription) -> int:
    """Return the packet time that the peer wants, held to its maxptime and to what we can send."""
    wish = _milliseconds(description.attribute_of(media, "ptime")) or DEFAULT_PTIME_MS
    limit = _milliseconds(description.attribute_of(media, "maxptime")) or PTIMES_MS[-1]
    most = min(wish, limit)
    fitting = [ptime for ptime in PTIMES_MS if ptime <= most]
    return fitting[-1] if fitting else PTIMES_MS[0]


def _milliseconds(text: str | None) -> int:
    if text is None:
        return 0
    text = text.partition(".")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
