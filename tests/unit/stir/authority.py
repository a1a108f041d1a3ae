"""An authority of signers for tests: roots, certificates with a TNAuthList, and tokens signed with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from voicegw.stir import tn_auth_list
from voicegw.stir.credentials import Anchors, Credential
from voicegw.stir.passport import canonical_json, encoded

NOW = 1_767_261_600.0
"""The time of day of all tests, seconds since 1970."""
URL = "https://certificates.test/signer.pem"
CALLER, CALLED = "12025550101", "12155550113"
ORIGIN = "123e4567-e89b-42d3-a456-426614174000"
POLICY = "2.16.840.1.114569.1.1.1"

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


def element(tag: int, body: bytes) -> bytes:
    """DER of up to 65,535 bytes."""
    size = len(body)
    length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 0xFF])
    return bytes([tag]) + length + body


def tn_list(
    *, codes: tuple[str, ...] = (), numbers: tuple[str, ...] = (), first: str = "", count: int = 0
) -> bytes:
    """The DER of a TNAuthList (RFC 8226 §9)."""
    entries = [element(0xA0, element(0x16, code.encode())) for code in codes]
    if first:
        inner = element(0x16, first.encode()) + element(0x02, count.to_bytes(4, "big"))
        entries.append(element(0xA1, element(0x30, inner)))
    entries += [element(0xA2, element(0x16, number.encode())) for number in numbers]
    return element(0x30, b"".join(entries))


SPC = tn_list(codes=("709J",))


@dataclass
class Issued:
    """A certificate with its key and those between it and the root."""

    certificate: x509.Certificate
    key: Key
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.above))

    def sign(self, message: bytes) -> bytes:
        """r and s, as ES256 has them."""
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    """A root, valid for ten years around NOW."""

    name: str = "SHAKEN root"
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    certificate: x509.Certificate = field(init=False)
    above: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        self.certificate = self._make(_name(self.name), self.key, ca=True, start=-1825, end=1825)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def anchors(self, **given: Any) -> Anchors:
        return Anchors([self.certificate], **given)

    def issue(
        self,
        common: str = "SHAKEN 709J",
        tn: bytes | None = SPC,
        *,
        key: Key | None = None,
        ca: bool = False,
        days: tuple[float, float] = (-30.0, 30.0),
        policy: str = "",
        may_sign: bool = True,
    ) -> Issued:
        """A certificate ``days`` from NOW to from NOW."""
        own = key or new_key()
        made = self._make(
            _name(common), own, tn, ca=ca, start=days[0], end=days[1], policy=policy, may_sign=may_sign
        )
        return Issued(made, own, self.above)

    def intermediate(self, name: str = "SHAKEN issuer", tn: bytes | None = None) -> Authority:
        """Another authority below this one."""
        made = self.issue(name, tn, ca=True)
        assert isinstance(made.key, ec.EllipticCurvePrivateKey)
        below = Authority(name, made.key)
        below.certificate, below.above = made.certificate, (made.certificate, *self.above)
        return below

    def revoking(self, *revoked: x509.Certificate, indirect: bool = False) -> bytes:
        """A CRL in PEM; ``indirect``: it names who had issued them."""
        at = datetime.fromtimestamp(NOW, UTC)
        crl = x509.CertificateRevocationListBuilder().issuer_name(_name(self.name))
        crl = crl.last_update(at).next_update(at + timedelta(days=1))
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(at)
            if indirect:
                entry = entry.add_extension(x509.CertificateIssuer([x509.DirectoryName(one.issuer)]), critical=True)
            crl = crl.add_revoked_certificate(entry.build())
        return crl.sign(self.key, SHA256()).public_bytes(Encoding.PEM)

    def _make(
        self,
        subject: x509.Name,
        key: Key,
        tn: bytes | None = None,
        *,
        ca: bool,
        start: float,
        end: float,
        policy: str = "",
        may_sign: bool = True,
    ) -> x509.Certificate:
        at, public = datetime.fromtimestamp(NOW, UTC), key.public_key()
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ) | dict.fromkeys(("encipher_only", "decipher_only"), False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(self.name))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at + timedelta(days=start))
            .not_valid_after(at + timedelta(days=end))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=may_sign and not ca, key_cert_sign=ca, crl_sign=ca or not may_sign, **usage
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if tn is not None:
            oid = x509.ObjectIdentifier(tn_auth_list.OID)
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, tn), critical=False)
        if policy:
            found = x509.PolicyInformation(x509.ObjectIdentifier(policy), None)
            builder = builder.add_extension(x509.CertificatePolicies([found]), critical=False)
        return builder.sign(self.key, SHA256())


ROOT = Authority()
SIGNER = ROOT.issue()


def credential(issued: Issued = SIGNER, root: Authority = ROOT) -> Credential:
    return root.anchors().read(issued.pem, NOW)


HEAD: dict[str, object] = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": URL}


def claims(**other: object) -> dict[str, object]:
    """Of a SHAKEN token; ``other`` replaces, None leaves out."""
    found: dict[str, object] = {
        "attest": "A",
        "dest": {"tn": [CALLED]},
        "iat": int(NOW),
        "orig": {"tn": CALLER},
        "origid": ORIGIN,
    }
    return {key: value for key, value in (found | other).items() if value is not None}


def head(**other: object) -> dict[str, object]:
    return {key: value for key, value in (HEAD | other).items() if value is not None}


def identity(
    payload: dict[str, object] | None = None,
    header: dict[str, object] | None = None,
    issued: Issued = SIGNER,
    tail: str = "",
) -> str:
    """An Identity header in full form, signed."""
    header = HEAD if header is None else header
    payload = claims() if payload is None else payload
    signed = f"{encoded(canonical_json(header))}.{encoded(canonical_json(payload))}"
    ppt = f";ppt={header['ppt']}" if header.get("ppt") else ""
    tail = tail or f";info=<{header.get('x5u', URL)}>;alg=ES256{ppt}"
    return f"{signed}.{encoded(issued.sign(signed.encode()))}{tail}"


def compact(issued: Issued = SIGNER, *, orig: str = CALLER, dest: str = CALLED, iat: int = int(NOW)) -> str:
    """An Identity header in compact form (RFC 8224 §7), of the plain kind."""
    whole = identity({"dest": {"tn": [dest]}, "iat": iat, "orig": {"tn": orig}}, head(ppt=None), issued)
    token, _, tail = whole.partition(";")
    return f"..{token.rpartition('.')[2]};{tail}"
