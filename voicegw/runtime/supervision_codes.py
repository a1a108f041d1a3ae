"""Codes that a supervisor's phone dials to join a call: each for one call, one person, once, for a short time."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.clock import Clock
from voicegw.base.ids import CallId, RandomBytes, token
from voicegw.call.supervision import SupervisionConfig, SupervisorInput

CODE_CHARACTERS = 16
"""80 bits: nobody guesses one within its time."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What a code is good for."""

    call_id: CallId
    name: str
    wanted: SupervisorInput
    until: float


class SupervisionCodes:
    """All codes of a node that have not been used."""

    def __init__(self, config: SupervisionConfig, clock: Clock, random: RandomBytes) -> None:
        self.config = config
        """May be changed: codes that were given out are good for as long as they were to be."""
        self._clock = clock
        self._random = random
        self._issued: dict[str, Admission] = {}

    def issue(self, call_id: CallId, name: str, wanted: SupervisorInput) -> str:
        """A new code; those whose time is over are forgotten."""
        now = self._clock.monotonic()
        self._issued = {code: given for code, given in self._issued.items() if given.until > now}
        code = token(self._random, CODE_CHARACTERS)
        self._issued[code] = Admission(call_id, name, wanted, now + self.config.code_s)
        return code

    def is_code(self, called: str) -> bool:
        """Whether somebody dialled a code, a good one or not."""
        return called.startswith(f"{self.config.prefix}+")

    def redeem(self, called: str) -> Admission | None:
        """What the dialled code is good for; it is used up."""
        admission = self._issued.pop(called.partition("+")[2], None)
        if admission is None or admission.until <= self._clock.monotonic():
            return None
        return admission
