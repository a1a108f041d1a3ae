"""How signatures of callers are verified on this node; which trunks ask for it, and what follows, they say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.gateway.tls_config import place_file

_OID = re.compile(r"[0-2](\.\d{1,20}){2,30}")
_HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """Part of the SIP section; ``docs/identity.md`` is the reference."""

    trust_anchors: tuple[str, ...] = ()
    """PEM files with the roots of signers: the list of your country's policy administrator. None: nobody is
    believed."""
    policies: tuple[str, ...] = ()
    """A signer's certificate must have one of these (dotted numbers), such as 2.16.840.1.114569.1.1.1, that of
    SHAKEN in the USA. None: any."""
    revoked: tuple[str, ...] = ()
    """Files with lists of revoked certificates (CRL, PEM or DER)."""
    deadline_ms: int = 1000
    """How long a call waits for a certificate. What comes later is there for the next call."""
    window_s: float = 60.0
    """How old a signature may be, and how far in the future, by our clock (RFC 8224 §6.2 has 60)."""
    once: bool = True
    """Whether a signature is good for one call only. False where peers repeat an INVITE under another Call-ID."""
    replays: int = 20_000
    """Signatures that are remembered for that, each for as long as it would be fresh; about 200 bytes each."""
    hosts: tuple[str, ...] = ("*",)
    """Where certificates may be fetched: names, or *.example.net for all that end so; * for any."""
    ports: tuple[int, ...] = (443, 8443)
    """On which ports."""
    private_addresses: bool = False
    """Whether such a host may have an address of a private network or of this machine: for laboratories only, as it
    lets callers choose which of your servers is asked."""
    ca: str = ""
    """PEM file with the authorities of the web servers that have the certificates; empty for the machine's."""
    fetch_ms: int = 3000
    """The longest that fetching a certificate may take, names and handshake included."""
    max_bytes: int = 32_768
    """The largest file of certificates."""
    fetches: int = 8
    """Certificates fetched at once; of one host two at most."""
    certificates: int = 1000
    """Certificates kept."""
    keep_s: int = 3600
    """How long a certificate is kept where its server says nothing."""
    keep_at_most_s: int = 86_400
    """And where it names a longer time."""
    retry_s: int = 60
    """How long a certificate that could not be had, or was not to be believed, is not asked for again."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name, least, most in (
            ("deadline_ms", 1, 10_000),
            ("window_s", 1.0, 3600.0),
            ("replays", 1, 1_000_000),
            ("fetch_ms", 10, 30_000),
            ("max_bytes", 1024, 1_048_576),
            ("fetches", 1, 100),
            ("certificates", 1, 100_000),
            ("keep_s", 1, 604_800),
            ("keep_at_most_s", 1, 604_800),
            ("retry_s", 1, 3600),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} is {value}", fix=f"from {least:g} to {most:g}")
        for oid in self.policies:
            if not _OID.fullmatch(oid):
                raise ConfigError(f"no object identifier: {oid!r}", fix="write it like 2.16.840.1.114569.1.1.1")
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise ConfigError(f"no host: {host!r}", fix="write cr.example.net, *.example.net or *")
        if not self.ports or not all(0 < port < 65536 for port in self.ports):
            raise ConfigError(f"no ports: {self.ports}", fix="take [443, 8443]")

    def placed(self, base: Path) -> IdentityConfig:
        """With the files found from ``base``."""
        return replace(
            self,
            trust_anchors=tuple(place_file(base, path) for path in self.trust_anchors),
            revoked=tuple(place_file(base, path) for path in self.revoked),
            ca=place_file(base, self.ca),
        )
