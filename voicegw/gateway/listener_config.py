"""Where this node is reached by SIP: one entry for each socket that listens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from voicegw.base.errors import ConfigError, RemoteProtocolError
from voicegw.gateway.access import AccessList
from voicegw.gateway.tls_config import ClientCertificates, ServerTls, check_version, place_file
from voicegw.sip.address import Address, Transport, is_literal
from voicegw.sip.grammar import check_host

TRANSPORTS = tuple(transport.value.lower() for transport in Transport)


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """One listener. 0.0.0.0 takes every IPv4 interface and :: every IPv6 one: for both, write two listeners."""

    transport: str
    """udp, tcp, tls, ws or wss."""
    port: int
    """5060 is usual for udp and tcp, 5061 for tls; 0 takes a free one, for tests."""
    ip: str = "0.0.0.0"
    """Address of the socket."""
    advertised_ip: str = ""
    """Our address as peers see it, where 1:1 NAT stands between; empty: that of ``sip.advertised_ip`` if it is of
    the same family, else the socket's own."""
    advertised_name: str = ""
    """A host name for Via and Contact in place of the address; some carriers want the one in the certificate."""
    advertised_port: int = 0
    """Our port as peers see it; 0: ``port``."""
    certificate: str = ""
    """tls and wss: PEM file with the certificate chain. It is read anew when it changes and on SIGHUP."""
    key: str = ""
    """tls and wss: PEM file with the private key; empty where it stands in the file of the certificate."""
    client_ca: str = ""
    """tls and wss: PEM file with the authorities whose certificates clients may show."""
    client_certificates: ClientCertificates = ClientCertificates.NONE
    """Mutual TLS: none, optional (one that is shown must be good) or required."""
    min_version: str = "1.2"
    """tls and wss: the oldest TLS that is spoken, 1.2 or 1.3."""
    allow: tuple[str, ...] = ()
    """Networks that may send here, such as 192.0.2.0/24 or 2001:db8::/32; empty for all. Everybody else gets no
    answer, and no connection."""
    deny: tuple[str, ...] = ()
    """Networks that may not. Of several that hold an address the most exact one decides."""
    origins: tuple[str, ...] = ()
    """ws and wss: pages that may connect, such as https://console.example.com; empty for all."""

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            known = ", ".join(TRANSPORTS)
            raise ConfigError(f"there is no transport {self.transport!r}", fix=f"choose from {known}")
        AccessList(self.allow, self.deny)
        self._check_addresses()
        self._check_tls()
        if self.origins and not self.kind.is_web:
            raise ConfigError(f"origins mean nothing to {self.transport}", fix="only ws and wss have them")

    def _check_addresses(self) -> None:
        for name in ("ip", "advertised_ip"):
            value = getattr(self, name)
            if (value or name == "ip") and not is_literal(value):
                raise ConfigError(
                    f"{name} is no IP address: {value!r}", fix=f"write {name} as digits, not as a name"
                )
        for name in ("port", "advertised_port"):
            value = getattr(self, name)
            if not 0 <= value <= 65535:
                raise ConfigError(f"{name} is no port: {value}", fix=f"take {self.kind.default_port}")
        try:
            check_host(self.advertised_name or "unset")
        except RemoteProtocolError:
            raise ConfigError(
                f"advertised_name is no host name: {self.advertised_name!r}", fix="such as sip.example.com"
            ) from None

    def _check_tls(self) -> None:
        check_version(self.min_version)
        given = self.certificate or self.key or self.client_ca
        if self.kind.is_secure and not self.certificate:
            raise ConfigError(f"{self.transport} needs a certificate", fix="set certificate to a PEM file")
        if given and not self.kind.is_secure:
            raise ConfigError(f"{self.transport} has no certificate", fix="use tls or wss, or drop the files")
        if self.client_certificates is not ClientCertificates.NONE and not self.client_ca:
            raise ConfigError(
                f"client_certificates is {self.client_certificates} and nobody is trusted to sign them",
                fix="set client_ca to a PEM file with the authorities",
            )

    @property
    def kind(self) -> Transport:
        """The transport."""
        return Transport[self.transport.upper()]

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        return Address(self.ip, self.port, self.kind)

    @property
    def tls(self) -> ServerTls | None:
        """How it speaks TLS, if it does."""
        if not self.kind.is_secure:
            return None
        return ServerTls(self.certificate, self.key, self.client_ca, self.client_certificates, self.min_version)

    def placed(self, base: Path) -> ListenerConfig:
        """With the files found from ``base``."""
        certificate, key, ca = (place_file(base, path) for path in (self.certificate, self.key, self.client_ca))
        return replace(self, certificate=certificate, key=key, client_ca=ca)
