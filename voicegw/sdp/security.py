"""Whether a stream is protected by SRTP, and with which keys: the policy of a side, for offers and for answers.

A side that can do without offers RTP/AVP with ``a=crypto`` lines (RFC 8643, OSRTP): a peer that does not know them
answers plain RTP, one that does takes a line. Two media sections instead, one for each profile, would ring twice
as a conference on some telephones and are refused by carriers, and capability negotiation (RFC 5939) hardly anybody
implements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from voicegw.base.errors import RemoteProtocolError
from voicegw.sdp.crypto import ATTRIBUTE, CryptoLine, MasterKey, lines_of
from voicegw.sdp.description import Attributes, MediaDescription

PLAIN_PROFILES = ("RTP/AVP", "RTP/AVPF")
SECURE_PROFILES = ("RTP/SAVP", "RTP/SAVPF")


class SrtpPolicy(StrEnum):
    """What a side does about SRTP."""

    OFF = "off"
    """Plain RTP; who insists on SRTP is refused."""
    OPTIONAL = "optional"
    """SRTP with whoever can."""
    REQUIRED = "required"
    """SRTP or nothing, in every offer and answer."""


class Unprotected(RemoteProtocolError):
    """A media section has not the protection that it should have, or more than we can give."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 488)


@dataclass(frozen=True, slots=True)
class Security:
    """The policy of our side, and its own keys by suite, best first; there are none where the policy is off."""

    policy: SrtpPolicy = SrtpPolicy.OFF
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """The keys of a protected stream: what we send with, and what the peer sends with."""

    send: MasterKey
    receive: MasterKey


PLAIN = Security()


def is_secure(media: MediaDescription) -> bool:
    """Whether the profile of a section leaves no choice but SRTP."""
    return media.protocol.upper() in SECURE_PROFILES


def offered_profile(security: Security, before: MediaDescription | None) -> str:
    """The profile of an offer of ours; a stream that has been RTP/SAVP stays so."""
    if security.policy is SrtpPolicy.REQUIRED:
        return "RTP/SAVP"
    keeps = before is not None and is_secure(before) and security.policy is not SrtpPolicy.OFF
    return "RTP/SAVP" if keeps else "RTP/AVP"


def offered_lines(security: Security) -> Attributes:
    """The attributes of an offer of ours: one suite a line, each with a key of its own (RFC 4568 §7.1.1)."""
    lines = (
        CryptoLine(tag, suite, MasterKey(suite, secret))
        for tag, (suite, secret) in enumerate(security.secrets.items(), 1)
    )
    return tuple((ATTRIBUTE, line.value) for line in lines)


def keys_for_offer(media: MediaDescription, security: Security) -> tuple[SrtpKeys | None, Attributes]:
    """What an offered section agrees with us: keys and our line with the same tag (RFC 4568 §7.1.2), or plain RTP.

    Raises Unprotected where it insists on what we do not do, or does without what we insist on.
    """
    lines = () if security.policy is SrtpPolicy.OFF else lines_of(media)
    line = next((line for line in lines if line.key.suite in security.secrets), None)
    if line is not None:
        ours = MasterKey(line.key.suite, security.secrets[line.key.suite])
        answer = CryptoLine(line.tag, line.suite_name, ours)
        return SrtpKeys(ours, line.key), ((ATTRIBUTE, answer.value),)
    if is_secure(media):
        raise Unprotected("SRTP is offered, but in no way that is taken here")
    if security.policy is SrtpPolicy.REQUIRED:
        raise Unprotected("SRTP is required here and was not offered")
    return None, ()


def keys_of_answer(offered: MediaDescription, media: MediaDescription) -> SrtpKeys | None:
    """What the peer's section agrees, given ours; None for plain RTP.

    Raises Unprotected for an answer without SRTP to an offer of nothing else, and for a line that answers none of
    ours: its sender encrypts, and we could not read it.
    """
    ours = {line.tag: line for line in lines_of(offered)}
    for line in lines_of(media):
        own = ours.get(line.tag)
        if own is not None and own.key.suite == line.key.suite:
            return SrtpKeys(own.key, line.key)
    if is_secure(offered) or is_secure(media):
        raise Unprotected("the answer has none of the crypto lines that were offered")
    if ours and media.attribute(ATTRIBUTE) is not None:
        raise Unprotected("the answer has a crypto line that was not offered")
    return None
