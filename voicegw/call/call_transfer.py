"""The transfer that a call is in, if it is in one, and the leg of its target."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.legs import CallLeg
from voicegw.call.states import LegRole, LegState, LegTrigger
from voicegw.call.supervision import Scene, SupervisorMode
from voicegw.call.transfer import Transfer, TransferConfig, TransferInput
from voicegw.call.transfer_request import TransferFailure, TransferRequest, failure_of_status

TransferEvent: TypeAlias = (
    e.TransferAbandoned
    | e.LegRinging
    | e.LegRedialled
    | e.MediaHeard
    | e.ReferAnswered
    | e.ReferProgressed
    | e.BriefingFinished
    | e.KeyPressed
)


class CallTransfer:
    """One transfer at a time. ``legs`` are those of the call; the commands are for the call machine to follow."""

    def __init__(self, config: TransferConfig, legs: dict[LegId, CallLeg]) -> None:
        self._config = config
        self._legs = legs
        self.current: Transfer | None = None
        self._parting = False

    @property
    def waiting(self) -> bool:
        """Whether the caller waits for its outcome."""
        return self.current is not None and self.current.waiting

    @property
    def talking_with(self) -> tuple[LegId, str] | None:
        """The leg of whoever talks with the caller, and what they are called."""
        if self.current is None or not self.current.talking:
            return None
        return self.current.request.leg_id, self.current.request.target

    def scene(self, caller: LegId, supervisors: tuple[tuple[LegId, SupervisorMode], ...]) -> Scene:
        """Who is there to be heard."""
        transfer = self.current
        if transfer is None:
            return Scene(caller, supervisors=supervisors)
        return Scene(
            caller,
            transfer.near,
            transfer.request.leg_id if transfer.request.leg_id in self._legs else None,
            transfer.is_briefing,
            self._config.transcribe,
            supervisors,
            self._parting and transfer.talking,
        )

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self.current.get_timer() if self.current is not None else None

    def handle_timer(self, now: float) -> list[c.CallCommand]:
        """Act on a deadline that has come."""
        return self.current.handle_timer(now) if self.current is not None else []

    def begin(self, request: TransferRequest, caller: LegId, now: float) -> list[c.CallCommand]:
        """Somebody wants the caller moved."""
        self.current = Transfer(request, self._config, caller)
        return self.current.start(now)

    def forget(self) -> None:
        """It is over."""
        self.current = None

    # ------------------------------------------------------------ what happens to it

    def handle(self, event: TransferEvent, now: float) -> list[c.CallCommand]:
        """An event that matters to a transfer alone."""
        transfer = self.current
        if transfer is None:
            return []
        match event:
            case e.TransferAbandoned():
                return transfer.take(TransferInput.ABANDONED, now)
            case e.LegRinging():
                return self._leg_ringing(event)
            case e.LegRedialled():
                return self._leg_redialled(event, transfer)
            case e.MediaHeard():
                return self._media_heard(event, transfer)
            case e.ReferAnswered():
                return transfer.refer_answered(event.status, now)
            case e.ReferProgressed():
                failure = failure_of_status(event.status)
                return transfer.refer_progressed(event.status, now, failure, final=event.final)
            case e.BriefingFinished():
                return transfer.briefed(now)
            case e.KeyPressed():
                return transfer.key(event.digit, now) if self.is_target(event.leg_id) else []
            case _:
                assert_never(event)

    def is_target(self, leg_id: LegId) -> bool:
        """Whether this is the leg that the caller is to be connected with."""
        return self.current is not None and leg_id == self.current.request.leg_id

    def answered(self, leg: CallLeg, now: float) -> list[c.CallCommand]:
        """A leg that we called is up."""
        return self.current.answered(now) if self.current is not None and self.is_target(leg.leg_id) else []

    def abandon(self, now: float) -> list[c.CallCommand]:
        """Somebody of ours wants the caller now."""
        return self.current.take(TransferInput.ABANDONED, now) if self.current is not None else []

    def part(self) -> list[c.CallCommand]:
        """Caller and target, if they talk, hear from now on what the agent says as well."""
        if self.talking_with is None:
            return []
        self._parting = True
        return [c.ResumeAgent(c.Absence.TRANSFER)]

    def target_gone(self, leg: CallLeg, failure: TransferFailure, status: int, now: float) -> list[c.CallCommand]:
        """A leg that we called ended."""
        if self.current is None or not self.is_target(leg.leg_id):
            return []
        return self.current.take(TransferInput.TARGET_GONE, now, failure, status)

    def drop(self, failure: TransferFailure) -> list[c.CallCommand]:
        """The call is ending."""
        return self.current.drop(failure) if self.current is not None else []

    def _leg_ringing(self, event: e.LegRinging) -> list[c.CallCommand]:
        leg = self._legs.get(event.leg_id)
        if leg is None or leg.state is not LegState.TRYING or leg.role is not LegRole.CALLEE:
            return []
        leg.step(LegTrigger.RING)
        return [c.RecordFact(f.TransferHasProgressed("ringing", event.status))]

    def _leg_redialled(self, event: e.LegRedialled, transfer: Transfer) -> list[c.CallCommand]:
        """What was heard of the target came by a trunk that has failed."""
        leg = self._legs.get(event.leg_id)
        if leg is None or not self.is_target(leg.leg_id) or leg.answered or leg.over:
            return []
        leg.step(LegTrigger.RETRY)
        return transfer.quiet_again()

    def _media_heard(self, event: e.MediaHeard, transfer: Transfer) -> list[c.CallCommand]:
        """The target's side can be heard before it answers: an announcement, say, or the ringing of its network."""
        leg = self._legs.get(event.leg_id)
        if leg is None or not self.is_target(leg.leg_id) or leg.state not in (LegState.TRYING, LegState.RINGING):
            return []
        leg.step(LegTrigger.PROGRESS)
        return transfer.heard_early()
