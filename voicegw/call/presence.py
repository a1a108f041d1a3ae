"""A supervisor in a call: from the first ring of their phone to the hand-back that their leaving is."""

from __future__ import annotations

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import facts as f
from voicegw.call.supervision import SUPERVISION, SupervisorInput, SupervisorMode


class Presence:
    """At most one supervisor. The call machine owns their leg; this owns what they do."""

    def __init__(self) -> None:
        self.leg_id: LegId | None = None
        """Their leg, also while it is still ringing."""
        self.name = ""
        self.mode = SupervisorMode.NONE
        self.wanted = SupervisorInput.LISTEN
        """What they are going to do once their leg is up."""

    @property
    def has_caller(self) -> bool:
        """Whether the caller is theirs alone."""
        return self.mode is SupervisorMode.TAKEOVER

    def expect(self, leg_id: LegId, name: str, wanted: SupervisorInput) -> None:
        """Their leg is on its way."""
        self.leg_id, self.name, self.wanted = leg_id, name, wanted

    def join(self) -> list[c.CallCommand]:
        """Their leg is up; the first thing that they do is to listen. Again after a re-INVITE: nothing."""
        if self.mode is not SupervisorMode.NONE:
            return []
        self.mode = SUPERVISION.next(self.mode, SupervisorInput.LISTEN)
        return [c.RecordFact(f.SupervisorHasJoined(self.name)), *self._told()]

    def choose(self, happened: SupervisorInput) -> list[c.CallCommand]:
        """Another mode; nothing where there is nobody, or nothing changes."""
        if self.mode is SupervisorMode.NONE or happened is SupervisorInput.LEAVE:
            return []
        before, self.mode = self.mode, SUPERVISION.next(self.mode, happened)
        if self.mode is before:
            return []
        commands = self._told()
        if self.has_caller:
            return [*commands, c.SuspendAgent(c.Absence.SUPERVISOR)]
        if before is SupervisorMode.TAKEOVER:
            return [*commands, c.ResumeAgent(c.Absence.SUPERVISOR)]
        return commands

    def leave(self, cause: HangupCause) -> list[c.CallCommand]:
        """Their leg ended, however that came: who was theirs goes back to the agent."""
        self.leg_id = None
        if self.mode is SupervisorMode.NONE:
            return []
        had_caller = self.has_caller
        self.mode = SUPERVISION.next(self.mode, SupervisorInput.LEAVE)
        left = c.RecordFact(f.SupervisorHasLeft(self.name, cause.value.name, had_caller))
        return [left, c.ResumeAgent(c.Absence.SUPERVISOR)] if had_caller else [left]

    def _told(self) -> list[c.CallCommand]:
        return [c.RecordFact(f.SupervisorModeHasChanged(self.name, self.mode.value))]
