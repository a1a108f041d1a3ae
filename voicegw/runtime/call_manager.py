"""All calls of a node: who gets which event, who is admitted, and how the node empties."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Final, assert_never

from voicegw.agents.announcing import announcer
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId, token
from voicegw.base.personal import Personal
from voicegw.call import events as e
from voicegw.call.transfer_request import TransferKind
from voicegw.dialplan.compile import RouteRequest
from voicegw.dialplan.match import Reject, RouteDecision, ToAgent, ToRecorder
from voicegw.gateway.events import (
    LegAnswered,
    LegBarred,
    LegConfirmed,
    LegEarlyMedia,
    LegEnded,
    LegEvent,
    LegInfo,
    LegInvited,
    LegKeysSent,
    LegMediaChanged,
    LegMessage,
    LegMetadata,
    LegReferAnswered,
    LegReferNotified,
    LegReferralFailed,
    LegReferred,
    LegRefused,
    LegReplaced,
    LegRinging,
    LegStreamsChanged,
    LegStreamsOffered,
    LegTrunkFailed,
)
from voicegw.gateway.token_bucket import Rate, TokenBucket
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.media import messages as m
from voicegw.runtime.call_runtime import CallRuntime
from voicegw.runtime.capture_house import CaptureHouse
from voicegw.runtime.dialplan_store import DialplanStore
from voicegw.runtime.key_ways import KeyWay, KeyWays
from voicegw.runtime.mail import EarlyMediaOffered, Mail, MediaChanged, RecordingClientSaid
from voicegw.runtime.offer import Offer
from voicegw.runtime.orders import MoveCall
from voicegw.runtime.recording_runtime import RecordingRuntime
from voicegw.runtime.services import CallServices
from voicegw.runtime.supervision_codes import SupervisionCodes
from voicegw.runtime.turned_away import offer_of, record_refused
from voicegw.runtime.worker_tally import WorkerTally
from voicegw.sip.dialling import call_target
from voicegw.sip.info_keys import read_info_key
from voicegw.sip.parties import number_of

log = logging.getLogger(__name__)

DRAIN: Final = "drain"
"""Who moves calls of a node that is being emptied."""
REFUSED_RECORDED: Final = Rate(1.0, 100.0)
"""Records a second of calls for which there is no line, and of strangers whom the dialplan rejects: no flood may
fill the store."""


class CallManager:
    """Creates calls from INVITEs and delivers every event to the call it belongs to."""

    def __init__(self, services: CallServices, store: DialplanStore, max_calls: int) -> None:
        self._services = services
        self._store = store
        self.max_calls = max_calls
        self._calls: dict[CallId, CallRuntime] = {}
        self._by_leg: dict[LegId, CallRuntime] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tally = WorkerTally(services.counters)
        self._key_ways = KeyWays()
        self._ration = TokenBucket(REFUSED_RECORDED, services.clock.monotonic())
        self.codes = SupervisionCodes(services.supervision, services.clock, services.random)
        """For supervisors who dial into a call."""
        self.on_call_ended: Callable[[CallId], None] = lambda _call_id: None
        self.on_caller_heard: Callable[[CallId, float], None] = lambda _call_id, _at: None
        """Audio of a caller arrives from now on, monotonic seconds."""
        self.keeps_up: Callable[[], bool] = lambda: True
        """Whether recognition and synthesis could serve one more call."""
        self.accepts = True
        """Whether calls of our own may begin; the gateway refuses those of others by itself."""

    @property
    def active(self) -> int:
        """How many calls there are."""
        return len(self._calls)

    @property
    def captures(self) -> CaptureHouse:
        """Packet captures of calls of this node."""
        return self._services.captures

    def change(self, change: Callable[[CallServices], CallServices]) -> None:
        """What calls that begin from now on are given."""
        self._services = change(self._services)
        self.codes.config = self._services.supervision

    async def wait_for_these(self) -> None:
        """Until every call that there is now has ended."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    @property
    def has_room(self) -> bool:
        """Whether one more call would be carried well."""
        return len(self._calls) < self.max_calls and self._services.media.has_room and self.keeps_up()

    # ------------------------------------------------------------ from the gateway

    def on_leg_event(self, event: LegEvent) -> None:
        """An event of the SIP gateway."""
        match event:
            case LegInvited():
                self._invited(event)
            case LegAnswered() | LegMediaChanged():
                self._post(event.leg_id, MediaChanged(event.leg_id, event.session))
            case LegConfirmed():
                self._post(event.leg_id, e.LegConfirmed(event.leg_id))
            case LegEnded():
                self._key_ways.forget(event.leg_id)
                self._post(event.leg_id, e.LegEnded(event.leg_id, event.cause, event.sip_status))
            case LegEarlyMedia():
                self._post(event.leg_id, EarlyMediaOffered(event.leg_id, event.session))
            case LegRinging():
                self._post(event.leg_id, e.LegRinging(event.leg_id, event.status))
            case LegReferAnswered():
                self._post(event.leg_id, e.ReferAnswered(event.leg_id, event.status))
            case LegReferNotified():
                self._post(event.leg_id, e.ReferProgressed(event.leg_id, event.status, event.final))
            case LegStreamsOffered() | LegStreamsChanged() | LegMetadata():
                self._post(event.leg_id, RecordingClientSaid(event))
            case (
                LegReferred()
                | LegReferralFailed()
                | LegReplaced()
                | LegMessage()
                | LegKeysSent()
                | LegTrunkFailed()
                | LegBarred()
            ):
                self._post(event.leg_id, event)
            case LegInfo():
                self._pressed(event)
            case LegRefused():
                record_refused(self._services, event.invited, event.cause, event.source, event.ago_s)
            case _:
                assert_never(event)

    def _pressed(self, event: LegInfo) -> None:
        """A key by INFO is a key like any other, unless the leg's keys come as telephone events."""
        key = read_info_key(event.content_type, event.body)
        if key is not None and self._key_ways.counts(event.leg_id, KeyWay.INFO):
            self._post(event.leg_id, m.DtmfReceived(event.leg_id, key.digit, key.duration_ms))

    def originate(
        self,
        uri: str,
        agent: str,
        calling: str = "",
        told: Mapping[str, str] = MappingProxyType({}),
        payer: Payer = NOBODY,
    ) -> CallId:
        """Call ``uri`` and let ``agent``, who is ``told`` this, talk with whoever answers. ``payer`` ordered it.

        The facts of the call tell how that goes.

        ``uri`` may be a number, which goes by the trunk that carries it (``tgrp`` names one).
        Raises LocalError for an unknown agent, for what it cannot be told and when every line is taken,
        RemoteProtocolError for a bad URI.
        """
        uri = call_target(uri)
        called = number_of(uri)
        installation = self._store.current
        if agent not in installation.agents:
            raise LocalError(f"there is no agent called {agent!r}")
        for name, value in told.items():
            if why := installation.agents[agent].refuses(name, value):
                raise LocalError(why)
        if not self.accepts:
            raise LocalError("the server takes no new calls: it is being emptied")
        if not self.has_room:
            raise LocalError("every line of this server is taken")
        self._services.counters.add("calls_originated")
        call_id, leg_id = CallId(token(self._services.random, 16)), LegId(token(self._services.random, 16))
        call = self._open(call_id, Offer(leg_id, "", called, calling, "", {}, uri, told=told, payer=payer))
        call.post(e.CallOffered(leg_id, uri))
        self._capture(call, Offer(leg_id, "", called, calling, "", {}, uri))
        call.note_route("", agent)
        call.post(e.RouteChosen(agent))
        self._run(call)
        return call_id

    def _supervisor_invited(self, event: LegInvited) -> None:
        """A supervisor's phone dialled a code: it is no call of its own but a leg of the one the code is for."""
        admission = self.codes.redeem(event.called)
        call = self._calls.get(admission.call_id) if admission is not None else None
        if admission is None or call is None:
            self._services.counters.add("supervision_refused")
            self._services.signalling.reject(event.leg_id, HangupCause.ROUTE_REJECTED)
            return
        self._adopt(call, event.leg_id)
        call.post(e.SupervisorOffered(event.leg_id, admission.name, wanted=admission.wanted))

    def _invited(self, event: LegInvited) -> None:
        if self.codes.is_code(event.called):
            self._supervisor_invited(event)
            return
        self._services.counters.add("calls_offered")
        if not self.has_room:
            self._services.counters.add("calls_refused_full" if self.keeps_up() else "calls_refused_behind")
            self._services.signalling.reject(event.leg_id, HangupCause.OVERLOADED)
            if self._ration.take(self._services.clock.monotonic()):
                record_refused(self._services, event, HangupCause.OVERLOADED)
            return
        offer = offer_of(event)
        decision = self._decide(offer)
        if isinstance(decision, Reject) and self._is_one_too_many(event, decision):
            self._services.counters.add("calls_refused_unrecorded")
            self._services.signalling.reject(event.leg_id, decision.cause)
            return
        call = self._open(CallId(token(self._services.random, 16)), offer)
        try:
            self._begin(call, event, offer, decision)
        except Exception:
            self._gone(
                call.call_id
            )  # nobody runs it: it would be active for ever. The door answers (decision 0019)
            raise
        self._run(call)

    def _begin(self, call: CallRuntime, event: LegInvited, offer: Offer, decision: RouteDecision) -> None:
        call.post(e.CallOffered(event.leg_id))
        self._capture(call, offer)
        self._route(call, offer, decision)
        if (recording := event.recording) is not None:
            if recording.metadata:
                call.post(RecordingClientSaid(LegMetadata(event.leg_id, recording.metadata)))
            call.post(RecordingClientSaid(LegStreamsOffered(event.leg_id, recording.places)))

    def _capture(self, call: CallRuntime, offer: Offer) -> None:
        """Whoever has waited for this call gets its packets, or a line in the log."""
        order = self._services.captures.claim(offer.calling, offer.called)
        if order is not None:
            call.ask(order).add_done_callback(_log_refusal)

    def _is_one_too_many(self, event: LegInvited, decision: Reject) -> bool:
        """Strangers who call what nobody has are recorded, but not without end."""
        if event.trunk or event.phone or decision.announcement is not None:
            return False
        return not self._ration.take(self._services.clock.monotonic())

    def _open(self, call_id: CallId, offer: Offer) -> CallRuntime:
        """A call with the agents as they are now."""
        services = replace(self._services, agents=self._store.current.agents)
        kind = RecordingRuntime if offer.recorded else CallRuntime
        call = kind(call_id, offer, services, self._gone, self._adopt)
        self._calls[call_id] = self._by_leg[offer.leg_id] = call
        self._idle.clear()
        return call

    def _run(self, call: CallRuntime) -> None:
        task = asyncio.create_task(call.run(), name=f"call {call.call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _decide(self, offer: Offer) -> RouteDecision:
        at = datetime.fromtimestamp(self._services.clock.wall(), UTC)
        request = RouteRequest(
            offer.called,
            offer.calling,
            at,
            tuple(offer.headers.items()),
            offer.trunk,
            offer.parties.original_called,
            offer.recorded,
            offer.parties.verified,
            offer.parties.attestation,
        )
        return self._store.current.dialplan.route(request)

    def _route(self, call: CallRuntime, offer: Offer, decision: RouteDecision) -> None:
        log.info(
            "call offered",
            extra={
                "call_id": call.call_id,
                "called": Personal(offer.called),
                "calling": Personal(offer.calling),
                "trunk": offer.trunk,
                "route": decision.route,
            },
        )
        said = decision.announcement if not isinstance(decision, ToRecorder) else None
        match decision:
            case ToAgent():
                agent = self._store.current.agents[decision.agent]
                announced = announcer(said, agent, HangupCause.AGENT_HANGUP) if said is not None else None
                call.note_route(decision.route, decision.agent, decision.recording, announced)
                call.post(e.RouteChosen(decision.agent, early=agent.early or announced is not None))
            case ToRecorder():
                call.note_route(decision.route, "", decision.recording, languages=(decision.language,))
                call.post(e.RouteChosen(""))
            case Reject():
                announced = announcer(said, None, decision.cause) if said is not None else None
                call.note_route(decision.route, "", announced=announced)
                call.post(e.RouteRefused(decision.cause, announced=announced is not None))
            case _:
                assert_never(decision)

    def find(self, call_id: CallId) -> CallRuntime | None:
        """A running call."""
        return self._calls.get(call_id)

    def calls(self) -> tuple[CallRuntime, ...]:
        """All of them."""
        return tuple(self._calls.values())

    def _adopt(self, call: CallRuntime, leg_id: LegId) -> None:
        """Another leg belongs to a call: what happens to it is told to that call."""
        self._by_leg[leg_id] = call

    def _post(self, leg_id: LegId, mail: Mail) -> None:
        if call := self._by_leg.get(leg_id):
            call.post(mail)

    # ------------------------------------------------------------ from the media worker

    def on_media_event(self, event: m.Event) -> None:
        """An event of the media worker."""
        match event:
            case m.AudioBatch():
                for frame in event.frames:
                    if call := self._calls.get(frame.call_id):
                        call.hear(frame.pcm, frame.ear, frame.rate_hz)
            case m.WorkerReport():
                self._tally.take(event.worker, event.counters, event.histograms)
            case m.KeystreamReached() | m.RtcpPassed():
                pass  # for whoever would build the call again in another worker, and for Homer
            case m.LegOpened():
                # Told to whoever waited for it: this one is for a call that ended meanwhile.
                self._services.media.send(m.CloseLeg(event.leg_id))
            case m.DtmfReceived() if not self._key_ways.counts(event.leg_id, KeyWay.RTP):
                self._services.counters.add("keys_repeated_dropped")
            case m.MediaLatched():
                self._latched(event)
            case (
                m.LegFailed()
                | m.LegMoved()
                | m.LegClosed()
                | m.MediaTimedOut()
                | m.LegProbed()
                | m.QualityRated()
                | m.SpeechStarted()
                | m.SpeechPaused()
                | m.SpeechStopped()
                | m.DtmfReceived()
                | m.ToneHeard()
                | m.DtmfSent()
            ):
                self._post(event.leg_id, event)
            case _:
                if call := self._calls.get(event.call_id):
                    call.post(event)

    def _latched(self, event: m.MediaLatched) -> None:
        call = self._by_leg.get(event.leg_id)
        if call is not None and call.leg_id == event.leg_id:
            self.on_caller_heard(call.call_id, event.at)
        self._post(event.leg_id, event)

    def on_worker_lost(self, worker: int, reason: str) -> None:
        """A media worker died; its calls are moved, or :meth:`on_calls_lost` follows."""
        log.error("media worker lost", extra={"worker": worker, "reason": reason, "calls": len(self._calls)})
        self._services.counters.add("media_worker_lost")
        self._tally.restart(worker)

    def on_calls_lost(self, calls: Collection[CallId], reason: str) -> None:
        """Nobody goes on with the media of these calls: they are over."""
        log.error("calls lost their media", extra={"reason": reason, "calls": len(calls)})
        self._services.counters.add("media_calls_lost", len(calls))
        for call_id in calls:
            if call := self._calls.get(call_id):
                call.post(e.MediaLost())

    # ------------------------------------------------------------ the end

    def part_from_all(self) -> None:
        """Every running call is told goodbye."""
        for call in list(self._calls.values()):
            call.post(e.ShutdownRequested())

    def send_all_to(self, target: str) -> None:
        """The far side of every running call is asked to call ``target`` itself; who cannot is told goodbye."""
        for call in list(self._calls.values()):
            if not self._services.signalling.may_refer(call.leg_id):
                call.post(e.ShutdownRequested())
                continue
            answer = call.ask(MoveCall(DRAIN, target, TransferKind.BLIND))
            answer.add_done_callback(partial(_part_unless_moved, call))

    def end_all(self) -> None:
        """Every running call ends now, without a word."""
        for call in list(self._calls.values()):
            call.post(e.EndRequested(HangupCause.DRAINING))

    async def wait_idle(self) -> None:
        """Until no call is left."""
        await self._idle.wait()

    def _gone(self, call_id: CallId) -> None:
        call = self._calls.pop(call_id)
        known = set(call.leg_ids)
        for leg_id in [leg_id for leg_id, owner in self._by_leg.items() if owner is call]:
            del self._by_leg[leg_id]
            if leg_id not in known:  # a supervisor's phone that came a moment too late
                self._services.signalling.hangup(leg_id, HangupCause.SUPERVISION_OVER)
        if not self._calls:
            self._idle.set()
        self.on_call_ended(call_id)


def _log_refusal(answer: asyncio.Future[None]) -> None:
    if not answer.cancelled() and (why := answer.exception()) is not None:
        log.warning("a call that was waited for is not captured: %s", why)


def _part_unless_moved(call: CallRuntime, answer: asyncio.Future[None]) -> None:
    if answer.cancelled() or answer.exception() is not None:
        call.post(e.ShutdownRequested())
