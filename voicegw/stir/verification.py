"""The steps of a verification service (RFC 8224 §6.2), between the request and the certificates that others fetch.

``examine`` says which certificates it takes; ``judge`` decides with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from voicegw.stir.credentials import Credential
from voicegw.stir.faults import Fault, IdentityFault
from voicegw.stir.identity_header import parse_identity
from voicegw.stir.passport import DIV, SHAKEN, Believed, Passport, read_passport

MAX_IDENTITIES: Final = 8
"""Of one request: a signature of the caller's side, and one of each who sent the call on."""
Certificates: TypeAlias = Mapping[str, Credential | IdentityFault]
"""What is known of the signers by URL."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the request says. Numbers are canonical; "" for none.

    ``callers``: whom it may show as calling, the one that is shown first. ``called``: To and Request-URI.
    """

    identities: tuple[str, ...]
    callers: tuple[str, ...]
    called: tuple[str, ...]
    date: int | None = None
    """Of the Date header, seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The tokens that can be checked, and what is wrong with the first that cannot."""

    passports: tuple[Passport, ...] = ()
    fault: IdentityFault | None = None

    @property
    def urls(self) -> frozenset[str]:
        """Certificates that are needed."""
        return frozenset(one.x5u for one in self.passports)


@dataclass(frozen=True, slots=True)
class Proof:
    """A number is proven. ``attestation`` and ``origination_id`` are those of ``shaken``, else empty."""

    orig: str
    attestation: str = ""
    origination_id: str = ""
    signer: str = ""
    diverted: tuple[str, ...] = field(default=())
    """The numbers that sent the call on and signed that (``div``), the first one first."""


def examine(claims: Claims, wall: float, window_s: float) -> Examined:
    """Read the tokens and check all that takes no certificate: form, numbers, time."""
    if not claims.identities:
        return Examined(fault=IdentityFault(Fault.MISSING, "no Identity header"))
    believed = Believed(_first(claims.callers), _first(claims.called), claims.date)
    passports: list[Passport] = []
    fault: IdentityFault | None = None
    for value in claims.identities[:MAX_IDENTITIES]:
        try:
            passport = read_passport(parse_identity(value), believed)
            _check_time(passport, claims.date, wall, window_s)
            _check_caller(passport, claims)
        except IdentityFault as found:
            fault = _graver(fault, found)
            continue
        passports.append(passport)
    return Examined(tuple(passports), fault)


def judge(
    examined: Examined, claims: Claims, certificates: Certificates, wall: float, is_new: Callable[[Passport], bool]
) -> Proof:
    """The proof that counts: ``shaken`` before a plain token; IdentityFault where none holds.

    ``is_new``: whether a token, whose signature is good, has not been used by another call.
    """
    fault = examined.fault
    good: list[tuple[Passport, Credential]] = []
    for passport in examined.passports:
        try:
            good.append((passport, _check_signer(passport, certificates, wall)))
        except IdentityFault as found:
            fault = _graver(fault, found)
    links = [passport for passport, _ in good if passport.kind == DIV]
    firsts = sorted((one for one in good if one[0].kind != DIV), key=lambda one: one[0].kind != SHAKEN)
    for passport, credential in firsts:
        path = _path(passport.dest, links, claims.called)
        if path is None:
            fault = _graver(fault, IdentityFault(Fault.INVALID, "signed for a call to another number"))
        elif not is_new(passport):
            fault = _graver(fault, IdentityFault(Fault.INVALID, "another call has used this signature"))
        else:
            subject = credential.subject
            return Proof(passport.orig, passport.attestation, passport.origination_id, subject, path)
    raise fault or IdentityFault(Fault.INVALID, "no signature of who calls, only of who sent the call on")


def _check_time(passport: Passport, date: int | None, wall: float, window_s: float) -> None:
    """§6.2, step 4. ``iat`` is signed and Date is not, so that it is ``iat`` that has to be fresh."""
    if abs(wall - passport.iat) > window_s:
        raise IdentityFault(Fault.STALE, f"signed {wall - passport.iat:.0f} s ago by our clock")
    if date is not None and abs(date - passport.iat) > window_s:
        raise IdentityFault(Fault.STALE, "Date and iat are of different times")


def _check_caller(passport: Passport, claims: Claims) -> None:
    if passport.orig not in claims.callers:
        raise IdentityFault(Fault.INVALID, "signed for another number than the caller's")


def _check_signer(passport: Passport, certificates: Certificates, wall: float) -> Credential:
    credential = certificates.get(passport.x5u)
    if credential is None:
        raise IdentityFault(Fault.UNFINISHED, "the certificate did not come in time")
    if isinstance(credential, IdentityFault):
        raise credential
    if not credential.starts <= wall <= credential.expires:
        raise IdentityFault(Fault.UNTRUSTED, "the certificate is not valid now")
    if not credential.signed(passport.signed, passport.signature):
        raise IdentityFault(Fault.INVALID, "the signature is not that of the certificate's key")
    if not credential.covers(passport.diverted if passport.kind == DIV else passport.orig):
        raise IdentityFault(Fault.UNTRUSTED, "the certificate does not speak for the number")
    return credential


def _path(start: tuple[str, ...], links: Sequence[Passport], called: tuple[str, ...]) -> tuple[str, ...] | None:
    """Who sent the call on from a signed destination to a called number (RFC 8946 §6); None where nobody did."""
    reached, path, left = start, [], list(links)
    while not any(number in called for number in reached):
        step = next((link for link in left if link.diverted in reached), None)
        if step is None:
            return None
        left.remove(step)
        path.append(step.diverted)
        reached = step.dest
    return tuple(path)


def _graver(first: IdentityFault | None, other: IdentityFault) -> IdentityFault:
    """The first counts, but for tokens of a kind that nobody asked about."""
    return other if first is None or first.fault is Fault.MISSING else first


def _first(numbers: tuple[str, ...]) -> str:
    return numbers[0] if numbers else ""
