"""Whom a certificate speaks for (RFC 5922 §7): SIP domains by URI, else host names, else addresses.

Certificates come as ``ssl`` describes them: ``subjectAltName`` is a tuple of (kind, value) pairs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.uri import SipUri


def identities_of(certificate: Mapping[str, Any]) -> frozenset[str]:
    """The names in lower case. URIs with a user part name a person and no domain, and are left out (§7.1).

    Host names count even beside URIs: carriers' certificates that name some of their hosts one way and the rest the
    other are common, and both were signed by the same authority. The common name counts only where there is no
    alternative name at all.
    """
    names: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    found = {identity for kind, value in names if (identity := _identity(kind, value))}
    if not names:
        found = {
            str(value).lower()
            for part in certificate.get("subject", ())
            for key, value in part
            if key == "commonName"
        }
    return frozenset(found)


def is_proven(name: str, certificate: Mapping[str, Any]) -> bool:
    """Whether the certificate speaks for ``name``, a host name or a literal address.

    A leading ``*.`` stands for one label. RFC 5922 §7.2 would not have it; carriers do, and so does everybody else.
    """
    wanted = _plain(name)
    identities = identities_of(certificate)
    if wanted in identities:
        return True
    _label, dot, parent = wanted.partition(".")
    return bool(dot) and not _is_address(wanted) and "." in parent and f"*.{parent}" in identities


def _identity(kind: str, value: str) -> str:
    match kind:
        case "DNS" | "IP Address":
            return _plain(value)
        case "URI":
            try:
                uri = SipUri.parse(value)
            except RemoteProtocolError:
                return ""
            return "" if uri.user is not None else _plain(uri.address)
    return ""


def _plain(name: str) -> str:
    """Lower case, no dot at the end; addresses in their short form (``ssl`` writes IPv6 in full)."""
    lowered = name.strip().lower().removesuffix(".")
    return ipaddress.ip_address(lowered).compressed if _is_address(lowered) else lowered


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
