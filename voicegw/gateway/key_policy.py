"""By which way the keys of a trunk or a node come and go."""

from __future__ import annotations

from enum import StrEnum

from voicegw.sdp.codecs import TELEPHONE_EVENT, Codec


class KeyPolicy(StrEnum):
    """Whatever is chosen, INFO is answered: a refusal would be taken for a broken call by some."""

    AUTO = "auto"
    """Telephone events (RFC 4733) where the peer has them, else tones; INFO counts where it comes."""
    RFC4733 = "rfc4733"
    """Telephone events and nothing else."""
    INFO = "info"
    """SIP INFO both ways; no events are offered, and tones mean nothing."""
    INBAND = "inband"
    """Tones in the audio both ways; no events are offered."""

    def pick(self, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """What of ``codecs`` is offered and taken."""
        if self in (KeyPolicy.AUTO, KeyPolicy.RFC4733):
            return codecs
        return tuple(codec for codec in codecs if codec.name != TELEPHONE_EVENT)

    @property
    def has_tones(self) -> bool:
        """Whether keys may be tones in the audio, both ways."""
        return self in (KeyPolicy.AUTO, KeyPolicy.INBAND)

    @property
    def hears_info(self) -> bool:
        """Whether a key that comes by INFO counts."""
        return self in (KeyPolicy.AUTO, KeyPolicy.INFO)

    @property
    def sends_info(self) -> bool:
        """Whether keys of ours go by INFO."""
        return self is KeyPolicy.INFO
