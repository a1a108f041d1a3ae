"""What can be wrong with a signed identity, and the answer that RFC 8224 §6.2.2 gives to each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voicegw.base.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class FaultRow:
    """``status`` and ``phrase`` of the refusal; the same pair stands in a Reason header (RFC 9410 §4)."""

    name: str
    status: int
    phrase: str


class Fault(Enum):
    """Why an identity is not believed."""

    MISSING = FaultRow("missing", 428, "Use Identity Header")
    STALE = FaultRow("stale", 403, "Stale Date")
    UNFETCHED = FaultRow("unfetched", 436, "Bad Identity Info")
    UNFINISHED = FaultRow("unfinished", 436, "Bad Identity Info")
    """The certificate may be all right: it did not come in time."""
    UNTRUSTED = FaultRow("untrusted", 437, "Unsupported Credential")
    INVALID = FaultRow("invalid", 438, "Invalid Identity Header")

    @property
    def reason_header(self) -> str:
        """The value of a Reason header (RFC 9410 §4)."""
        return f'STIR;cause={self.value.status};text="{self.value.phrase}"'


class IdentityFault(RemoteProtocolError):
    """An identity that is not believed; ``fault`` says in which way."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message, fault.value.status)
        self.fault = fault
