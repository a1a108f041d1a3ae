"""Reliable provisional responses where we answer: RSeq, retransmission and PRACK (RFC 3262 §3, §5)."""

from __future__ import annotations

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.bodies import SDP, sdp_or_nothing
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter, refused
from voicegw.sip.events import OfferAnswered
from voicegw.sip.incoming import Incoming
from voicegw.sip.provisional import RELIABLE, RAck, ReliablePolicy, ReliableState, Unpracked, requires, supports
from voicegw.sip.reply import make_response
from voicegw.sip.screening import ALLOW
from voicegw.sip.sip_call import PendingInvite, SipCall, SipCallState
from voicegw.sip.timers import Timer


class ReliableSide:
    """One response at a time: the next waits until the caller has acknowledged the one before."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def is_wanted(self, incoming: Incoming, sdp: bytes) -> bool:
        """Whether a response to this INVITE has to, or is to, go out reliably."""
        headers = incoming.request.headers
        if requires(headers, RELIABLE):
            return True
        match self._core.config.reliable:
            case ReliablePolicy.REQUIRED:
                return False
            case ReliablePolicy.MEDIA:
                return bool(sdp) and supports(headers, RELIABLE)
            case ReliablePolicy.ALWAYS:
                return supports(headers, RELIABLE)

    def send(self, call: SipCall, pending: PendingInvite, status: int, sdp: bytes, now: float) -> None:
        """Send 101-199 and repeat it until its PRACK, or let it wait for its turn."""
        if call.reliable is None:
            call.reliable = ReliableState(int.from_bytes(self._core.random(4), "big"))
        if call.reliable.waiting is not None:
            call.reliable.queue.append((status, sdp))
        else:
            self._transmit(call, pending, call.reliable, status, sdp, now)

    def refresh(self, call: SipCall, pending: PendingInvite, now: float) -> None:
        """Say again that the call goes on, for the proxies: a new response, as each has its own number."""
        if pending.provisional is not None and call.reliable is not None and call.reliable.waiting is None:
            self.send(call, pending, pending.provisional.status, b"", now)

    def holds_answer(self, call: SipCall) -> bool:
        """Whether the 200 has to wait: for the PRACK of a description, or for an answer that we owe."""
        if call.state is not SipCallState.INVITED:
            return False
        waiting = call.reliable.waiting if call.reliable is not None else None
        return call.change is not None or (waiting is not None and waiting.described)

    def receive_prack(self, call: SipCall, incoming: Incoming, now: float) -> None:
        """PRACK (§3): it ends the retransmission. One that acknowledges nothing that is open gets 481."""
        core = self._core
        state = call.reliable
        try:
            rack = RAck.parse(incoming.request.headers.get("RAck") or "")
        except RemoteProtocolError:
            self._refuse(call, incoming, 400, now)
            return
        waiting = state.waiting if state is not None else None
        if state is None or waiting is None or not _acknowledges(rack, waiting):
            core.counters.add(SipCounter.STRAY_PRACK)
            self._refuse(call, incoming, 481, now)
            return
        state.waiting, state.acknowledged = None, True
        core.timers.stop(call, Timer.RETRANSMIT_1XX)
        core.timers.stop(call, Timer.PRACK_WAIT)
        self._take_body(call, waiting, incoming, now)
        if state.queue and call.pending is not None and call.held_answer is None:
            self._transmit(call, call.pending, state, *state.queue.popleft(), now)

    def fire(self, call: SipCall, timer: Timer, now: float) -> bool:
        """A timer came due. True if the caller has been silent for 64*T1: the INVITE is to be refused."""
        core = self._core
        waiting = call.reliable.waiting if call.reliable is not None else None
        if waiting is None or call.pending is None:
            return False
        if timer is Timer.RETRANSMIT_1XX:
            core.transactions.respond(call.pending.transaction, waiting.response, now)
            waiting.interval = core.config.timers.again(timer, waiting.interval)
            core.timers.start(call, timer, now + waiting.interval)
        return timer is Timer.PRACK_WAIT

    # ---------------------------------------------------------------- inside

    def _transmit(
        self, call: SipCall, pending: PendingInvite, state: ReliableState, status: int, sdp: bytes, now: float
    ) -> None:
        core, values = self._core, self._core.config.timers
        body, rseq = call.exchange.publish(sdp), state.take_number()
        response = make_response(
            pending.incoming,
            status,
            call.local_tag,
            (
                ("Require", RELIABLE),
                ("RSeq", str(rseq)),
                ("Contact", core.contact(pending.incoming.source, pending.incoming.request.uri)),
                ALLOW,
                *((("Content-Type", SDP),) if body else ()),
                *core.server_header(),
            ),
            body,
        )
        call.kept.sdp = body or call.kept.sdp
        interval = values.first(Timer.RETRANSMIT_1XX)
        offered = bool(body) and call.exchange.ours
        state.waiting = Unpracked(rseq, response, interval, described=bool(body), offered=offered)
        pending.provisional = response
        core.transactions.respond(pending.transaction, response, now)
        core.timers.start(call, Timer.RETRANSMIT_1XX, now + interval)
        core.timers.start(call, Timer.PRACK_WAIT, now + values.first(Timer.PRACK_WAIT))
        core.timers.start(call, Timer.REFRESH_1XX, now + values.first(Timer.REFRESH_1XX))

    def _take_body(self, call: SipCall, waiting: Unpracked, incoming: Incoming, now: float) -> None:
        """The answer to our offer, or an offer of the caller's own (§5). Without the answer our offer is void."""
        core, body = self._core, sdp_or_nothing(incoming.request)
        if waiting.offered:
            call.exchange.close(answered=bool(body))
            core.answer(incoming, 200, (), call, now)
            core.emit(OfferAnswered(call.handle, body))
        elif not body:
            core.answer(incoming, 200, (), call, now)
        elif call.dialog is not None and call.exchange.is_idle and call.exchange.rounds and call.change is None:
            core.open_change(call, call.dialog, call.exchange, incoming, body, now)
        else:
            self._refuse(call, incoming, 488, now)

    def _refuse(self, call: SipCall, incoming: Incoming, status: int, now: float) -> None:
        self._core.counters.add(refused(status))
        self._core.answer(incoming, status, (), call, now)


def _acknowledges(rack: RAck, waiting: Unpracked) -> bool:
    cseq = (waiting.response.headers.get("CSeq") or "").split()
    return [str(rack.rseq), str(rack.cseq), rack.method] == [str(waiting.rseq), *cseq]
