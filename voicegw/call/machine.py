"""The call machine: from INVITE to the closed record. Pure: event, now → commands.

It knows legs, an agent, a transfer, a supervisor and deadlines; it knows no SIP, no RTP and no speech.
"""

from __future__ import annotations

from typing import assert_never

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.before_answer import BeforeAnswer
from voicegw.call.call_config import CallConfig
from voicegw.call.call_transfer import CallTransfer
from voicegw.call.edges import Edge
from voicegw.call.legs import CallLeg
from voicegw.call.presence import Supervisors
from voicegw.call.states import CallState, Control, LegRole, LegState, LegTrigger, call_state
from voicegw.call.supervision import SupervisionConfig, SupervisorInput, edges_of
from voicegw.call.transfer import TransferConfig, TransferState
from voicegw.call.transfer_request import TransferFailure, failure_of

_T = LegTrigger


class CallMachine:
    """One call: its caller, whoever it is transferred to, and a supervisor."""

    def __init__(
        self,
        config: CallConfig,
        transfers: TransferConfig | None = None,
        supervision: SupervisionConfig | None = None,
    ) -> None:
        self._config = config
        self.legs: dict[LegId, CallLeg] = {}
        self._agent = ""
        self._agent_started = False
        self._before = BeforeAnswer(config.max_early_s)
        self._finished = False
        self._parting: HangupCause | None = None
        self._deadline: float | None = None
        self._transfer = CallTransfer(transfers or TransferConfig(), self.legs)
        self._supervisors = Supervisors()
        self._most_supervisors = (supervision or SupervisionConfig()).max_per_call
        self._edges: tuple[Edge, ...] = ()
        self._cause: HangupCause | None = None
        self._wanted_end: HangupCause | None = None

    @property
    def agent(self) -> str:
        """The name of the agent that the route chose; empty before."""
        return self._agent

    @property
    def state(self) -> CallState:
        """Derived from the legs."""
        return call_state(leg.state for leg in self.legs.values())

    @property
    def control(self) -> Control:
        """Who talks with the caller: derived from supervisor and transfer."""
        if self._supervisors.holder is not None:
            return Control.SUPERVISOR
        if self._transfer.current is None:
            return Control.AGENT
        return Control.QUEUED if self._transfer.waiting else Control.BRIDGED

    @property
    def supervisors(self) -> Supervisors:
        """Who supervises, and how; not to be changed from outside."""
        return self._supervisors

    @property
    def bridged_to(self) -> tuple[LegId, str] | None:
        """The leg of whoever talks with the caller by way of us, and what they are called."""
        return self._transfer.talking_with if self.control is Control.BRIDGED else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        timers = (self._deadline, self._before.get_timer(), self._transfer.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> list[c.CallCommand]:
        """Part from the caller at the longest duration; end the leg when parting takes too long."""
        commands = self._moved(self._transfer.handle_timer(now), now)
        if self._deadline is not None and now >= self._deadline:
            if self._parting is not None:
                commands += self._end_all(self._parting)
            else:
                commands += self._part(HangupCause.CALL_TOO_LONG, now)
        if (unanswered := self._before.get_timer()) is not None and now >= unanswered:
            commands += self._unanswered_too_long()
        return [*self._remix(), *commands, *self._finish()]

    def handle(self, event: e.CallEvent, now: float) -> list[c.CallCommand]:
        """Take one event and return what is to be done about it, in order."""
        commands = self._handle(event, now)
        return [*self._remix(), *commands, *self._finish()]

    def _handle(self, event: e.CallEvent, now: float) -> list[c.CallCommand]:
        match event:
            case e.CallOffered():
                ours = bool(event.uri)
                self.legs[event.leg_id] = CallLeg(
                    event.leg_id, LegRole.CALLER, ours=ours, signalled=not ours, uri=event.uri
                )
                return []
            case e.RouteChosen():
                return self._route_chosen(event, now)
            case e.RouteRefused():
                return self._route_refused(event, now)
            case e.MediaOpened():
                return self._media_opened(event)
            case e.MediaRefused():
                return self._media_refused(event, now)
            case e.EarlyMediaAgreed() | e.EarlyMediaRefused() | e.AnswerWanted():
                return self._handle_early(event)
            case e.SessionAgreed():
                return self._session_agreed(event, now)
            case e.LegConfirmed():
                return self._listens(self.legs[event.leg_id], now)
            case e.MediaHeard() if self._has_our_answer(event.leg_id):
                return self._listens(self.legs[event.leg_id], now)
            case e.LegEnded():
                return self._leg_ended(event, now)
            case e.AgentFinished():
                return self._end_all(event.cause)
            case e.MediaSilent():
                return self._media_silent(event)
            case e.TonePlayed():
                return self._tone_played(event)
            case e.MediaLost():
                return self._end_all(HangupCause.MEDIA_LOST)
            case e.ShutdownRequested():
                return self._part(event.cause, now)
            case e.SupervisorOffered():
                return self._supervisor_offered(event)
            case e.SupervisorChose():
                return self._supervisor_chose(event.leg_id, event.happened, now)
            case e.SupervisorDismissed():
                known = self._supervisors.find(event.leg_id) is not None
                return self._end_leg(self.legs[event.leg_id], HangupCause.SUPERVISION_OVER) if known else []
            case e.EndRequested():
                return self._end_all(event.cause)
            case e.TransferRequested():
                return self._transfer_requested(event, now)
            case _:
                return self._moved(self._transfer.handle(event, now), now)

    # ------------------------------------------------------------ before the answer

    def _route_chosen(self, event: e.RouteChosen, now: float) -> list[c.CallCommand]:
        self._agent = event.agent
        leg = self._caller()
        if leg is None or leg.over:
            return []
        if leg.ours:
            return [c.DialLeg(leg.leg_id, leg.uri)]
        if event.early:
            return self._before.begin(leg, now)
        leg.step(_T.RING)
        return [c.SendRinging(leg.leg_id), c.OpenMedia(leg.leg_id)]

    def _route_refused(self, event: e.RouteRefused, now: float) -> list[c.CallCommand]:
        leg = self._caller()
        if not event.announced or leg is None or leg.over or leg.ours:
            return self._end_all(event.cause)
        return self._before.begin(leg, now, event.cause)

    def _handle_early(
        self, event: e.EarlyMediaAgreed | e.EarlyMediaRefused | e.AnswerWanted
    ) -> list[c.CallCommand]:
        leg = self._caller()
        if leg is None or leg.over:
            return []
        match event:
            case e.EarlyMediaAgreed():
                if not self._before.agreed(leg):
                    return []
                self._agent_started = True
                return [c.StartAgent(self._agent, early=True)]
            case e.EarlyMediaRefused():
                return self._not_heard(leg)
            case e.AnswerWanted():
                return self._before.answer(leg)
            case _:
                assert_never(event)

    def _not_heard(self, leg: CallLeg) -> list[c.CallCommand]:
        refusal = self._before.refusal
        return self._before.impossible(leg) if refusal is None else self._end_all(refusal)

    def _unanswered_too_long(self) -> list[c.CallCommand]:
        """A caller of whom nobody knows whether they would hear us is answered; who has heard us is let go."""
        leg = self._caller()
        if leg is not None and leg.media_open and not self._agent_started:
            return self._not_heard(leg)
        return self._end_all(self._before.refusal or HangupCause.CALL_TOO_LONG)

    def _media_opened(self, event: e.MediaOpened) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        if leg.over:
            return [c.CloseMedia(leg.leg_id)]
        leg.media_open = True
        if not leg.ours:
            return [self._before.opened(leg)]
        leg.signalled = True
        if leg.role is not LegRole.CALLEE:
            return [c.InviteLeg(leg.leg_id, leg.uri)]
        transfer = self._transfer.current
        return [c.InviteTarget(transfer.request)] if transfer is not None else []

    def _media_refused(self, event: e.MediaRefused, now: float) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        match leg.role:
            case LegRole.CALLER | LegRole.AGENT:
                return self._end_all(self._before.refusal or HangupCause.OVERLOADED)
            case LegRole.CALLEE:
                gone = self._end_leg(leg, HangupCause.OVERLOADED)
                return [
                    *gone,
                    *self._moved(self._transfer.target_gone(leg, TransferFailure.NOT_POSSIBLE, 0, now), now),
                ]
            case LegRole.SUPERVISOR:
                ended = self._end_leg(leg, HangupCause.OVERLOADED)
                return [*ended, *self._supervisors.leave(leg.leg_id, HangupCause.OVERLOADED)]

    # ------------------------------------------------------------ during the call

    def _session_agreed(self, event: e.SessionAgreed, now: float) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        if leg.over:
            return []
        if not leg.answered:
            leg.step(_T.ANSWER)
        first, leg.agreed = not leg.agreed, True
        if event.held != (leg.state is LegState.HELD):
            leg.step(_T.HOLD if event.held else _T.RESUME)
        return self._leg_ready(leg, now) if first else []

    def _has_our_answer(self, leg_id: LegId) -> bool:
        """Of one who sends to a port that only our answer names. Its ACK may be lost; its words are not to be."""
        leg = self.legs.get(leg_id)
        if leg is None or leg.ours or not leg.agreed:
            return False
        return leg.role is not LegRole.CALLER or not self._agent_started  # which began before the answer

    def _listens(self, leg: CallLeg, now: float) -> list[c.CallCommand]:
        if leg.confirmed:
            return []
        leg.confirmed = True
        return self._leg_ready(leg, now)

    def _leg_ready(self, leg: CallLeg, now: float) -> list[c.CallCommand]:
        """What begins once a leg can be talked on: a leg of ours with its answer, another one with its ACK too."""
        if leg.over or not leg.agreed or not (leg.ours or leg.confirmed):
            return []
        match leg.role:
            case LegRole.CALLER | LegRole.AGENT:
                return self._start_agent(now)
            case LegRole.CALLEE:
                return self._moved(self._transfer.answered(leg, now), now)
            case LegRole.SUPERVISOR:
                return self._joined(leg.leg_id, now)

    def _start_agent(self, now: float) -> list[c.CallCommand]:
        begun, self._agent_started = self._agent_started, True
        if not self._before.answered() and begun:
            return []
        if self._parting is None:
            self._deadline = now + self._config.max_duration_s
        return [c.ResumeAgent(c.Absence.ANSWER) if begun else c.StartAgent(self._agent)]

    def _media_silent(self, event: e.MediaSilent) -> list[c.CallCommand]:
        leg = self.legs.get(event.leg_id)
        if (
            leg is None
            or not leg.answered
            or leg.state is LegState.HELD
            or event.silent_ms < self._config.no_media_ms
        ):
            return []
        if leg.role is LegRole.CALLER:
            return self._end_all(HangupCause.NO_MEDIA)
        return self._end_leg(leg, HangupCause.NO_MEDIA)

    def _tone_played(self, event: e.TonePlayed) -> list[c.CallCommand]:
        """Before the answer, the tone is followed by a refusal; after it nobody says anything any more."""
        leg = self.legs.get(event.leg_id)
        if leg is None or not leg.answered or leg.over:
            return []
        return self._end_all(event.cause) if leg.role is LegRole.CALLER else self._end_leg(leg, event.cause)

    def _remix(self) -> list[c.CallCommand]:
        """Who hears whom, if that is not what was asked for last. It goes before whatever is to be heard."""
        caller = self._caller()
        if caller is None or caller.over or not self._agent_started:
            return []
        modes = tuple((one.leg_id, one.mode) for one in self._supervisors)
        edges = edges_of(self._transfer.scene(caller.leg_id, modes))
        if edges == self._edges:
            return []
        self._edges = edges
        return [c.ChangeMix(edges)]

    # ------------------------------------------------------------ transfer

    def _transfer_requested(self, event: e.TransferRequested, now: float) -> list[c.CallCommand]:
        caller = self._caller()
        possible = caller is not None and caller.answered and self._agent_started and self._parting is None
        running = self._transfer.current is not None
        if caller is None or not possible or running:
            failure = TransferFailure.NOT_POSSIBLE
            refused = c.RecordFact(f.TransferHasFailed(failure.value, 0))
            return [refused] if running else [refused, c.ResumeAgent(c.Absence.TRANSFER, failure)]
        started = self._moved(self._transfer.begin(event.request, caller.leg_id, now), now)
        return [*started, *self._supervisors.hand_back()]

    def _moved(self, commands: list[c.CallCommand], now: float) -> list[c.CallCommand]:
        """Commands of the transfer, with what they mean for legs and deadlines."""
        done: list[c.CallCommand] = []
        for command in commands:
            match command:
                case c.DialTarget(request):
                    self.legs[request.leg_id] = CallLeg(request.leg_id, LegRole.CALLEE, ours=True, signalled=False)
                    done.append(command)
                case c.EndLeg(leg_id, cause):
                    leg = self.legs.get(leg_id)
                    done += self._end_leg(leg, cause) if leg is not None else []
                case _:
                    done.append(command)
        return [*done, *self._settle_transfer(now)] if commands else []

    def _settle_transfer(self, now: float) -> list[c.CallCommand]:
        """What the state that a transfer has come to means for the call."""
        transfer = self._transfer.current
        if transfer is None:
            return []
        if transfer.talking and self._parting is None:
            self._deadline = now + self._config.max_bridged_s
        elif transfer.state is TransferState.FAILED:
            self._transfer.forget()
        elif transfer.state is TransferState.OVER:
            self._transfer.forget()
            if self._parting is not None:
                return []  # whoever is left hears our last words to their end
            if self._supervisors.holder is not None:
                return [c.ResumeAgent(c.Absence.TRANSFER)]
            return self._end_all(HangupCause.CALLEE_HANGUP)
        return []

    # ------------------------------------------------------------ supervision

    def _supervisor_offered(self, event: e.SupervisorOffered) -> list[c.CallCommand]:
        ours, caller = bool(event.uri), self._caller()
        leg = CallLeg(
            event.leg_id, LegRole.SUPERVISOR, ours=ours, signalled=not ours, uri=event.uri, party=event.name
        )
        self.legs[event.leg_id] = leg
        if caller is None or caller.over or len(self._supervisors) >= self._most_supervisors:
            return self._end_leg(leg, HangupCause.BUSY)
        self._supervisors.expect(event.leg_id, event.name, event.wanted)
        return [c.DialLeg(event.leg_id, event.uri) if ours else c.OpenMedia(event.leg_id)]

    def _joined(self, leg_id: LegId, now: float) -> list[c.CallCommand]:
        presence = self._supervisors.find(leg_id)
        joined = presence.join() if presence is not None else []
        return [*joined, *self._supervisor_chose(leg_id, presence.wanted, now)] if presence and joined else []

    def _supervisor_chose(self, leg_id: LegId, happened: SupervisorInput, now: float) -> list[c.CallCommand]:
        chosen = self._supervisors.choose(leg_id, happened)
        if self._supervisors.holder is not None and self._transfer.waiting:
            return [*chosen, *self._moved(self._transfer.abandon(now), now)]
        return chosen

    # ------------------------------------------------------------ the end

    def _part(self, cause: HangupCause, now: float) -> list[c.CallCommand]:
        if self.state in (CallState.ENDING, CallState.ENDED) or self._parting is not None:
            return []
        if not self._agent_started:
            return self._end_all(cause)
        self._parting = cause
        self._deadline = now + self._config.parting_s
        commands = self._moved(self._transfer.abandon(now), now)
        return [*commands, *self._supervisors.quieten(), *self._transfer.part(), c.PartFromCaller(cause)]

    def _end_all(self, cause: HangupCause) -> list[c.CallCommand]:
        commands = self._transfer.drop(TransferFailure.FAILED)
        self._deadline = None
        self._transfer.forget()
        self._before.answered()
        self._wanted_end = self._wanted_end or cause
        for leg in self.legs.values():
            commands += self._end_leg(leg, cause)
        return commands

    def _end_leg(self, leg: CallLeg, cause: HangupCause) -> list[c.CallCommand]:
        """Ask for the end of a leg; one that the gateway never knew is gone at once."""
        if leg.over:
            return []
        if not leg.signalled:
            leg.step(_T.GONE)
            return []
        answered = leg.answered or leg.ours
        leg.step(_T.END)
        return [c.EndLeg(leg.leg_id, cause) if answered else c.RejectLeg(leg.leg_id, cause)]

    def _leg_ended(self, event: e.LegEnded, now: float) -> list[c.CallCommand]:
        leg = self.legs[event.leg_id]
        if leg.state is LegState.ENDED:
            return []
        leg.step(_T.GONE)
        commands: list[c.CallCommand] = []
        match leg.role:
            case LegRole.CALLER | LegRole.AGENT:
                commands += self._caller_gone(event)
            case LegRole.CALLEE:
                failure = failure_of(event.cause, event.sip_status)
                commands += self._moved(self._transfer.target_gone(leg, failure, event.sip_status, now), now)
            case LegRole.SUPERVISOR:
                commands += self._supervisors.leave(leg.leg_id, event.cause)
        if leg.media_open:
            leg.media_open = False
            commands.append(c.CloseMedia(leg.leg_id))
        return commands

    def _finish(self) -> list[c.CallCommand]:
        """Close the record once every leg has ended; one of ours may end without the gateway having known it."""
        if not self.legs or self.state is not CallState.ENDED or self._finished:
            return []
        self._finished = True
        self._deadline = None
        return [c.FinishCall(self._cause or self._wanted_end or HangupCause.INTERNAL_ERROR)]

    def _caller_gone(self, event: e.LegEnded) -> list[c.CallCommand]:
        """Without its caller there is no call: whoever else is in it goes too."""
        self._cause = event.cause
        commands: list[c.CallCommand] = [c.StopAgent()] if self._agent_started else []
        commands += self._transfer.drop(TransferFailure.CALLER_GONE)
        return [*commands, *self._end_all(event.cause)]

    def _caller(self) -> CallLeg | None:
        return next((leg for leg in self.legs.values() if leg.role is LegRole.CALLER), None)
