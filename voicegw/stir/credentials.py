"""Certificates of signers: from PEM to a key that may sign for certain numbers (RFC 8226, ATIS-1000080).

The chain is built and checked by the cryptography package (RFC 5280 §6: signatures, dates, constraints). Its rules
for clients of the web ask for a host name, which no certificate of STI has: what the leaf says of itself is checked
here instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification

from voicegw.base.errors import ConfigError
from voicegw.stir import tn_auth_list
from voicegw.stir.faults import Fault, IdentityFault
from voicegw.stir.tn_auth_list import TnAuthList, parse_tn_auth_list

MAX_CHAIN: Final = 6
"""Certificates that a signer may send along, its own included."""
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the package raises on certificates that are none, some of it only when they are looked at."""
_TN_AUTH_LIST = x509.ObjectIdentifier(tn_auth_list.OID)


@dataclass(frozen=True, slots=True)
class Credential:
    """A signer whose chain holds until ``expires`` (seconds since 1970), and what it may sign for."""

    key: ec.EllipticCurvePublicKey
    authority: tuple[TnAuthList, ...]
    """Of the leaf, then of those above it that have a list: each must cover the number (RFC 9060 §5)."""
    starts: float
    expires: float
    subject: str
    """For people."""

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made the raw ES256 ``signature`` of 64 bytes."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self.key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def covers(self, number: str) -> bool:
        """Whether it may sign for this canonical number."""
        return all(one.covers(number) for one in self.authority)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that is not valid any more, by who signed it and its number there."""

    issuer: x509.Name
    serial: int


class Anchors:
    """Whom we believe: roots, the policies that a signer's certificate must have one of, and what was revoked.

    Without roots nobody is believed. ``policies``: dotted numbers; none: any.
    """

    def __init__(
        self, roots: Sequence[x509.Certificate], policies: Iterable[str] = (), revoked: Iterable[Revoked] = ()
    ) -> None:
        self._store = verification.Store(list(roots)) if roots else None
        self._policies = frozenset(policies)
        self._revoked = frozenset(revoked)

    def read(self, pem: bytes, wall: float) -> Credential:
        """The signer of a PEM file, its certificate first; IdentityFault (437) for one that is not believed."""
        try:
            return self._read(pem, wall)
        except _UNREADABLE as error:
            raise _untrusted(f"the certificate cannot be read: {str(error)[:120]}") from None

    def _read(self, pem: bytes, wall: float) -> Credential:
        leaf, *others = _certificates(pem)
        key = leaf_key(leaf)
        if self._store is None:
            raise _untrusted("no trust anchors are configured")
        chain = self._chain(self._store, leaf, others, wall)
        own = _authority(leaf)
        if own is None:
            raise _untrusted("the certificate has no TNAuthList")
        self._check_policy(leaf)
        for one in chain:
            if Revoked(one.issuer, one.serial_number) in self._revoked:
                raise _untrusted("the certificate was revoked")
        above = tuple(found for one in chain[1:] if (found := _authority(one)) is not None)
        starts = max(one.not_valid_before_utc.timestamp() for one in chain)
        expires = min(one.not_valid_after_utc.timestamp() for one in chain)
        return Credential(key, (own, *above), starts, expires, leaf.subject.rfc4514_string()[:200])

    def _chain(
        self, store: verification.Store, leaf: x509.Certificate, others: Sequence[x509.Certificate], wall: float
    ) -> Sequence[x509.Certificate]:
        at = datetime.fromtimestamp(wall, UTC).replace(tzinfo=None)
        builder = verification.PolicyBuilder().store(store).time(at).max_chain_depth(MAX_CHAIN)
        builder = builder.extension_policies(
            ee_policy=verification.ExtensionPolicy.permit_all(),
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
        )
        try:
            return builder.build_client_verifier().verify(leaf, list(others)).chain
        except verification.VerificationError as error:
            why = str(error).partition(" (encountered processing")[0].removeprefix("validation failed: ")
            raise _untrusted(f"the certificate's chain does not hold: {why[:120]}") from None

    def _check_policy(self, leaf: x509.Certificate) -> None:
        if not self._policies:
            return
        try:
            found = leaf.extensions.get_extension_for_class(x509.CertificatePolicies).value
        except x509.ExtensionNotFound:
            raise _untrusted("the certificate has none of the required policies") from None
        if self._policies.isdisjoint(one.policy_identifier.dotted_string for one in found):
            raise _untrusted("the certificate has none of the required policies")


def leaf_key(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The key of a signer's certificate; IdentityFault (437) for what may sign no PASSporT."""
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _untrusted("the certificate's key is not of the curve P-256")
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise _untrusted("the certificate is that of an authority")
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            raise _untrusted("the certificate's key may not sign")
    return key


def read_roots(pem: bytes, file: str) -> list[x509.Certificate]:
    """The certificates of a file of trust anchors; ConfigError for what is none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except _UNREADABLE as error:
        raise ConfigError(f"no certificates: {error}", file=file, fix="name a PEM file") from None


def read_revoked(data: bytes, file: str) -> list[Revoked]:
    """What a CRL (RFC 5280 §5) in PEM or DER revokes, an indirect one too (ATIS-1000080 §6.3.8).

    The file is the administrator's own, so its signature is not checked; ConfigError for what is no CRL.
    """
    try:
        is_pem = data.lstrip().startswith(b"-----")
        crl = x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data)
        found, issuer = [], crl.issuer
        for entry in crl:
            issuer = _issuer_of(entry) or issuer  # §5.3.3: it holds for those that follow, too
            found.append(Revoked(issuer, entry.serial_number))
    except _UNREADABLE as error:
        raise ConfigError(f"no list of revoked certificates: {error}", file=file, fix="name a CRL") from None
    return found


def _issuer_of(entry: x509.RevokedCertificate) -> x509.Name | None:
    try:
        names = entry.extensions.get_extension_for_class(x509.CertificateIssuer).value
    except x509.ExtensionNotFound:
        return None
    return next(iter(names.get_values_for_type(x509.DirectoryName)), None)


def _certificates(pem: bytes) -> list[x509.Certificate]:
    found = x509.load_pem_x509_certificates(pem)
    if len(found) > MAX_CHAIN:
        raise _untrusted(f"a chain of {len(found)} certificates")
    return found


def _authority(certificate: x509.Certificate) -> TnAuthList | None:
    try:
        extension = certificate.extensions.get_extension_for_oid(_TN_AUTH_LIST).value
        assert isinstance(extension, x509.UnrecognizedExtension)
        return parse_tn_auth_list(extension.value)
    except x509.ExtensionNotFound:
        return None


def _untrusted(message: str) -> IdentityFault:
    return IdentityFault(Fault.UNTRUSTED, message)
