"""The call machine: from INVITE to the closed record. Pure: event, now → commands.

It knows legs, an agent and deadlines; it knows no SIP, no RTP and no speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call.legs import CallLeg
from voicegw.call.states import CallState, Control, LegRole, LegState, LegTrigger, call_state

_T = LegTrigger


@dataclass(frozen=True, slots=True)
class CallConfig:
    """Limits of one call."""

    max_duration_s: float = 3600.0
    """A call longer than this is parted from politely: nobody talks with a bot for an hour on purpose."""
    no_media_ms: int = 20_000
    """Silence on the wire (not on the line) that ends a call; held legs do not count."""
    parting_s: float = 12.0
    """How long a goodbye may take before the leg is ended without it."""


class CallMachine:
    """One call with one caller leg; further legs join with supervision and transfer."""

    def __init__(self, config: CallConfig) -> None:
        self._config = config
        self.legs: dict[LegId, CallLeg] = {}
        self.control = Control.AGENT
        self._agent = ""
        self._agent_started = False
        self._finished = False
        self._parting: HangupCause | None = None
        self._deadline: float | None = None

    @property
    def state(self) -> CallState:
        """Derived from the legs."""
        return call_state(leg.state for leg in self.legs.values())

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._deadline

    def handle_timer(self, now: float) -> list[c.CallCommand]:
        """Part from the caller at the longest duration; end the leg when parting takes too long."""
        if self._deadline is None or now < self._deadline:
            return []
        if self._parting is not None:
            return self._end_all(self._parting)
        return self._part(HangupCause.CALL_TOO_LONG, now)

    def handle(self, event: e.CallEvent, now: float) -> list[c.CallCommand]:
        """Take one event and return what is to be done about it, in order."""
        match event:
            case e.CallOffered():
                self.legs[event.leg_id] = CallLeg(event.leg_id, LegRole.CALLER)
                return []
            case e.RouteChosen():
                return self._route_chosen(event)
            case e.RouteRefused():
                return self._end_all(event.cause)
            case e.MediaOpened():
                return self._media_opened(event)
            case e.MediaRefused():
                return self._end_all(HangupCause.OVERLOADED)
            case e.SessionAgreed():
                return self._session_agreed(event, now)
            case e.LegConfirmed():
                self.legs[event.leg_id].confirmed = True
                return self._start_agent(now)
            case e.LegEnded():
                return self._leg_ended(event)
            case e.AgentFinished():
                return self._end_all(event.cause)
            case e.MediaSilent():
                return self._media_silent(event)
            case e.MediaLost():
                return self._end_all(HangupCause.MEDIA_LOST)
            case e.ShutdownRequested():
                return self._part(HangupCause.DRAINING, now)
            case _:
                assert_never(event)

    # ------------------------------------------------------------ before the answer

    def _route_chosen(self, event: e.RouteChosen) -> list[c.CallCommand]:
        self._agent = event.agent
        leg = self._caller()
        if leg is None or leg.over:
            return []
        leg.step(_T.RING)
        return [c.SendRinging(leg.leg_id), c.OpenMedia(leg.leg_id)]

    def _media_opened(self, event: e.MediaOpened) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        if leg.over:
            return [c.CloseMedia(leg.leg_id)]
        leg.media_open = True
        return [c.AnswerLeg(leg.leg_id)]

    # ------------------------------------------------------------ during the call

    def _session_agreed(self, event: e.SessionAgreed, now: float) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        if leg.over:
            return []
        if not leg.answered:
            leg.step(_T.ANSWER)
        leg.agreed = True
        if event.held != (leg.state is LegState.HELD):
            leg.step(_T.HOLD if event.held else _T.RESUME)
        return self._start_agent(now)

    def _start_agent(self, now: float) -> list[c.CallCommand]:
        leg = self._caller()
        if leg is None or leg.over or self._agent_started or not (leg.agreed and leg.confirmed):
            return []
        self._agent_started = True
        if self._parting is None:
            self._deadline = now + self._config.max_duration_s
        return [c.StartAgent(self._agent)]

    def _media_silent(self, event: e.MediaSilent) -> list[c.CallCommand]:
        leg = self.legs.get(event.leg_id)
        if leg is None or leg.state is LegState.HELD or event.silent_ms < self._config.no_media_ms:
            return []
        return self._end_all(HangupCause.NO_MEDIA)

    # ------------------------------------------------------------ the end

    def _part(self, cause: HangupCause, now: float) -> list[c.CallCommand]:
        if self.state in (CallState.ENDING, CallState.ENDED) or self._parting is not None:
            return []
        if not self._agent_started:
            return self._end_all(cause)
        self._parting = cause
        self._deadline = now + self._config.parting_s
        return [c.PartFromCaller(cause)]

    def _end_all(self, cause: HangupCause) -> list[c.CallCommand]:
        commands: list[c.CallCommand] = []
        self._deadline = None
        for leg in self.legs.values():
            if leg.over:
                continue
            answered = leg.answered
            leg.step(_T.END)
            commands.append(c.EndLeg(leg.leg_id, cause) if answered else c.RejectLeg(leg.leg_id, cause))
        return commands

    def _leg_ended(self, event: e.LegEnded) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        if leg.state is LegState.ENDED:
            return []
        leg.step(_T.GONE)
        commands: list[c.CallCommand] = []
        if leg.role is LegRole.CALLER and self._agent_started:
            commands.append(c.StopAgent())
        if leg.media_open:
            leg.media_open = False
            commands.append(c.CloseMedia(leg.leg_id))
        if self.state is CallState.ENDED and not self._finished:
            self._finished = True
            self._deadline = None
            commands.append(c.FinishCall(event.cause))
        return commands

    def _caller(self) -> CallLeg | None:
        return next((leg for leg in self.legs.values() if leg.role is LegRole.CALLER), None)
