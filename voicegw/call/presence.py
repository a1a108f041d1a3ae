"""Supervisors in a call: from the first ring of a phone to the hand-back that its leaving is."""

from __future__ import annotations

from collections.abc import Iterator

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import facts as f
from voicegw.call.supervision import SUPERVISION, SupervisorInput, SupervisorMode


class Presence:
    """One supervisor, also while their phone is still ringing. The call machine owns their leg; this, what they do.

    ``wanted`` is what they are going to do once their leg is up.
    """

    def __init__(self, leg_id: LegId, name: str, wanted: SupervisorInput) -> None:
        self.leg_id = leg_id
        self.name = name
        self.wanted = wanted
        self.mode = SupervisorMode.NONE

    @property
    def has_caller(self) -> bool:
        """Whether the caller is theirs alone."""
        return self.mode is SupervisorMode.TAKEOVER

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
        if self.mode is SupervisorMode.NONE:
            return []
        had_caller = self.has_caller
        self.mode = SUPERVISION.next(self.mode, SupervisorInput.LEAVE)
        left = c.RecordFact(f.SupervisorHasLeft(self.name, cause.value.name, had_caller))
        return [left, c.ResumeAgent(c.Absence.SUPERVISOR)] if had_caller else [left]

    def _told(self) -> list[c.CallCommand]:
        return [c.RecordFact(f.SupervisorModeHasChanged(self.name, self.mode.value))]


class Supervisors:
    """All of one call. One at a time has the caller."""

    def __init__(self) -> None:
        self._present: dict[LegId, Presence] = {}

    def __iter__(self) -> Iterator[Presence]:
        """In the order in which they came."""
        return iter(tuple(self._present.values()))

    def __len__(self) -> int:
        return len(self._present)

    @property
    def holder(self) -> Presence | None:
        """Who has taken the caller over."""
        return next((one for one in self if one.has_caller), None)

    def find(self, leg_id: LegId) -> Presence | None:
        """Whose leg this is."""
        return self._present.get(leg_id)

    def named(self, name: str) -> Presence | None:
        """The supervisor of this name; of several phones of one person the first."""
        return next((one for one in self if one.name == name), None)

    def expect(self, leg_id: LegId, name: str, wanted: SupervisorInput) -> None:
        """A leg is on its way."""
        self._present[leg_id] = Presence(leg_id, name, wanted)

    def choose(self, leg_id: LegId, happened: SupervisorInput) -> list[c.CallCommand]:
        """Another mode for one of them; nothing for a caller whom somebody else has."""
        chosen, holder = self._present.get(leg_id), self.holder
        if chosen is None or (happened is SupervisorInput.TAKE_OVER and holder not in (None, chosen)):
            return []
        return chosen.choose(happened)

    def hand_back(self) -> list[c.CallCommand]:
        """Whoever has the caller listens again."""
        return self.holder.choose(SupervisorInput.HAND_BACK) if self.holder is not None else []

    def quieten(self) -> list[c.CallCommand]:
        """All of them listen."""
        return [command for one in self for command in one.choose(SupervisorInput.HAND_BACK)]

    def leave(self, leg_id: LegId, cause: HangupCause) -> list[c.CallCommand]:
        """A leg ended; nothing for one that was none of theirs."""
        gone = self._present.pop(leg_id, None)
        return gone.leave(cause) if gone is not None else []
