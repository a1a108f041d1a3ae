"""A SIP user agent without a socket or a clock: datagrams and ``now`` in; datagrams, events and the next timer out.

The owner feeds ``receive_datagram`` and ``handle_timer``, and after each of them, and after every command, takes
``datagrams_to_send``, ``next_event`` until None, and ``get_timer``. The datagram handler raises nothing: it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.core import Core, UserAgentConfig
from voicegw.sip.counters import SipCounter, refused
from voicegw.sip.events import EndedBy, RequestHandle, SipCallHandle, UserAgentEvent
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import read_request, read_unparsable
from voicegw.sip.message import Response
from voicegw.sip.notifier import Subscription
from voicegw.sip.outside import NEW_DIALOG, OutsideDialog
from voicegw.sip.parser import BadRequest, KeepAlive, answerable_head, parse_and_read
from voicegw.sip.refused_copies import RefusedCopies
from voicegw.sip.reply import Pairs
from voicegw.sip.request_router import RequestRouter
from voicegw.sip.response_router import ResponseRouter
from voicegw.sip.sides import Sides
from voicegw.sip.sip_call import Attempt, OutsideRequest, SipCall, SipCallInput, SipCallState
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome, Transaction
from voicegw.sip.watching import Watch

_ANSWERING_TIMERS = frozenset(
    {Timer.RETRANSMIT_2XX, Timer.REFRESH_1XX, Timer.ACK_WAIT, Timer.RETRANSMIT_1XX, Timer.PRACK_WAIT}
)
_SESSION_TIMERS = frozenset({Timer.SESSION_REFRESH, Timer.SESSION_EXPIRY})


class UserAgent:
    """Both sides of SIP for one transport. Not thread-safe; one reader and one writer."""

    def __init__(self, config: UserAgentConfig, random: RandomBytes, counters: Counters) -> None:
        self._core = Core(config, random, counters)
        self._sides = Sides(self._core)
        self._refused = RefusedCopies()
        self._responses = ResponseRouter(self._core, self._sides)
        self._requests = RequestRouter(self._core, self._sides)
        self.notifier = self._sides.notifier
        """Subscriptions of others with us (RFC 6665): accept, refuse, notify, end."""
        self.watcher = self._sides.watcher
        """Subscriptions of ours with others: subscribe, unsubscribe."""

    # ---------------------------------------------------------------- what comes out

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Take what is to be sent, in order. Every address has passed ``is_sendable``."""
        datagrams, self._core.outbox = self._core.outbox, []
        return datagrams

    def next_event(self) -> UserAgentEvent | None:
        """Take the oldest event, or None."""
        return self._core.events.popleft() if self._core.events else None

    @property
    def has_events(self) -> bool:
        """Whether ``next_event`` has one."""
        return bool(self._core.events)

    def get_timer(self) -> float | None:
        """When ``handle_timer`` is due next, in monotonic seconds, or None."""
        return self._core.timers.next_deadline()

    @property
    def active_calls(self) -> int:
        """Calls that have not ended."""
        return len(self._core.calls)

    @property
    def half_open_calls(self) -> int:
        """Calls of strangers that were not acknowledged yet."""
        return self._core.admission.half_open

    @property
    def transactions(self) -> int:
        """Transactions that still hold memory."""
        return len(self._core.transactions)

    def state_of(self, handle: SipCallHandle) -> SipCallState | None:
        """The state of a call; None once it has ended."""
        call = self._core.calls.get(handle)
        return None if call is None else call.state

    def parties(self, handle: SipCallHandle) -> tuple[str, str]:
        """The URIs of ourselves and of the far end, as From and To of a call that has been answered name them.

        LocalError for a call without a dialog.
        """
        call = self._core.calls.get(handle)
        if call is None or call.dialog is None:
            raise LocalError(f"call {handle} has no dialog")
        return NameAddr.parse(call.dialog.local_party).uri, NameAddr.parse(call.dialog.remote_party).uri

    @property
    def draining(self) -> bool:
        """Whether new calls are refused."""
        return self._core.draining

    # ---------------------------------------------------------------- what goes in

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take in one datagram, whatever it is."""
        counters = self._core.counters
        counters.add(SipCounter.RECEIVED)
        if (again := self._refused.answer_to(data, source, now)) is not None:
            self._core.config.tap.received(data, source)
            counters.add(refused(503))
            self._core.send(*again)
            return
        try:
            message, essentials = parse_and_read(data)
            self._core.config.tap.received(data, source)
            if isinstance(message, Response):
                self._responses.receive(message, now)
            else:
                self._requests.receive(read_request(message, source, essentials), now)
                self._note_refusal(data, source, now)
        except KeepAlive:
            counters.add(SipCounter.KEEPALIVE)
        except BadRequest as error:
            counters.add(refused(error.status_hint))
            self._core.reply(read_unparsable(error.request, source), error.status_hint)
        except RemoteProtocolError:
            counters.add(SipCounter.MALFORMED)

    def _note_refusal(self, data: bytes, source: Address, now: float) -> None:
        told, self._core.turned_away = self._core.turned_away, None
        if told is not None and not source.transport.is_reliable:
            self._refused.note(data, source, *told, now)

    def receive_broken(self, head: bytes, status: int, source: Address) -> None:
        """A stream ends here, because its next message has no end that could be found: tell the sender why."""
        try:
            incoming = read_unparsable(answerable_head(head), source)
        except RemoteProtocolError:
            return
        self._core.counters.add(refused(status))
        self._core.reply(incoming, status)

    def handle_timer(self, now: float) -> None:
        """Run every timer that is due."""
        for owner, timer in self._core.timers.pop_due(now):
            if isinstance(owner, Transaction):
                self._responses.report(owner, self._core.transactions.fire(owner, timer, now), now)
            elif isinstance(owner, SipCall) and timer in _ANSWERING_TIMERS:
                self._sides.answering.fire(owner, timer, now)
            elif isinstance(owner, SipCall) and timer in _SESSION_TIMERS:
                self._sides.refreshing.fire(owner, timer, now)
            elif isinstance(owner, Subscription):
                self.notifier.fire(owner, now)
            elif isinstance(owner, Watch):
                self.watcher.fire(owner, timer, now)
            elif isinstance(owner, OutsideRequest):
                self._sides.requesting.fire(owner)
            elif isinstance(owner, SipCall) and timer is Timer.UPDATE_GLARE:
                self._sides.updating.fire(owner, now)
            elif isinstance(owner, SipCall) and timer is Timer.NEXT_KEY:
                self._sides.pressing.fire(owner, now)
            elif isinstance(owner, SipCall):
                self._sides.reinviting.fire(owner, now)
            elif isinstance(owner, Attempt):
                self._sides.calling.fire(owner, timer, now)

    def transport_failed(self, destination: Address, now: float) -> None:
        """The socket refused to send to ``destination``: requests that wait for it fail at once (§17.1.4)."""
        for transaction in self._core.transactions.transport_failed(destination, now):
            self._responses.report(transaction, Outcome.TRANSPORT_ERROR, now)

    # ---------------------------------------------------------------- commands

    def drain(self) -> None:
        """Refuse new calls and say so to OPTIONS; running calls go on."""
        self._core.draining = True

    def resume(self) -> None:
        """Take new calls again, after :meth:`drain`."""
        self._core.draining = False

    def use(self, config: UserAgentConfig) -> None:
        """Other limits, names, timers and policies for requests from now on, and session timers for calls from now
        on.

        ``credentials``, ``reception``, ``packages`` and ``peers`` are those of the start.
        """
        self._core.use(config)

    def refuse_while(self, is_crowded: Callable[[], bool]) -> None:
        """Ask this of every new call; while it is so, they get 503. Must be quick and must not fail."""
        self._core.is_crowded = is_crowded

    def set_overloaded(self, overloaded: bool) -> None:
        """While overloaded, new calls get 503 (RFC 5390); running calls and everything else go on."""
        self._core.overloaded = overloaded

    def ring(self, handle: SipCallHandle, now: float, status: int = 180, sdp: bytes = b"") -> None:
        """Tell the caller that it rings (180) or hears something already (183 with ``sdp``).

        ``sdp`` is our answer, the one that ``accept`` gives too. Where the INVITE had no offer it is ours, and goes
        out only to a caller that supports reliable responses; OfferAnswered follows with its PRACK.
        """
        self._sides.answering.ring(handle, now, status, sdp)

    def takes_reliable(self, handle: SipCallHandle) -> bool:
        """Whether a provisional response with a description would go out reliably (RFC 3262)."""
        return self._sides.answering.takes_reliable(handle)

    def accept(self, handle: SipCallHandle, sdp: bytes, now: float) -> None:
        """Answer the call. ``sdp`` is the answer, or our offer where the INVITE had none."""
        self._sides.answering.accept(handle, sdp, now)

    def reject(self, handle: SipCallHandle, status: int, now: float, reason: str = "", headers: Pairs = ()) -> None:
        """Refuse the call with 300-699."""
        self._sides.answering.reject(handle, status, now, reason, headers)

    def answer_reinvite(self, handle: SipCallHandle, answer: bytes | int, now: float) -> None:
        """Accept a re-INVITE with SDP, or refuse it with a status: the call then stays as it was."""
        self._sides.answering.answer_reinvite(handle, answer, now)

    def invite(
        self,
        target_uri: str,
        from_: str,
        destination: Address,
        sdp: bytes | None,
        now: float,
        headers: Pairs = (),
        routes: Sequence[str] = (),
        account: str = "",
        call_id: str = "",
        patience_s: float | None = None,
    ) -> SipCallHandle:
        """Call ``target_uri``. ``from_`` is a From value; ``sdp`` None asks the peer for the offer.

        ``account`` names the credentials that answer challenges of those on the way; without it none do.
        ``patience_s`` is how long to wait for a first answer, 100 included, where 64*T1 is too long; the next
        server gets the same From, tag included, and ``call_id`` (RFC 3263 §4.3).

        LocalError for a destination that no datagram can reach or a header that would break its line.
        """
        return self._sides.calling.invite(
            target_uri, from_, destination, sdp, now, headers, routes, account, call_id, patience_s
        )

    def acknowledge(self, handle: SipCallHandle, sdp: bytes) -> None:
        """Send ACK with our answer to the offer of Answered or ReinviteAnswered with ``wants_answer``."""
        self._sides.calling.acknowledge(handle, sdp)

    def answer_progress(self, handle: SipCallHandle, tag: str, sdp: bytes, now: float) -> None:
        """Send PRACK with our answer to the offer of ``ProgressReceived(wants_answer=True)`` of that fork."""
        self._sides.calling.answer_progress(handle, tag, sdp, now)

    def update(self, handle: SipCallHandle, sdp: bytes, now: float, tag: str = "") -> bool:
        """Send UPDATE (RFC 3311), early or later, with an offer or, ``sdp`` empty, to refresh our Contact only.

        False while another change is under way, or where the peer did not say that it knows UPDATE.
        """
        return self._sides.updating.update(handle, sdp, now, tag)

    def answer_offer(self, handle: SipCallHandle, answer: bytes | int, now: float) -> None:
        """Answer the offer of OfferReceived with SDP, or refuse it with a status: all then stays as it was."""
        self._sides.updating.answer_offer(handle, answer, now)
        self._sides.answering.release_answer(handle, now)

    def reinvite(self, handle: SipCallHandle, sdp: bytes, now: float) -> bool:
        """Offer a change of the session, or, ``sdp`` empty, ask the peer for an offer.

        False while another change is under way or the call is not up.
        """
        return self._sides.reinviting.reinvite(handle, sdp, now)

    def refer(
        self,
        handle: SipCallHandle,
        target_uri: str,
        now: float,
        replaced: SipCallHandle | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> bool:
        """Ask the peer to call ``target_uri`` (RFC 3515). False if the call is not up or was asked already.

        With ``replaced``, another call that is up, the peer is asked to take our place in that one (RFC 5589 §7).
        Otherwise ``headers`` are what its INVITE to ``target_uri`` is to say.
        ReferAnswered follows, then ReferNotified until one that is final. RemoteProtocolError for a bad URI.
        """
        return self._sides.referring.refer(handle, target_uri, now, replaced, headers)

    def send_message(self, handle: SipCallHandle, text: str, now: float) -> bool:
        """Send text within a call (RFC 3428); MessageAnswered follows. False if the call is not up.

        False, too, for more than 1300 bytes.
        """
        return self._sides.messaging.send(handle, text, now)

    def send_keys(self, handle: SipCallHandle, digits: str, now: float, duration_ms: int = 160) -> bool:
        """Press keys by INFO, one after the other; KeysSent follows. False if the call is not up.

        False, too, for what is no key (0-9, ``*``, ``#``, A-D), and where too many wait.
        """
        return self._sides.pressing.send(handle, digits, duration_ms, now)

    def answer_refer(self, handle: SipCallHandle, status: int, now: float) -> None:
        """Answer ReferReceived, which is owed even if the call has ended: 202, or a refusal of 300-699."""
        self._sides.referred.answer(handle, status, now)

    def notify_refer(self, handle: SipCallHandle, status: int, now: float) -> None:
        """Tell the peer how the call that it asked for does; 200-699 is the last word, ReferConcluded follows."""
        self._sides.referred.notify(handle, status, now)

    def cancel(self, handle: SipCallHandle, now: float, reason_header: str = "") -> None:
        """Give up our call before its answer; does nothing later."""
        self._sides.calling.cancel(handle, now, reason_header)

    def bye(self, handle: SipCallHandle, now: float, reason_header: str = "") -> None:
        """Hang up an answered call (§15.1.1); does nothing before the answer. BYE waits for the ACK of our 2xx."""
        core = self._core
        call = core.calls.get(handle)
        if call is None or not call.can(SipCallInput.HUNG_UP) or call.dialog is None:
            return
        self._sides.calling.acknowledge(handle, b"")  # where an answer is still due, it is none
        call.bye_headers = (("Reason", reason_header),) if reason_header else ()
        if call.pending is not None:
            core.finish_invite(call, call.pending, 487, (), b"", now)
        core.end(call, SipCallInput.HUNG_UP, EndedBy.LOCAL_BYE)
        if call.state is SipCallState.ENDED:
            core.say_bye(call, call.dialog, now, call.bye_headers)

    def request(
        self,
        method: str,
        target_uri: str,
        destination: Address,
        now: float,
        *,
        from_: str,
        to: str = "",
        headers: Pairs = (),
        routes: Sequence[str] = (),
        body: bytes = b"",
        dialog: OutsideDialog = NEW_DIALOG,
        patience_s: float | None = None,
        account: str = "",
    ) -> RequestHandle:
        """Send a request outside any call (§8.1); RequestAnswered or RequestFailed follows, exactly once.

        ``from_`` gets a tag unless it has one; ``to`` is the target unless said; our Contact comes along unless
        ``headers`` have one. ``patience_s`` is how long to wait for the final answer where 64*T1 is too long.
        ``account`` names the credentials that answer challenges; the event then has the request that was answered,
        with its CSeq.
        LocalError for a destination that nothing can be sent to, a header that would break its line, or a method
        that belongs to calls.
        """
        return self._sides.requesting.request(
            method,
            target_uri,
            destination,
            now,
            from_=from_,
            to=to,
            headers=headers,
            routes=routes,
            body=body,
            dialog=dialog,
            patience_s=patience_s,
            account=account,
        )

    def forget_credentials(self, account: str) -> None:
        """The credentials of an account have changed, or it is gone: nothing is signed with what was known."""
        self._core.authenticator.forget(account)

    def abandon_request(self, handle: RequestHandle) -> None:
        """Forget a request: no event follows, and a late answer is a stray one."""
        self._sides.requesting.abandon(handle)
