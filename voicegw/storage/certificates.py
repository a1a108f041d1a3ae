"""What proves an erasure: a certificate of what was erased when, by whom and why, and nothing of what it said.

Its hash is noted in the audit, whose chain holds it fast; a chain of events with contents missing is whole only
when a certificate that fits names its call.
"""

from __future__ import annotations

import msgspec

from voicegw.storage.chain import digest


class ErasedCall(msgspec.Struct, frozen=True):
    """One call: how many of its contents went, and the seal that still holds."""

    call_id: str
    events: int
    transcript_lines: int
    recordings: int
    seal: str


class Certificate(msgspec.Struct, frozen=True):
    """``subject`` is a hash of the number with ``subject_salt``: who knows the number can see that it was meant."""

    id: str
    scope: str
    reason: str
    actor: str
    made_wall_ms: int
    subject: str
    subject_salt: str
    calls: tuple[ErasedCall, ...]
    audit_entries: tuple[int, ...]
    webhook_deliveries: int
    recording_files: int = 0
    """Of these and the following: on the disk of the node that erased. Other nodes follow within the hour."""
    log_files: int = 0
    tool_entries: int = 0
    rejected_facts: int = 0


def encode(certificate: Certificate) -> str:
    """Its canonical text."""
    return msgspec.json.encode(certificate, order="deterministic").decode()


def decode(text: str) -> Certificate:
    """Read it back; raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(text, type=Certificate)


def hash_of(text: str) -> bytes:
    """What the audit notes of it."""
    return digest("voicegw erasure", text.encode())


def subject_hash(number: str, salt: bytes) -> str:
    """What stands for a number in a certificate."""
    return digest("voicegw subject", salt, number.encode()).hex()
