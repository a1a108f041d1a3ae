"""Codecs of an audio section: the static payload types of RFC 3551 §6, rtpmap and fmtp (RFC 8866 §6.6, §6.15)."""

from __future__ import annotations

import re

from msgspec import Struct

from voicegw.sdp.description import MediaDescription

STATIC_PAYLOAD_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("PCMU", 8_000, 1),
    3: ("GSM", 8_000, 1),
    4: ("G723", 8_000, 1),
    5: ("DVI4", 8_000, 1),
    6: ("DVI4", 16_000, 1),
    7: ("LPC", 8_000, 1),
    8: ("PCMA", 8_000, 1),
    9: ("G722", 8_000, 1),  # samples at 16 kHz; the clock is a historical error that RFC 3551 §4.5.2 keeps
    10: ("L16", 44_100, 2),
    11: ("L16", 44_100, 1),
    12: ("QCELP", 8_000, 1),
    13: ("CN", 8_000, 1),
    14: ("MPA", 90_000, 1),
    15: ("G728", 8_000, 1),
    16: ("DVI4", 11_025, 1),
    17: ("DVI4", 22_050, 1),
    18: ("G729", 8_000, 1),
}
"""Audio payload type → (name, clock in Hz, channels)."""

TELEPHONE_EVENT = "telephone-event"
_SPELLINGS = {"g722": (8_000, 1), "opus": (48_000, 2)}
"""Clock and channels of codecs that some write otherwise: G722/16000, after its sampling, or opus/48000."""
_RTPMAP = re.compile(r"([0-9]{1,3}) +([^ /]+)/([0-9]{1,6})(?:/([0-9]{1,2}))? *")
_FMTP = re.compile(r"([0-9]{1,3}) +(.+)")


class Codec(Struct, frozen=True, gc=False):
    """A codec under the payload type that one side gave it. ``fmtp`` is the parameter text, "" without one."""

    name: str
    clock_hz: int
    payload_type: int
    channels: int = 1
    fmtp: str = ""

    def matches(self, other: Codec) -> bool:
        """Tell whether both are the same encoding, whatever their payload types (names without case)."""
        return self.encoding == other.encoding

    @property
    def encoding(self) -> tuple[str, int, int]:
        """What tells it from others, whatever its payload type: name in lower case, clock and channels."""
        name = self.name.lower()
        clock_hz, channels = _SPELLINGS.get(name) or (self.clock_hz, self.channels)
        return name, clock_hz, channels

    @property
    def rtpmap(self) -> str:
        """The value of its rtpmap attribute."""
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_hz}{channels}"


def codecs_of(media: MediaDescription, assumed: tuple[Codec, ...] = ()) -> tuple[Codec, ...]:
    """Return the codecs of an RTP section in its order of preference.

    A static payload type needs no rtpmap; an rtpmap that contradicts the static table wins, as its sender meant it.
    A dynamic type without a readable rtpmap means what it means in ``assumed`` (the offer, when ``media`` answers
    it), else it is left out; so is a repeated one.
    """
    defaults = {codec.payload_type: (codec.name, codec.clock_hz, codec.channels) for codec in assumed}
    maps = _rtpmaps(media)
    parameters = _fmtps(media)
    codecs: dict[int, Codec] = {}
    for text in media.formats:
        payload_type = int(text)
        known = maps.get(payload_type) or STATIC_PAYLOAD_TYPES.get(payload_type) or defaults.get(payload_type)
        if known is not None and payload_type not in codecs:
            name, clock_hz, channels = known
            codecs[payload_type] = Codec(name, clock_hz, payload_type, channels, parameters.get(payload_type, ""))
    return tuple(codecs.values())


def _rtpmaps(media: MediaDescription) -> dict[int, tuple[str, int, int]]:
    maps: dict[int, tuple[str, int, int]] = {}
    for name, value in media.attributes:
        match = _RTPMAP.fullmatch(value) if name == "rtpmap" and value is not None else None
        if match is not None:
            payload_type, codec, clock, channels = match.groups()
            maps.setdefault(int(payload_type), (codec, int(clock), int(channels or 1)))
    return maps


def _fmtps(media: MediaDescription) -> dict[int, str]:
    parameters: dict[int, str] = {}
    for name, value in media.attributes:
        match = _FMTP.fullmatch(value) if name == "fmtp" and value is not None else None
        if match is not None:
            parameters.setdefault(int(match.group(1)), match.group(2).strip())
    return parameters
