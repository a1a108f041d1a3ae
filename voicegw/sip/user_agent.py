"""A SIP user agent without a socket or a clock: datagrams and ``now`` in; datagrams, events and the next timer out.

The owner feeds ``receive_datagram`` and ``handle_timer``, and after each of them, and after every command, takes
``datagrams_to_send``, ``next_event`` until None, and ``get_timer``. The datagram handler raises nothing: it counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.core import Core, UserAgentConfig
from voicegw.sip.counters import SipCounter, refused
from voicegw.sip.dialog import Dialog
from voicegw.sip.events import EndedBy, RequestHandle, SipCallHandle, UserAgentEvent
from voicegw.sip.headers import CSeq, NameAddr
from voicegw.sip.incoming import Incoming, branch_of_response, read_request, read_unparsable
from voicegw.sip.message import Request, Response
from voicegw.sip.messaging import MessagingSide
from voicegw.sip.notifier import NotifyingSide, Subscription
from voicegw.sip.outside import NEW_DIALOG, OutsideDialog, RequestingSide
from voicegw.sip.parser import BadRequest, KeepAlive, answerable_head, parse
from voicegw.sip.reception import Answer
from voicegw.sip.refer import ReferringSide
from voicegw.sip.referred import ReferredSide
from voicegw.sip.refreshing import RefreshingSide
from voicegw.sip.replaces import find_replaced
from voicegw.sip.reply import Pairs, make_response
from voicegw.sip.screening import ACCEPT, ALLOW, SUPPORTED, Refusal, screen
from voicegw.sip.sip_call import Asked, Attempt, OutsideRequest, Referral, SipCall, SipCallInput, SipCallState, User
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome, Transaction
from voicegw.sip.uac import CallingSide
from voicegw.sip.uas import AnsweringSide
from voicegw.sip.updating import UpdatingSide
from voicegw.sip.watching import Watch, WatchingSide

_ANSWERING_TIMERS = frozenset(
    {Timer.RETRANSMIT_2XX, Timer.REFRESH_1XX, Timer.ACK_WAIT, Timer.RETRANSMIT_1XX, Timer.PRACK_WAIT}
)
_SESSION_TIMERS = frozenset({Timer.SESSION_REFRESH, Timer.SESSION_EXPIRY})


class UserAgent:
    """Both sides of SIP for one transport. Not thread-safe; one reader and one writer."""

    def __init__(self, config: UserAgentConfig, random: RandomBytes, counters: Counters) -> None:
        self._core = Core(config, random, counters)
        self._answering = AnsweringSide(self._core)
        self._calling = CallingSide(self._core)
        self._referring = ReferringSide(self._core)
        self._referred = ReferredSide(self._core)
        self._messaging = MessagingSide(self._core)
        self.notifier = NotifyingSide(self._core)
        """Subscriptions of others with us (RFC 6665): accept, refuse, notify, end."""
        self.watcher = WatchingSide(self._core)
        """Subscriptions of ours with others: subscribe, unsubscribe."""
        self._requesting = RequestingSide(self._core)
        self._refreshing = RefreshingSide(self._core, self._calling)
        self._updating = UpdatingSide(self._core)

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
        try:
            message = parse(data)
            self._core.config.tap.received(data, source)
            if isinstance(message, Response):
                self._receive_response(message, now)
            else:
                self._receive_request(read_request(message, source), now)
        except KeepAlive:
            counters.add(SipCounter.KEEPALIVE)
        except BadRequest as error:
            counters.add(refused(error.status_hint))
            self._core.reply(read_unparsable(error.request, source), error.status_hint)
        except RemoteProtocolError:
            counters.add(SipCounter.MALFORMED)

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
                self._report(owner, self._core.transactions.fire(owner, timer, now), now)
            elif isinstance(owner, SipCall) and timer in _ANSWERING_TIMERS:
                self._answering.fire(owner, timer, now)
            elif isinstance(owner, SipCall) and timer in _SESSION_TIMERS:
                self._refreshing.fire(owner, timer, now)
            elif isinstance(owner, Subscription):
                self.notifier.fire(owner, now)
            elif isinstance(owner, Watch):
                self.watcher.fire(owner, timer, now)
            elif isinstance(owner, OutsideRequest):
                self._requesting.fire(owner)
            elif isinstance(owner, SipCall) and timer is Timer.UPDATE_GLARE:
                self._updating.fire(owner, now)
            elif isinstance(owner, SipCall | Attempt):
                self._calling.fire(owner, timer, now)

    def transport_failed(self, destination: Address, now: float) -> None:
        """The socket refused to send to ``destination``: requests that wait for it fail at once (§17.1.4)."""
        for transaction in self._core.transactions.transport_failed(destination, now):
            self._report(transaction, Outcome.TRANSPORT_ERROR, now)

    # ---------------------------------------------------------------- commands

    def drain(self) -> None:
        """Refuse new calls and say so to OPTIONS; running calls go on."""
        self._core.draining = True

    def set_overloaded(self, overloaded: bool) -> None:
        """While overloaded, new calls get 503 (RFC 5390); running calls and everything else go on."""
        self._core.overloaded = overloaded

    def ring(self, handle: SipCallHandle, now: float, status: int = 180, sdp: bytes = b"") -> None:
        """Tell the caller that it rings (180) or hears something already (183 with ``sdp``).

        ``sdp`` is our answer, the one that ``accept`` gives too. Where the INVITE had no offer it is ours, and goes
        out only to a caller that supports reliable responses; OfferAnswered follows with its PRACK.
        """
        self._answering.ring(handle, now, status, sdp)

    def takes_reliable(self, handle: SipCallHandle) -> bool:
        """Whether a provisional response with a description would go out reliably (RFC 3262)."""
        return self._answering.takes_reliable(handle)

    def accept(self, handle: SipCallHandle, sdp: bytes, now: float) -> None:
        """Answer the call. ``sdp`` is the answer, or our offer where the INVITE had none."""
        self._answering.accept(handle, sdp, now)

    def reject(self, handle: SipCallHandle, status: int, now: float, reason: str = "", headers: Pairs = ()) -> None:
        """Refuse the call with 300-699."""
        self._answering.reject(handle, status, now, reason, headers)

    def answer_reinvite(self, handle: SipCallHandle, answer: bytes | int, now: float) -> None:
        """Accept a re-INVITE with SDP, or refuse it with a status: the call then stays as it was."""
        self._answering.answer_reinvite(handle, answer, now)

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
        return self._calling.invite(
            target_uri, from_, destination, sdp, now, headers, routes, account, call_id, patience_s
        )

    def acknowledge(self, handle: SipCallHandle, sdp: bytes) -> None:
        """Send ACK with our answer to the offer of Answered or ReinviteAnswered with ``wants_answer``."""
        self._calling.acknowledge(handle, sdp)

    def answer_progress(self, handle: SipCallHandle, tag: str, sdp: bytes, now: float) -> None:
        """Send PRACK with our answer to the offer of ``ProgressReceived(wants_answer=True)`` of that fork."""
        self._calling.answer_progress(handle, tag, sdp, now)

    def update(self, handle: SipCallHandle, sdp: bytes, now: float, tag: str = "") -> bool:
        """Send UPDATE (RFC 3311), early or later, with an offer or, ``sdp`` empty, to refresh our Contact only.

        False while another change is under way, or where the peer did not say that it knows UPDATE.
        """
        return self._updating.update(handle, sdp, now, tag)

    def answer_offer(self, handle: SipCallHandle, answer: bytes | int, now: float) -> None:
        """Answer the offer of OfferReceived with SDP, or refuse it with a status: all then stays as it was."""
        self._updating.answer_offer(handle, answer, now)
        self._answering.release_answer(handle, now)

    def reinvite(self, handle: SipCallHandle, sdp: bytes, now: float) -> bool:
        """Offer a change of the session, or, ``sdp`` empty, ask the peer for an offer.

        False while another change is under way or the call is not up.
        """
        return self._calling.reinvite(handle, sdp, now)

    def refer(
        self, handle: SipCallHandle, target_uri: str, now: float, replaced: SipCallHandle | None = None
    ) -> bool:
        """Ask the peer to call ``target_uri`` (RFC 3515). False if the call is not up or was asked already.

        With ``replaced``, another call that is up, the peer is asked to take our place in that one (RFC 5589 §7).
        ReferAnswered follows, then ReferNotified until one that is final. RemoteProtocolError for a bad URI.
        """
        return self._referring.refer(handle, target_uri, now, replaced)

    def send_message(self, handle: SipCallHandle, text: str, now: float) -> bool:
        """Send text within a call (RFC 3428); MessageAnswered follows. False if the call is not up.

        False, too, for more than 1300 bytes.
        """
        return self._messaging.send(handle, text, now)

    def answer_refer(self, handle: SipCallHandle, status: int, now: float) -> None:
        """Answer ReferReceived, which is owed even if the call has ended: 202, or a refusal of 300-699."""
        self._referred.answer(handle, status, now)

    def notify_refer(self, handle: SipCallHandle, status: int, now: float) -> None:
        """Tell the peer how the call that it asked for does; 200-699 is the last word, ReferConcluded follows."""
        self._referred.notify(handle, status, now)

    def cancel(self, handle: SipCallHandle, now: float, reason_header: str = "") -> None:
        """Give up our call before its answer; does nothing later."""
        self._calling.cancel(handle, now, reason_header)

    def bye(self, handle: SipCallHandle, now: float, reason_header: str = "") -> None:
        """Hang up an answered call (§15.1.1); does nothing before the answer. BYE waits for the ACK of our 2xx."""
        core = self._core
        call = core.calls.get(handle)
        if call is None or not call.can(SipCallInput.HUNG_UP) or call.dialog is None:
            return
        self._calling.acknowledge(handle, b"")  # where an answer is still due, it is none
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
        return self._requesting.request(
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

    def abandon_request(self, handle: RequestHandle) -> None:
        """Forget a request: no event follows, and a late answer is a stray one."""
        self._requesting.abandon(handle)

    # ---------------------------------------------------------------- responses

    def _receive_response(self, response: Response, now: float) -> None:
        core = self._core
        vias = response.headers.values("Via")
        branch, sent_by = branch_of_response(vias[0])
        method = CSeq.parse(response.headers.get("CSeq") or "").method
        transaction = core.transactions.find_client(branch, method)
        request = transaction.request if transaction is not None else None
        if transaction is None:
            core.counters.add(SipCounter.STRAY_RESPONSE)
        elif len(vias) != 1 or sent_by != str(core.config.local_address(transaction.peer)).lower():
            core.counters.add(SipCounter.FOREIGN_VIA)  # §8.1.3.3, §18.1.2: not for us, or not for us alone
        elif core.transactions.receive_response(transaction, response, now) is not Outcome.PASS_UP:
            pass
        elif request is None or not self._answer_challenge(transaction, request, response, now):
            self._pass_up(transaction, response, now)

    def _answer_challenge(
        self, transaction: Transaction[User], request: Request, response: Response, now: float
    ) -> bool:
        """Whether ``request`` is on its way again, with credentials."""
        if isinstance(transaction.user, Attempt):
            return self._calling.answer_challenge(transaction.user, request, response, now)
        if isinstance(transaction.user, OutsideRequest):
            return self._requesting.answer_challenge(transaction.user, request, response, now)
        return self._core.answer_challenge(transaction, request, response, now) is not None

    def _pass_up(self, transaction: Transaction[User], response: Response, now: float) -> None:
        match transaction.user:
            case Attempt() as attempt:
                self._calling.receive_response(attempt, response, now)
            case Referral() as referral:
                self._referring.receive_response(referral, response)
            case OutsideRequest() as pending:
                self._requesting.receive_response(pending, response)
            case Asked() as asked:
                asked.answered(response, now)
            case SipCall() as call if response.status >= 200:  # the BYE is through
                self._core.forget_dialog(call)

    def _send_as_datagram(self, transaction: Transaction[User], now: float) -> bool:
        """Whether a large request is on its way again, by UDP."""
        user = transaction.user
        if isinstance(user, Attempt) and user.cancelled:
            return False
        again = self._core.send_as_datagram(transaction, now)
        if again is not None and isinstance(user, Attempt):
            self._calling.note(user, *again)
        elif again is not None and isinstance(user, OutsideRequest):
            user.note(*again)
        return again is not None

    def _report(self, transaction: Transaction[User], outcome: Outcome, now: float) -> None:
        if outcome not in (Outcome.TIMEOUT, Outcome.TRANSPORT_ERROR):
            return
        if outcome is Outcome.TRANSPORT_ERROR and self._send_as_datagram(transaction, now):
            return
        match transaction.user:
            case Attempt() as attempt:
                self._calling.receive_failure(attempt, outcome, now)
            case Referral() as referral:
                self._referring.receive_failure(referral)
            case OutsideRequest() as pending:
                self._requesting.receive_failure(pending, outcome)
            case Asked() as asked:
                asked.failed(outcome, now)
            case SipCall() as call if call.state is SipCallState.ENDED:
                self._core.forget_dialog(call)

    # ---------------------------------------------------------------- requests

    def _receive_request(self, incoming: Incoming, now: float) -> None:
        core = self._core
        transaction = core.transactions.find_server(incoming.key)
        if transaction is not None:
            outcome = core.transactions.receive_again(transaction, incoming.method, now)
            if outcome is Outcome.PASS_UP:
                self._answering.receive_ack(incoming, now)
        elif incoming.method == "ACK":
            self._answering.receive_ack(incoming, now)
        elif incoming.method == "CANCEL":
            self._answering.receive_cancel(incoming, now)
        elif (refusal := screen(incoming, registers=core.config.reception.registers)) is not None:
            self._refuse(incoming, refusal.status, refusal.headers)
        elif incoming.to_tag:
            self._receive_in_dialog(incoming, now)
        else:
            self._receive_new(incoming, now)

    def _receive_new(self, incoming: Incoming, now: float) -> None:
        """A request outside a dialog (§8.2)."""
        core = self._core
        if core.transactions.find_merged(incoming.merge_key) is not None:
            self._refuse(incoming, 482)
        elif incoming.method == "OPTIONS":
            self._receive_options(incoming, None, now)
        elif incoming.method == "REGISTER":
            self._register(incoming, now)
        elif incoming.method == "MESSAGE":
            self._messaging.receive(None, incoming, now)
        elif incoming.method == "SUBSCRIBE":
            self._receive_subscribe(incoming, now)
        elif incoming.method != "INVITE":  # nobody is called for a stranger's REFER
            self._refuse(incoming, 403 if incoming.method == "REFER" else 481)
        elif not self._admits(incoming.source, now):
            self._refuse(incoming, 503, (core.retry_after(),))
        elif least := core.sessions.refusal(incoming):
            self._refuse(incoming, 422, least)
        elif isinstance(decision := core.config.reception.identify(incoming, now), Answer):
            self._refuse(incoming, decision.status, decision.headers)
        else:
            self._receive_invite(incoming, decision.phone, now)

    def _receive_subscribe(self, incoming: Incoming, now: float) -> None:
        decision = self._core.config.reception.identify(incoming, now)
        if isinstance(decision, Answer):
            self._refuse(incoming, decision.status, decision.headers)
        else:
            self.notifier.receive(incoming, decision.phone)

    def _receive_invite(self, incoming: Incoming, phone: str, now: float) -> None:
        replaced = find_replaced(self._core.dialogs, incoming)
        if isinstance(replaced, Refusal):
            self._refuse(incoming, replaced.status)
            return
        try:
            self._answering.receive_invite(incoming, now, phone, replaced)
        except RemoteProtocolError as error:
            self._refuse(incoming, error.status_hint)

    def _register(self, incoming: Incoming, now: float) -> None:
        """§10.3. A challenge costs no memory; what was followed is answered the same if it comes again."""
        core = self._core
        answer = core.config.reception.register(incoming, now)
        if not answer.kept or not core.transactions.has_room:
            self._refuse(incoming, answer.status, answer.headers)
            return
        transaction = core.transactions.open_server(
            incoming.key, "REGISTER", incoming.reply_to, None, incoming.merge_key
        )
        extra = (*answer.headers, *core.server_header())
        response = make_response(incoming, answer.status, core.stateless_tag(incoming), extra)
        core.transactions.respond(transaction, response, now)

    def _admits(self, source: Address, now: float) -> bool:
        """Whether one more call may begin. A stranger's may take the place of one that nobody acknowledges."""
        core = self._core
        if core.draining or len(core.calls) >= core.config.max_calls or not core.transactions.has_room:
            return False
        if core.overloaded:
            core.counters.add(SipCounter.OVERLOADED)
            return False
        if not core.admission.has_room(source, core.transactions.servers_of(source.host)):
            return False
        if core.admission.must_make_room(source):
            overdue = core.admission.overdue(now)
            if overdue is None:
                return False
            self._answering.give_up(overdue, now)
        return True

    def _receive_in_dialog(self, incoming: Incoming, now: float) -> None:
        core = self._core
        found = core.find_dialog(incoming)
        if found is None or (found[0].state is SipCallState.ENDED and incoming.method != "BYE"):
            if not self._receive_in_subscription(incoming, now):
                self._refuse(incoming, 481)
            return
        call, dialog = found
        if not dialog.take_cseq(incoming.cseq):
            core.counters.add(SipCounter.OUT_OF_ORDER)
            self._refuse(incoming, 500)  # §12.2.2
        elif incoming.method == "INVITE":
            self._answering.receive_reinvite(call, incoming, now)
        elif incoming.method == "BYE":
            self._receive_bye(call, dialog, incoming, now)
        elif incoming.method == "PRACK":
            self._answering.receive_prack(call, incoming, now)
        elif incoming.method == "UPDATE":
            self._updating.receive_update(call, dialog, incoming, now)
        elif incoming.method == "INFO":
            self._answering.receive_info(call, incoming, now)
        elif incoming.method == "NOTIFY":
            self._referring.receive_notify(call, incoming, now)
        elif incoming.method == "MESSAGE":
            self._messaging.receive(call, incoming, now)
        elif incoming.method == "REFER":
            self._referred.receive_refer(call, incoming, now)
        elif incoming.method == "SUBSCRIBE":
            self._referred.receive_subscribe(call, incoming, now)
        else:
            self._receive_options(incoming, call, now)

    def _receive_in_subscription(self, incoming: Incoming, now: float) -> bool:
        match incoming.method:
            case "SUBSCRIBE":
                return self.notifier.receive_in_dialog(incoming, now)
            case "NOTIFY":
                return self.watcher.receive_notify(incoming, now)
            case _:
                return False

    def _receive_bye(self, call: SipCall, dialog: Dialog, incoming: Incoming, now: float) -> None:
        if call.state is SipCallState.CALLING:
            self._core.answer(incoming, 200, (), call, now)
            self._calling.receive_early_bye(call, dialog, incoming, now)
        else:
            self._answering.receive_bye(call, incoming, now)

    def _receive_options(self, incoming: Incoming, call: SipCall | None, now: float) -> None:
        """§11.2. Within a call it always succeeds; outside, a draining server says that it takes no calls."""
        core = self._core
        capabilities = (ALLOW, ACCEPT, ("Accept-Encoding", "identity"), SUPPORTED)
        if call is not None:
            core.answer(incoming, 200, capabilities, call, now)
        elif core.draining:
            self._refuse(incoming, 503, (core.retry_after(),))
        else:
            contact = ("Contact", core.contact(incoming.source, incoming.request.uri))
            core.reply(incoming, 200, (contact, *capabilities))

    def _refuse(self, incoming: Incoming, status: int, extra: Pairs = ()) -> None:
        self._core.counters.add(refused(status))
        self._core.reply(incoming, status, extra)
