"""SRTP of one leg: what may be agreed on the way that its signalling takes, and the keys that are ours.

Keys in a description protect nothing against whoever can read the description (RFC 4568 §8.3): by default there are
none where SIP is not under TLS, to the next hop at least. Further hops are the operator's to judge.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.ids import RandomBytes
from voicegw.base.srtp_suites import SRTP_SUITES
from voicegw.sdp.negotiate import NotAcceptable
from voicegw.sdp.security import PLAIN, Security, SrtpKeys, SrtpPolicy
from voicegw.sip.address import Address

log = logging.getLogger(__name__)
_NO_SUITES: Final = Security(SrtpPolicy.REQUIRED)


@dataclass(frozen=True, slots=True)
class MediaSecurity:
    """What is set for a trunk or a node. ``in_clear``: keys may also travel where SIP is not under TLS."""

    policy: SrtpPolicy = SrtpPolicy.OFF
    in_clear: bool = False
    suites: tuple[str, ...] = tuple(SRTP_SUITES)


NO_SRTP: Final = MediaSecurity()


def warn_of(settings: MediaSecurity) -> None:
    """Say at the start what of a node's settings is less than it seems."""
    if settings.policy is SrtpPolicy.OFF:
        return
    if not settings.suites:
        log.warning("there is no SRTP: the package pylibsrtp cannot be loaded")
    if settings.in_clear:
        log.warning("sip.srtp_in_clear is set: keys of SRTP also travel where anybody on the way can read them")


@dataclass(slots=True)
class LegSecurity:
    """The keys of a leg are the same for as long as their streams live: refreshing a session changes nothing."""

    settings: MediaSecurity
    random: RandomBytes
    _secrets: dict[str, bytes] = field(default_factory=dict, repr=False)

    def renew(self) -> None:
        """Other keys from now on: another peer, or one that has changed its own."""
        self._secrets.clear()

    def prefer(self, keys: SrtpKeys | None) -> None:
        """What was agreed comes first in offers of ours from now on."""
        if keys is not None and keys.send.suite in self._secrets:
            self._secrets = {keys.send.suite: keys.send.secret, **self._secrets}

    def with_peer(self, peer: Address | None) -> Security:
        """For an answer: what may be agreed with whoever sent the offer."""
        settings = self.settings
        if settings.policy is SrtpPolicy.OFF:
            return PLAIN
        if not self.may_tell(peer) or not settings.suites:
            return _NO_SUITES if settings.policy is SrtpPolicy.REQUIRED else PLAIN
        for suite in settings.suites:
            if suite not in self._secrets:
                self._secrets[suite] = self.random(SRTP_SUITES[suite].secret_bytes)
        return Security(settings.policy, self._secrets)

    def to_offer(self, peer: Address | None) -> Security:
        """For an offer of ours. NotAcceptable where SRTP is required and its keys could be read on the way."""
        security = self.with_peer(peer)
        if security is _NO_SUITES:
            raise NotAcceptable("SRTP is required, but its keys may not be told where SIP is not under TLS")
        return security

    def may_tell(self, peer: Address | None) -> bool:
        """Whether keys may be told to, and taken from, this peer."""
        return self.settings.in_clear or (peer is not None and peer.transport.is_secure)

    def serves(self, peer: Address) -> bool:
        """Whether a call of ours to this server can be offered at all."""
        return self.settings.policy is not SrtpPolicy.REQUIRED or self.may_tell(peer)
