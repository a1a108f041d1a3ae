"""What a call's signalling says besides who calls whom: for the record, and as variables for agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from voicegw.call.call_config import CallConfig
from voicegw.call.facts import CallWasIntroduced
from voicegw.sip.parties import Parties


def introduction(trunk: str, parties: Parties) -> CallWasIntroduced:
    """For the record."""
    return CallWasIntroduced(
        trunk=trunk,
        withheld=parties.withheld,
        asserted=parties.asserted,
        original_called=parties.original_called,
        diverted_by=parties.diverted_by,
        diversion_reason=parties.diversion_reason,
        subaddress=parties.subaddress,
        verified=parties.verified,
        attestation=parties.attestation,
        origination_id=parties.origination_id,
        signer=parties.signer,
        identity_fault=parties.identity_fault,
        user_to_user=parties.user_to_user,
    )


def signalled(trunk: str, caller_name: str, parties: Parties) -> Mapping[str, str]:
    """For agents, by the names of :data:`voicegw.agents.agent.SIGNALLED`."""
    return {
        "trunk": trunk,
        "caller_name": caller_name,
        "withheld": "yes" if parties.withheld else "",
        "original_called": parties.original_called,
        "diverted_by": parties.diverted_by,
        "diversion_reason": parties.diversion_reason,
        "subaddress": parties.subaddress,
        "verified": parties.verified,
        "attestation": parties.attestation if parties.verified == "passed" else "",
        "user_to_user": parties.user_to_user,
    }


def limited(config: CallConfig, max_call_s: int) -> CallConfig:
    """A call's limits where its trunk has a shorter one than the house."""
    if not 0 < max_call_s < config.max_duration_s:
        return config
    return replace(config, max_duration_s=float(max_call_s))
