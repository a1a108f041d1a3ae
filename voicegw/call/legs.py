"""One leg of a call, as the call machine sees it."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.ids import LegId
from voicegw.call.states import LEG_TABLE, LegRole, LegState, LegTrigger


@dataclass(slots=True)
class CallLeg:
    """State of a leg. ``agreed`` and ``confirmed``: offer/answer is complete, and the peer has it: its ACK is in,
    or audio of its.

    ``ours``: we call. ``signalled``: the gateway knows the leg, so that its LegEnded will come.
    """

    leg_id: LegId
    role: LegRole
    ours: bool = False
    signalled: bool = True
    uri: str = ""
    party: str = ""
    """Who it is, where that is known: the name of a supervisor."""
    state: LegState = LegState.TRYING
    media_open: bool = False
    agreed: bool = False
    confirmed: bool = False

    def step(self, trigger: LegTrigger) -> None:
        """Move by the table; raises IllegalTransition."""
        self.state = LEG_TABLE.next(self.state, trigger)

    @property
    def answered(self) -> bool:
        """Whether the leg is between its answer and its end."""
        return self.state in (LegState.CONNECTED, LegState.HELD)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be asked of the leg."""
        return self.state in (LegState.ENDING, LegState.ENDED)
