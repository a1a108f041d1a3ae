"""The audio codecs by the names that configurations use, and those of them that this machine can speak."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from voicegw.audio.libraries import has_g722, has_opus
from voicegw.sdp.codec_choice import CN, G722, OPUS, PCMA, PCMU, with_keys
from voicegw.sdp.codecs import Codec

log = logging.getLogger(__name__)

CODECS: Final = {codec.name: codec for codec in (PCMU, PCMA, G722, OPUS)}
DEFAULT: Final = tuple(CODECS)
"""Best first in our offers: what every network takes without transcoding comes before what sounds better."""
_NEEDED: Final[dict[str, tuple[Callable[[], bool], str]]] = {
    G722.name: (has_g722, "the package G722"),
    OPUS.name: (has_opus, "the system library libopus"),
}


@lru_cache
def _speakable(name: str) -> bool:
    """Whether the library is there; where it is not, the log says so once."""
    available, what = _NEEDED.get(name, (lambda: True, ""))
    if available():
        return True
    log.warning("codec %s is not offered: %s is not installed", name, what)
    return False


def preferences(names: Iterable[str]) -> tuple[Codec, ...]:
    """The named codecs that can be spoken, in that order, and the keypad events that go with them.

    G.711 needs no library: it is taken where nothing else is left.
    """
    codecs = tuple(CODECS[name] for name in names if _speakable(name))
    return with_keys(codecs or (PCMU, PCMA))


def with_noise(codecs: tuple[Codec, ...], *, wanted: bool) -> tuple[Codec, ...]:
    """``codecs`` with comfort noise (RFC 3389), or without."""
    others = tuple(codec for codec in codecs if codec != CN)
    return (*others, CN) if wanted else others
