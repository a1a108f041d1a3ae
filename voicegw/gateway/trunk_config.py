"""A trunk as it runs: its settings, checked, with the password they refer to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TypeAlias

from voicegw.gateway.trunk_sections import Quirk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.sip.address import Transport, bracketed, is_literal, unbracketed

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Credentials:
    """For a digest (RFC 7616). ``realm`` is the only one that gets an answer; empty: any of the trunk's hosts."""

    username: str
    password: str = field(repr=False)
    realm: str = ""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier or PBX. Immutable: a reload makes another one, and calls that run keep theirs."""

    name: str
    settings: TrunkSettings
    password: str = field(default="", repr=False)
    """Empty where there is none, or none could be read: then no challenge is answered."""
    enabled: bool = True

    @property
    def domain(self) -> str:
        """The host in URIs of this trunk, IPv6 in brackets; "" where the trunk names none."""
        settings = self.settings
        return settings.domain or (bracketed(unbracketed(settings.hosts[0])) if settings.hosts else "")

    @property
    def transport(self) -> Transport | None:
        """How it is reached; None: as DNS says."""
        return None if self.settings.transport == "auto" else Transport[self.settings.transport.upper()]

    @property
    def credentials(self) -> Credentials | None:
        """What challenges are answered with; None: no challenge is."""
        settings = self.settings
        if not (settings.username or settings.auth_username) or not self.password:
            return None
        return Credentials(settings.auth_username or settings.username, self.password, settings.realm)

    @property
    def registrar(self) -> str:
        """The URI of REGISTER (RFC 3261 §10.2); "" where we do not register."""
        if not self.settings.register_there:
            return ""
        return self.settings.registration.registrar or f"sip:{self.domain}"

    @property
    def address_of_record(self) -> str:
        """Who we are there: To and From of REGISTER, and From of calls that show the account."""
        return f"sip:{self.settings.username}@{self.domain}" if self.settings.username else f"sip:{self.domain}"

    @property
    def networks(self) -> tuple[Network, ...]:
        """Where its calls come from: what is allowed, and its hosts as far as they are addresses."""
        literals = (unbracketed(host) for host in self.settings.hosts)
        return (
            *self.settings.allowed_addresses,
            *(ipaddress.ip_network(host) for host in literals if is_literal(host)),
        )

    def has_quirk(self, quirk: Quirk) -> bool:
        """Whether the peer does this differently."""
        return quirk in self.settings.quirks
