"""What a caller hears before the answer, and how it comes to that, or to a refusal (RFC 3960)."""

from __future__ import annotations

from voicegw.base.causes import HangupCause
from voicegw.call import commands as c
from voicegw.call.legs import CallLeg
from voicegw.call.states import LegRole, LegState, LegTrigger

_UNHEARD = (LegState.TRYING, LegState.RINGING)


class BeforeAnswer:
    """Of one call; idle where the call is answered at once. ``longest_s``: how long all of it may take."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._wanted = False
        self._answering = False
        self._deadline: float | None = None
        self.refusal: HangupCause | None = None
        """What the call is refused with when the caller has been told why; None where it is to be answered."""

    def get_timer(self) -> float | None:
        """When the caller has been kept without an answer for too long, or None."""
        return self._deadline

    def begin(self, leg: CallLeg, now: float, refusal: HangupCause | None = None) -> list[c.CallCommand]:
        """No 180: many networks play their own ringing from there on, over whatever we say."""
        self._wanted, self.refusal = True, refusal
        self._deadline = now + self._longest_s
        return [c.OpenMedia(leg.leg_id)]

    def opened(self, leg: CallLeg) -> c.CallCommand:
        """The leg has a port."""
        early = self._wanted and leg.role is LegRole.CALLER
        return c.SendEarly(leg.leg_id) if early else c.AnswerLeg(leg.leg_id)

    def agreed(self, leg: CallLeg) -> bool:
        """The caller hears us; whether the agent is to begin now."""
        if not self._wanted or leg.state not in _UNHEARD:
            return False
        leg.step(LegTrigger.PROGRESS)
        return True

    def impossible(self, leg: CallLeg) -> list[c.CallCommand]:
        """Who cannot be told before the answer is told after it."""
        if not self._wanted or leg.over or leg.agreed or self._answering:
            return []
        self._deadline, self._answering = None, True
        return [c.AnswerLeg(leg.leg_id)]

    def answer(self, leg: CallLeg) -> list[c.CallCommand]:
        """The agent wants the answer. It goes on when the caller's side has taken notice; at once where it has."""
        waits = c.SuspendAgent(c.Absence.ANSWER)
        if leg.agreed and (leg.ours or leg.confirmed):
            return [waits, c.ResumeAgent(c.Absence.ANSWER)]
        if self._answering or not self._wanted:
            return [waits]
        self._deadline, self._answering = None, True
        return [waits, c.AnswerLeg(leg.leg_id)]

    def answered(self) -> bool:
        """The caller's side has taken notice of the answer; whether somebody had asked for it."""
        asked, self._answering, self._deadline = self._answering, False, None
        return asked
