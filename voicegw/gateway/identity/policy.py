"""What becomes of a call by what was found out about its caller (RFC 8224 §6.2.2). Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.gateway.trunk_sections import IdentitySettings
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sip.parties import Parties
from voicegw.stir.faults import Fault, IdentityFault
from voicegw.stir.verification import Proof

CAUSES: Final = {
    Fault.MISSING: HangupCause.IDENTITY_MISSING,
    Fault.STALE: HangupCause.IDENTITY_STALE,
    Fault.UNFETCHED: HangupCause.IDENTITY_UNFETCHED,
    Fault.UNFINISHED: HangupCause.IDENTITY_UNFETCHED,
    Fault.UNTRUSTED: HangupCause.IDENTITY_UNTRUSTED,
    Fault.INVALID: HangupCause.IDENTITY_INVALID,
}
_FAULTS: Final = {cause: fault for fault, cause in CAUSES.items()}
_INCONCLUSIVE = (Fault.MISSING, Fault.UNFINISHED)


def told(parties: Parties, found: Proof | IdentityFault) -> Parties:
    """Who calls, with what was found out. Where that is nothing, a network that is trusted has the word."""
    if isinstance(found, Proof):
        return replace(
            parties,
            verified="passed",
            attestation=found.attestation,
            origination_id=found.origination_id,
            signer=found.signer,
        )
    if found.fault in _INCONCLUSIVE:
        return replace(parties, verified=parties.verified or "none", identity_fault=_text(found))
    return replace(parties, verified="failed", identity_fault=_text(found))


def refusal(settings: IdentitySettings, parties: Parties, found: Proof | IdentityFault) -> RouteRefused | None:
    """Why the call is not taken; ``parties`` as :func:`told` has them. None: it is."""
    if settings.policy != "require":
        return None
    if parties.verified != "passed":
        assert isinstance(found, IdentityFault), "a proof has passed"
        accepted = {Fault.MISSING: settings.unsigned, Fault.UNFINISHED: settings.unfinished}
        if accepted.get(found.fault) == "accept":
            return None
        return RouteRefused(CAUSES[found.fault], f"identity: {found}")
    if settings.attestation and not "A" <= parties.attestation <= settings.attestation:
        said = f"attestation {parties.attestation or 'none'}, {settings.attestation} is required"
        return RouteRefused(HangupCause.IDENTITY_WEAK, f"identity: {said}")
    return None


def reason_of(cause: HangupCause) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The phrase of a refusal for this cause, and the headers that say more (RFC 9410 §4); "" for other causes."""
    fault = _FAULTS.get(cause)
    return ("", ()) if fault is None else (fault.value.phrase, (("Reason", fault.reason_header),))


def _text(found: IdentityFault) -> str:
    return f"{found.fault.value.name}: {found}"
