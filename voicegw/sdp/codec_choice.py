"""Which codecs we have, and what two sides have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from voicegw.sdp.codecs import TELEPHONE_EVENT, Codec
from voicegw.sdp.opus_parameters import OUR_PARAMETERS

PCMU = Codec("PCMU", 8_000, 0)
PCMA = Codec("PCMA", 8_000, 8)
G722 = Codec("G722", 8_000, 9)
OPUS = Codec("opus", 48_000, 111, channels=2, fmtp=OUR_PARAMETERS)
DTMF = Codec(TELEPHONE_EVENT, 8_000, 101, fmtp="0-16")
DTMF_48 = Codec(TELEPHONE_EVENT, 48_000, 110, fmtp="0-16")
CN = Codec("CN", 8_000, 13)
"""Comfort noise (RFC 3389). Payload types are the ones of our own offers."""
_LISTS_CACHED = 256
"""The node's and each trunk's."""


def with_keys(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """``codecs`` and the telephone events that go with them: those of 48 kHz beside Opus only (RFC 4733 §2.1 asks
    for the clock of the audio), those of 8 kHz always, as not all that speak Opus have others."""
    keys = (DTMF_48, DTMF) if any(codec.matches(OPUS) for codec in codecs) else (DTMF,)
    return (*codecs, *keys)


@dataclass(frozen=True, slots=True)
class CodecChoice:
    """What is spoken: our codecs under the payload types and the spelling of the peer.

    ``noise`` is comfort noise of the clock of the audio.
    ``others`` are what else both have: the peer may change to them without a word. ``parameters``: the peer's fmtp.
    """

    audio: Codec
    dtmf: Codec | None
    noise: Codec | None
    others: tuple[Codec, ...]
    parameters: str


def choose(theirs: tuple[Codec, ...], ours: tuple[Codec, ...]) -> CodecChoice | None:
    """The first of ``theirs`` that is among ``ours``; None for nothing in common."""
    known = _by_encoding(ours)
    shared = [(own, their) for their in theirs if (own := known.get(their.encoding)) is not None]
    audio = [(own, their) for own, their in shared if own.name not in (TELEPHONE_EVENT, CN.name)]
    if not audio:
        return None
    own, their = audio[0]
    return CodecChoice(
        audio=_as_they_say(own, their),
        dtmf=_keys_for(own, [(mine, yours) for mine, yours in shared if mine.name == TELEPHONE_EVENT]),
        noise=_noise_for(own, shared),
        others=tuple(_as_they_say(mine, yours) for mine, yours in audio[1:] if mine is not own),
        parameters=their.fmtp,
    )


@lru_cache(maxsize=_LISTS_CACHED)
def _by_encoding(ours: tuple[Codec, ...]) -> Mapping[tuple[str, int, int], Codec]:
    return {own.encoding: own for own in reversed(ours)}


def _as_they_say(own: Codec, their: Codec) -> Codec:
    """Our name and parameters, their number, and their clock and channels, which some spell in their own way."""
    same = own == their
    return own if same else Codec(own.name, their.clock_hz, their.payload_type, their.channels, own.fmtp)


def _keys_for(audio: Codec, events: list[tuple[Codec, Codec]]) -> Codec | None:
    """The telephone events of the same clock, else those of 8 kHz, which some phones have beside Opus; or none."""
    for clock_hz in (audio.clock_hz, DTMF.clock_hz):
        for own, their in events:
            if own.clock_hz == clock_hz:
                return _as_they_say(own, their)
    return None


def _noise_for(audio: Codec, shared: list[tuple[Codec, Codec]]) -> Codec | None:
    """Comfort noise has the clock of the audio that it stands for (RFC 3389 §4)."""
    return next(
        (
            _as_they_say(own, their)
            for own, their in shared
            if own.name == CN.name and own.clock_hz == audio.clock_hz
        ),
        None,
    )
