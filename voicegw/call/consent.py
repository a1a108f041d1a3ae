"""Whether a call may be recorded and written down: the policy, and what the caller said to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class RecordingPolicy(Enum):
    """When the audio of a call is kept."""

    ALWAYS = "always"
    """From the agent's first word on; a caller who refuses has it removed."""
    AFTER_CONSENT = "after_consent"
    """From the caller's yes on, and nothing that was said before is written down either."""
    NEVER = "never"
    """No audio; a transcript, until the caller refuses that."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Where a call stands. ``given`` is None until the caller has answered."""

    policy: RecordingPolicy = RecordingPolicy.ALWAYS
    given: bool | None = None

    @property
    def record(self) -> bool:
        """Whether audio may be kept now."""
        if self.policy is RecordingPolicy.NEVER:
            return False
        return self.transcribe

    @property
    def transcribe(self) -> bool:
        """Whether what is said may be written down now."""
        if self.policy is RecordingPolicy.AFTER_CONSENT:
            return self.given is True
        return self.given is not False
