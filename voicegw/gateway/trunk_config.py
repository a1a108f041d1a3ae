"""A trunk as it runs: its settings, checked, with the password they refer to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TypeAlias

from voicegw.gateway.codecs import preferences
from voicegw.gateway.trunk_sections import Quirk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.way import Way, loose_route
from voicegw.sdp.codecs import Codec
from voicegw.sip.address import Transport, bracketed, is_literal, unbracketed
from voicegw.sip.digest import Credentials
from voicegw.sip.uri import SipUri, escape_user

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


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
        if settings.domain or settings.hosts:
            return settings.domain or bracketed(unbracketed(settings.hosts[0]))
        named = (*settings.outbound_proxies, *filter(None, (settings.registration.registrar,)))
        return SipUri.parse(named[0]).host if named else ""

    @property
    def transport(self) -> Transport | None:
        """How it is reached; None: as DNS says."""
        return None if self.settings.transport == "auto" else Transport[self.settings.transport.upper()]

    @property
    def credentials(self) -> Credentials | None:
        """What challenges are answered with (in ``settings.realm`` only, where that is set); None: none is."""
        settings = self.settings
        if not (settings.username or settings.auth_username) or not self.password:
            return None
        return Credentials(settings.auth_username or settings.username, self.password)

    @property
    def registrar(self) -> str:
        """The URI of REGISTER (RFC 3261 §10.2); "" where we do not register."""
        if not self.settings.register_there:
            return ""
        return self.settings.registration.registrar or f"sip:{self.domain}"

    @property
    def address_of_record(self) -> str:
        """Who we are there: To and From of REGISTER, and From of calls that show the account."""
        user = self.settings.username
        return f"sip:{escape_user(user)}@{self.domain}" if user else f"sip:{self.domain}"

    @property
    def networks(self) -> tuple[Network, ...]:
        """Where its calls come from: what is allowed, and its hosts as far as they are addresses."""
        literals = (unbracketed(host) for host in self.settings.hosts)
        return (
            *self.settings.allowed_addresses,
            *(ipaddress.ip_network(host) for host in literals if is_literal(host)),
        )

    @property
    def transport_parameter(self) -> str:
        """For URIs of this trunk: ``;transport=…`` where it is not UDP and DNS is not asked."""
        return "" if self.transport is None else self.transport.uri_parameter

    @property
    def way(self) -> Way:
        """How its requests travel: past the outbound proxies, or to the hosts, the next where one fails."""
        settings = self.settings
        port = f":{settings.port}" if settings.port else ""
        hosts = (bracketed(unbracketed(host)) for host in settings.hosts)
        return Way(
            tuple(loose_route(proxy) for proxy in settings.outbound_proxies),
            tuple(f"sip:{host}{port}{self.transport_parameter}" for host in hosts),
        )

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """What is offered and taken, best first; empty: what the node prefers. Keys come along always."""
        return preferences(self.settings.codecs) if self.settings.codecs else ()

    def has_quirk(self, quirk: Quirk) -> bool:
        """Whether the peer does this differently."""
        return quirk in self.settings.quirks
