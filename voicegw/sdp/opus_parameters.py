"""What Opus is asked to be: the fmtp parameters of RFC 7587 §6.1.

All of them say what their sender wants to receive, so that each side does as the other says, and none is negotiated
(§7.1): our answer repeats nothing of an offer.
"""

from __future__ import annotations

from dataclasses import dataclass

OUR_PARAMETERS = "maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1"
"""We play 16 kHz, and mono; what is lost is recovered where the sender lets us."""
_BITRATES = range(6_000, 510_001)
_RATES_HZ = range(8_000, 48_001)


@dataclass(frozen=True, slots=True)
class OpusParameters:
    """The wishes of one side. ``max_bitrate`` is in bits a second, 0 where none is named."""

    max_bitrate: int = 0
    fec: bool = False
    dtx: bool = False
    stereo: bool = False
    max_playback_hz: int = 48_000


NO_WISHES = OpusParameters()
"""RFC 7587 §6.1: what holds where nothing is said."""


def parse_opus(text: str) -> OpusParameters:
    """Read the text of an fmtp attribute; what is unknown or out of range counts as left out."""
    if not text:
        return NO_WISHES
    found: dict[str, str] = {}
    for item in text.split(";"):
        name, _, value = item.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return OpusParameters(
        max_bitrate=_number(found.get("maxaveragebitrate"), _BITRATES, 0),
        fec=found.get("useinbandfec") == "1",
        dtx=found.get("usedtx") == "1",
        stereo=found.get("stereo") == "1",
        max_playback_hz=_number(found.get("maxplaybackrate"), _RATES_HZ, 48_000),
    )


def _number(text: str | None, allowed: range, default: int) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 7):
        return default
    return int(text) if int(text) in allowed else default
