"""What the answering and the calling side of a user agent share: timers, transactions, dialogs, outbox, events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from hashlib import blake2s

from voicegw.base.ids import RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.sip.address import Address, Transport, bracketed, is_sendable
from voicegw.sip.admission import Admission, AdmissionLimits, Everybody, Peers
from voicegw.sip.challenges import Authenticator, FindCredentials, Permit, no_credentials
from voicegw.sip.counters import SipCounter
from voicegw.sip.dialog import Dialog, DialogId, DialogInput, DialogState
from voicegw.sip.events import (
    NO_HEADERS,
    CallEnded,
    EndedBy,
    MetadataReceived,
    OfferReceived,
    SipCallHandle,
    UserAgentEvent,
)
from voicegw.sip.exchange import Exchange, ExchangeInput
from voicegw.sip.headers import CSeq
from voicegw.sip.incoming import MAGIC_COOKIE, Incoming
from voicegw.sip.large_requests import DatagramLimit
from voicegw.sip.message import Headers, Request, Response, serialize
from voicegw.sip.provisional import ReliablePolicy
from voicegw.sip.reception import OPEN_RECEPTION, Reception
from voicegw.sip.reply import Pairs, make_response
from voicegw.sip.session_keeper import SessionKeeper
from voicegw.sip.session_timer import SessionTimerPolicy
from voicegw.sip.sip_call import (
    PendingChange,
    PendingInvite,
    SipCall,
    SipCallInput,
    SipCallState,
    Unacknowledged,
    User,
)
from voicegw.sip.siprec import SRS_FEATURE, metadata_of
from voicegw.sip.tap import NOBODY, Tap
from voicegw.sip.timers import Timer, TimerQueue, TimerValues
from voicegw.sip.transaction import Transaction, TransactionLayer
from voicegw.sip.uri import uri_scheme


@dataclass(frozen=True, slots=True)
class UserAgentConfig:
    """How a user agent presents itself, and its limits."""

    local_address: Callable[[Address], Address]
    """How a given peer reaches us by its transport: for Via and Contact. Must be quick and must not fail."""
    name: str = "voicegw"
    """User-Agent and Server (§20.35, §20.41)."""
    timers: TimerValues = field(default_factory=TimerValues)
    max_calls: int = 1000
    """Calls at once in both directions; one more is answered 503."""
    max_transactions: int = 20_000
    """Server transactions at once. Each outlives its request by 32 s, so this bounds memory under a flood."""
    retry_after_s: int = 10
    """Retry-After of a 503."""
    credentials: FindCredentials = no_credentials
    """What answers challenges of those whom we call under an account."""
    reception: Reception = OPEN_RECEPTION
    """Who may register or call."""
    limits: AdmissionLimits = field(default_factory=AdmissionLimits)
    """What one address may hold at once."""
    peers: Peers = field(default_factory=Everybody)
    """Who is a stranger. Must be quick and must not fail."""
    packages: tuple[str, ...] = ()
    """Event packages that the owner tells subscribers about (RFC 6665), such as presence and dialog."""
    max_subscriptions: int = 1000
    """Subscribers at once."""
    accept_messages: bool = False
    """Whether text (RFC 3428) is taken from outside calls, too."""
    stream_above: int = 0
    """A request of more bytes goes by TCP where it would go by UDP (§18.1.1); 0: none does."""
    sessions: SessionTimerPolicy = field(default_factory=SessionTimerPolicy)
    """What we want of session timers (RFC 4028)."""
    tap: Tap = NOBODY
    """Is shown every message."""
    reliable: ReliablePolicy = ReliablePolicy.MEDIA
    """Which provisional responses go out reliably to callers that support it (RFC 3262)."""


class Core:
    """Owned by one ``UserAgent``; not for use outside ``voicegw.sip``."""

    def __init__(self, config: UserAgentConfig, random: RandomBytes, counters: Counters) -> None:
        self.config = config
        self.random = random
        self.counters = counters
        self.timers: TimerQueue[Hashable] = TimerQueue()
        self.transactions: TransactionLayer[User] = TransactionLayer(
            self.timers,
            config.timers,
            self.send,
            max_servers=config.max_transactions,
        )
        self.sessions = SessionKeeper(self.timers, config.sessions)
        self.outbox: list[tuple[bytes, Address]] = []
        self.events: deque[UserAgentEvent] = deque()
        self.calls: dict[SipCallHandle, SipCall] = {}
        self.dialogs: dict[DialogId, SipCall] = {}
        self.admission = Admission(config.limits, config.peers)
        self.draining = False
        self._datagrams = DatagramLimit(config.stream_above)
        self.authenticator = Authenticator(config.credentials, random)
        self.overloaded = False
        self.is_crowded: Callable[[], bool] = lambda: False
        self.turned_away: tuple[bytes, Address] | None = None
        """The answer to the INVITE at hand, if there was no room for it."""
        self._secret = random(32)
        self._handles = 0

    def use(self, config: UserAgentConfig) -> None:
        """See :meth:`voicegw.sip.user_agent.UserAgent.use`."""
        self.config = config
        self.transactions.max_servers, self.transactions.values = config.max_transactions, config.timers
        self.sessions.policy = config.sessions
        self.admission.limits = config.limits
        self._datagrams.limit_bytes = config.stream_above

    # ---------------------------------------------------------------- small things

    def send(self, data: bytes, destination: Address) -> None:
        """Queue a datagram, or count it where no socket could send it."""
        if is_sendable(destination):
            self.outbox.append((data, destination))
            self.config.tap.sent(data, destination)
        else:
            self.counters.add(SipCounter.UNSENDABLE)

    def emit(self, event: UserAgentEvent) -> None:
        """Queue an event."""
        self.events.append(event)

    def note_metadata(self, call: SipCall, request: Request) -> None:
        """Tell what a request within a recording session says of what is recorded, if it says anything."""
        if call.recording and (body := metadata_of(request)):
            self.emit(MetadataReceived(call.handle, body))

    def seconds_between(self, low: float, high: float) -> float:
        """A random time, for retries that must not meet again."""
        return low + (high - low) * int.from_bytes(self.random(2), "big") / 65536

    def new_branch(self) -> str:
        """A branch for a new client transaction (§8.1.1.7)."""
        return MAGIC_COOKIE + token(self.random, 16)

    def new_call_id(self, peer: Address) -> str:
        """A Call-ID for a call or a series of requests that begins with this peer (§8.1.1.4)."""
        return f"{token(self.random, 20)}@{bracketed(self.config.local_address(peer).host)}"

    def via(self, branch: str, peer: Address) -> str:
        """Our Via towards ``peer``, asking for a symmetric response (RFC 3581)."""
        here = self.config.local_address(peer)
        sent_by = f"{bracketed(here.host)}:{here.port}"
        reuse = ";alias" if peer.transport is Transport.TLS else ""  # RFC 5923 §5: for TLS, and nothing else
        return f"SIP/2.0/{peer.transport.value} {sent_by};branch={branch};rport{reuse}"

    def contact(self, peer: Address, like: str) -> str:
        """Our Contact towards ``peer``, secure where ``like`` is: the URI that the dialog is about (§8.1.1.8)."""
        here = self.config.local_address(peer)
        place = f"{bracketed(here.host)}:{here.port}"
        if uri_scheme(like) == "sips" and peer.transport.is_secure:
            return f"<sips:{place}{Transport.WSS.uri_parameter if peer.transport.is_web else ''}>"
        return f"<sip:{place}{peer.transport.uri_parameter}>"

    def contact_in(self, call: SipCall, peer: Address, like: str) -> str:
        """Our Contact within a call: in a recording session it says what we are (RFC 7866 §5.2)."""
        contact = self.contact(peer, like)
        return f"{contact};{SRS_FEATURE}" if call.recording else contact

    def retry_after(self) -> tuple[str, str]:
        """The Retry-After header of a 503 (§21.5.4)."""
        return ("Retry-After", str(self.config.retry_after_s))

    # ---------------------------------------------------------------- responses

    def stateless_tag(self, incoming: Incoming) -> str:
        """The To tag of an answer without a transaction: the same for every copy of the request (§8.2.7)."""
        return blake2s("\0".join(incoming.key).encode(), key=self._secret, digest_size=8).hexdigest()

    def reply(self, incoming: Incoming, status: int, extra: Pairs = ()) -> bytes:
        """Answer without a transaction: a retransmission gets the same answer, and a stranger costs no memory.
        Returns the answer."""
        if incoming.method == "ACK":
            return b""
        response = make_response(incoming, status, self.stateless_tag(incoming), (*extra, *self.server_header()))
        data = serialize(response)
        self.send(data, incoming.reply_to)
        return data

    def server_header(self) -> Pairs:
        """Who answers."""
        return (("Server", self.config.name),) if self.config.name else ()

    def answer(self, incoming: Incoming, status: int, extra: Pairs, call: SipCall, now: float) -> None:
        """Answer a non-INVITE request of a call, in a transaction, so that its retransmissions get the same."""
        transaction = self.transactions.open_server(incoming.key, incoming.method, incoming.reply_to, call)
        response = make_response(incoming, status, call.local_tag, (*extra, *self.server_header()))
        self.transactions.respond(transaction, response, now)

    def finish_invite(
        self,
        call: SipCall,
        pending: PendingInvite,
        status: int,
        extra: Pairs,
        body: bytes,
        now: float,
        reason: str = "",
    ) -> bytes:
        """Send the final response to an INVITE or re-INVITE; returns its bytes."""
        self._stop_provisional(call)
        call.pending = call.held_answer = None
        if status >= 300 and call.exchange.theirs:
            call.exchange.close(answered=False)
        response = make_response(
            pending.incoming, status, call.local_tag, (*extra, *self.server_header()), body, reason=reason
        )
        return self.transactions.respond(pending.transaction, response, now)

    def await_ack(self, call: SipCall, pending: PendingInvite, data: bytes, now: float) -> None:
        """Repeat a 2xx until its ACK comes (§13.3.1.4)."""
        interval = self.config.timers.first(Timer.RETRANSMIT_2XX)
        incoming = pending.incoming
        call.unacknowledged = Unacknowledged(incoming.cseq, data, incoming.reply_to, interval)
        self.timers.start(call, Timer.RETRANSMIT_2XX, now + interval)
        self.timers.start(call, Timer.ACK_WAIT, now + self.config.timers.first(Timer.ACK_WAIT))

    def stop_awaiting_ack(self, call: SipCall) -> None:
        """The ACK came, or nobody waits for it any more."""
        call.unacknowledged = None
        self.timers.stop(call, Timer.RETRANSMIT_2XX)
        self.timers.stop(call, Timer.ACK_WAIT)

    def open_change(
        self, call: SipCall, dialog: Dialog, exchange: Exchange, incoming: Incoming, body: bytes, now: float
    ) -> None:
        """Hand the offer of an UPDATE or a PRACK to the owner; the request stays open until it is answered.

        In a call that is ending nobody answers any more.
        """
        if call.state in (SipCallState.ENDING, SipCallState.ENDED):
            self.answer(incoming, 481, (), call, now)
            return
        exchange.advance(ExchangeInput.THEY_OFFER)
        transaction = self.transactions.open_server(incoming.key, incoming.method, incoming.reply_to, call)
        call.change = PendingChange(incoming, transaction, exchange, now)
        self.emit(OfferReceived(call.handle, body, "" if dialog is call.dialog else dialog.id.remote_tag))

    def respond_to_change(
        self, call: SipCall, change: PendingChange, status: int, extra: Pairs, body: bytes, now: float
    ) -> None:
        """Send the final response to an UPDATE or a PRACK that carried an offer."""
        headers = (*extra, *self.server_header())
        response = make_response(change.incoming, status, call.local_tag, headers, body)
        self.transactions.respond(change.transaction, response, now)

    # ---------------------------------------------------------------- requests

    def request_in_dialog(
        self,
        dialog: Dialog,
        method: str,
        user: User,
        now: float,
        extra: Pairs = (),
        body: bytes = b"",
        *,
        once: bool = False,
    ) -> tuple[Request, Transaction[User]]:
        """Send a request of ours within a dialog; ``once``: never again, whatever becomes of it."""
        branch, peer = self.new_branch(), dialog.next_hop()
        request = dialog.request(method, self.via(branch, peer), dialog.next_cseq(), self._agent(extra), body)
        return self.start(request, branch, peer, user, now, permit_in(dialog), once=once)

    def start(
        self,
        request: Request,
        branch: str,
        peer: Address,
        user: User,
        now: float,
        permit: Permit | None,
        *,
        once: bool = False,
    ) -> tuple[Request, Transaction[User]]:
        """Send a request that may answer challenges, with credentials at once where ``peer`` wanted some before."""
        if permit is not None:
            request = self.authenticator.sign(permit, request, peer)
        request, transaction = self._launch(request, branch, peer, user, now, once=once)
        transaction.permit = permit
        return request, transaction

    def _launch(
        self, request: Request, branch: str, peer: Address, user: User, now: float, *, once: bool = False
    ) -> tuple[Request, Transaction[User]]:
        """Open the transaction, by TCP where a datagram would be too large (§18.1.1)."""
        way = self._datagrams.way(request, peer, now)
        if way is not peer:
            request = request.with_header("Via", self.via(branch, way))
        transaction = self.transactions.start_client(request, branch, way, user, now, once=once)
        transaction.datagram_peer = peer if way is not peer else None
        return request, transaction

    def send_as_datagram(self, failed: Transaction[User], now: float) -> tuple[Request, Transaction[User]] | None:
        """What was too large for UDP could not go by TCP: UDP after all (§18.1.1); None where that is no way."""
        request, peer = failed.request, failed.datagram_peer
        if request is None or peer is None:
            return None
        self._datagrams.no_tcp(peer, now)
        self.counters.add(SipCounter.DATAGRAM_AFTER_ALL)
        branch = self.new_branch()
        again = request.with_header("Via", self.via(branch, peer))
        transaction = self.transactions.start_client(again, branch, peer, failed.user, now, once=failed.once)
        transaction.permit = failed.permit
        return again, transaction

    def answer_challenge(
        self, transaction: Transaction[User], request: Request, response: Response, now: float
    ) -> tuple[Request, Transaction[User]] | None:
        """Send ``request`` again with what a 401 or 407 asks for; None where that cannot or must not be answered.

        The second try is a new transaction with the next CSeq (§8.1.3.5, §22.2).
        """
        permit, peer = transaction.permit, transaction.peer
        if permit is None or response.status not in (401, 407):
            return None
        signed = self.authenticator.answer(permit, request, response, peer)
        if signed is None:
            return None
        branch = self.new_branch()
        number = permit.next_cseq(CSeq.parse(request.headers.get("CSeq") or "").number)
        headers = signed.headers.with_("Via", self.via(branch, peer)).with_("CSeq", f"{number} {request.method}")
        again = Request(request.method, request.uri, headers, request.body)
        again, renewed = self._launch(again, branch, peer, transaction.user, now)
        renewed.permit = permit
        self.counters.add(SipCounter.CHALLENGES_ANSWERED)
        return again, renewed

    def acknowledge(self, dialog: Dialog, cseq: int, extra: Pairs = (), body: bytes = b"") -> tuple[bytes, Address]:
        """Send the ACK of a 2xx, a transaction of its own (§13.2.2.4); returns it, to be repeated with the 2xx."""
        peer = dialog.next_hop()
        data = serialize(dialog.request("ACK", self.via(self.new_branch(), peer), cseq, extra, body))
        self.send(data, peer)
        return data, peer

    def say_bye(self, call: SipCall | None, dialog: Dialog, now: float, extra: Pairs = ()) -> None:
        """Send BYE. The dialog of ``call`` is kept until the answer, so that a crossing BYE gets its 200."""
        if dialog.state is not DialogState.TERMINATED:
            dialog.advance(DialogInput.BYE)
        self.request_in_dialog(dialog, "BYE", call, now, extra, once=not self.config.peers.is_known(dialog.peer))

    def _agent(self, extra: Pairs) -> Pairs:
        return (*extra, ("User-Agent", self.config.name)) if self.config.name else extra

    # ---------------------------------------------------------------- calls

    def new_call(
        self, state: SipCallState, dialog: Dialog | None, local_tag: str, source: Address | None = None
    ) -> SipCall:
        """Register a call under a new handle. ``source`` is where its INVITE came from."""
        self._handles += 1
        call = SipCall(SipCallHandle(self._handles), state, local_tag, dialog, source)
        self.calls[call.handle] = call
        if source is not None:
            self.admission.opened(call.handle, source)
        if dialog is not None:
            self.dialogs[dialog.id] = call
        return call

    def end(
        self,
        call: SipCall,
        happened: SipCallInput,
        ended_by: EndedBy,
        *,
        status: int = 0,
        reason: str = "",
        headers: Headers = NO_HEADERS,
    ) -> None:
        """Take the call to its last state and say so, once: a call that is ending has said so already."""
        self.sessions.stop(call)
        told = call.state is SipCallState.ENDING
        self.forget_early(call)
        if (change := call.change) is not None:
            call.change = None
            self.respond_to_change(call, change, 487, (), b"", change.received_at)
        call.update = call.retry_update = None
        call.advance(happened)
        call.referral = call.peers_referral = None  # nothing is told of a call after its end
        if not told:
            self.emit(CallEnded(call.handle, ended_by, status, reason, headers))
        if call.state is not SipCallState.ENDED:
            return
        self.stop_awaiting_ack(call)
        self.timers.stop(call, Timer.GLARE)
        self.timers.stop(call, Timer.UPDATE_GLARE)
        self.timers.stop(call, Timer.NEXT_KEY)
        self._stop_provisional(call)
        del self.calls[call.handle]
        self.admission.ended(call.handle, call.source)

    def lose(self, call: SipCall, ended_by: EndedBy, now: float) -> None:
        """A request of ours says that the peer has lost the call, or is lost itself."""
        self.end(call, SipCallInput.FAILED, ended_by)
        if call.dialog is not None:
            self.say_bye(call, call.dialog, now)

    def _stop_provisional(self, call: SipCall) -> None:
        for timer in (Timer.REFRESH_1XX, Timer.RETRANSMIT_1XX, Timer.PRACK_WAIT):
            self.timers.stop(call, timer)

    def forget_early(self, call: SipCall) -> None:
        """A 2xx of another fork that comes yet finds its attempt by its transaction, not by these."""
        if call.attempt is not None and call.attempt.is_initial:
            for early in call.attempt.early.values():
                if early.dialog is not call.dialog:
                    self.dialogs.pop(early.dialog.id, None)

    # ---------------------------------------------------------------- dialogs

    def find_dialog(self, incoming: Incoming) -> tuple[SipCall, Dialog] | None:
        """The call and the dialog that a request belongs to (§12.2.2): an early one of a fork, or the only one."""
        dialog_id = DialogId(incoming.call_id, incoming.to_tag, incoming.from_tag)
        call = self.dialogs.get(dialog_id)
        if call is None:
            return None
        if call.dialog is not None and call.dialog.id == dialog_id:
            return call, call.dialog
        early = self.dialog_by_tag(call, incoming.from_tag)
        return (call, early) if early is not None else None

    def dialog_by_tag(self, call: SipCall, tag: str) -> Dialog | None:
        """The dialog of a fork while our INVITE is not answered; without a tag, the call's own."""
        if not tag:
            return call.dialog
        early = call.attempt.early.get(tag) if call.attempt is not None else None
        return early.dialog if early is not None else None

    def exchange_of(self, call: SipCall, dialog: Dialog) -> Exchange:
        """Offer and answer of one dialog of a call."""
        early = call.attempt.early.get(dialog.id.remote_tag) if call.attempt is not None else None
        return early.exchange if early is not None and dialog is not call.dialog else call.exchange

    def forget_dialog(self, call: SipCall) -> None:
        """Nothing more belongs to this call's dialog."""
        if call.dialog is not None:
            self.dialogs.pop(call.dialog.id, None)


def permit_in(dialog: Dialog) -> Permit | None:
    """What a request of ours in a dialog may answer: nothing where the peer called us, and nothing from a host that
    the far end named itself, by Contact or Record-Route."""
    if not dialog.account or dialog.next_hop().host != dialog.peer.host:
        return None
    return Permit(dialog.account, lambda _number: dialog.next_cseq())
