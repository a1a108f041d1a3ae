"""Transactions in operation: find the one a message belongs to, run its machine, keep its timers (RFC 3261 §17).

The machines themselves are tables (``invite_client`` and its three siblings). A transaction that has its final
response keeps nothing but the bytes it may have to send again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Generic, TypeVar

from voicegw.sip.address import Address
from voicegw.sip.challenges import Permit
from voicegw.sip.invite_client import INVITE_CLIENT
from voicegw.sip.invite_server import INVITE_SERVER
from voicegw.sip.machine import Action, Input, Machine, Signal, State
from voicegw.sip.message import Headers, Request, Response, serialize
from voicegw.sip.non_invite_client import NON_INVITE_CLIENT
from voicegw.sip.non_invite_server import NON_INVITE_SERVER
from voicegw.sip.timers import ABSORBING_TIMERS, RETRANSMISSION_TIMERS, Timer, TimerQueue, TimerValues

ClientKey = tuple[str, str]
"""Branch and CSeq method (§17.1.3)."""
ServerKey = tuple[str, ...]
"""Branch, sent-by and method (§17.2.3), or the many parts that RFC 2543 peers need."""
Send = Callable[[bytes, Address], None]
User = TypeVar("User")


class Outcome(Enum):
    """What the transaction user has to do after an input."""

    NOTHING = "nothing"
    PASS_UP = "the message is new to the user"
    TIMEOUT = "the peer is silent"
    TRANSPORT_ERROR = "nothing could be sent"


_OUTCOMES = {
    Action.PASS_UP: Outcome.PASS_UP,
    Action.REPORT_TIMEOUT: Outcome.TIMEOUT,
    Action.REPORT_TRANSPORT_ERROR: Outcome.TRANSPORT_ERROR,
}


class Transaction(Generic[User]):
    """One transaction. ``user`` belongs to the transaction user and is not looked at here."""

    __slots__ = (
        "machine",
        "state",
        "peer",
        "data",
        "ack",
        "request",
        "intervals",
        "user",
        "key",
        "merge_key",
        "permit",
        "once",
        "datagram_peer",
    )

    def __init__(self, machine: Machine, key: ServerKey, peer: Address, user: User, *, once: bool = False) -> None:
        self.machine = machine
        self.key = key
        self.state = machine.initial
        self.peer = peer
        self.data = b""
        """What is sent again: the request of a client, the latest response of a server."""
        self.ack = b""
        self.request: Request | None = None
        """A client's request until its final response: CANCEL and ACK are made from it."""
        self.intervals: dict[Timer, float] = {}
        self.user = user
        self.merge_key: Hashable = None
        self.permit: Permit | None = None
        """A client's right to answer a challenge; None for requests that answer none."""
        self.datagram_peer: Address | None = None
        """Where a client's request would have gone by UDP, had it not been too large (§18.1.1)."""
        self.once = once
        """Nothing is sent again by a timer, as over a reliable transport: the peer's address may be forged."""

    @property
    def is_final(self) -> bool:
        """Whether a final response has passed."""
        return self.state not in (State.CALLING, State.TRYING, State.PROCEEDING)


class TransactionLayer(Generic[User]):
    """All transactions of one user agent. ``send`` takes bytes and an address; nothing is sent twice to a peer
    whose transport is reliable."""

    def __init__(
        self,
        timers: TimerQueue[Hashable],
        values: TimerValues,
        send: Send,
        *,
        max_servers: int = 20_000,
    ) -> None:
        self._timers = timers
        self.values = values
        """For timers that begin from now on; may be changed."""
        self._send = send
        self.max_servers = max_servers
        self._clients: dict[ClientKey, Transaction[User]] = {}
        self._servers: dict[ServerKey, Transaction[User]] = {}
        self._merge_keys: dict[Hashable, Transaction[User]] = {}
        self._servers_of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    @property
    def has_room(self) -> bool:
        """Whether one more server transaction may be opened; else the request is answered without one."""
        return len(self._servers) < self.max_servers

    # ---------------------------------------------------------------- client side

    def servers_of(self, host: str) -> int:
        """The server transactions of one address."""
        return self._servers_of.get(host, 0)

    def start_client(
        self, request: Request, branch: str, peer: Address, user: User, now: float, *, once: bool = False
    ) -> Transaction[User]:
        """Open a client transaction for ``request``, whose top Via carries ``branch``, and send it."""
        machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        key = (branch, request.method, _sent_by(request))
        transaction = Transaction(machine, key, peer, user, once=once)
        transaction.data = serialize(request)
        transaction.request = request
        self._clients[(branch, request.method)] = transaction
        self._run(transaction, Signal.START, now)
        return transaction

    @staticmethod
    def is_of(transaction: Transaction[User], sent_by: str) -> bool:
        """Whether our Via of a client's request says so: our address may be another one by now (§18.1.2)."""
        return transaction.key[2] == sent_by

    def find_client(self, branch: str, method: str) -> Transaction[User] | None:
        """The client transaction that a response belongs to (§17.1.3)."""
        return self._clients.get((branch, method))

    def receive_response(self, transaction: Transaction[User], response: Response, now: float) -> Outcome:
        """Run the machine for a response; a final one frees the request and, for an INVITE, makes its ACK."""
        signal = signal_of(response.status)
        if signal is Signal.FAILURE and transaction.request is not None and transaction.machine is INVITE_CLIENT:
            transaction.ack = serialize(ack_of_failure(transaction.request, response))
        outcome = self._run(transaction, signal, now)
        if transaction.is_final:
            transaction.data = b""
            transaction.request = None
        return outcome

    # ---------------------------------------------------------------- server side

    def find_server(self, key: ServerKey) -> Transaction[User] | None:
        """The server transaction that a request belongs to (§17.2.3)."""
        return self._servers.get(key)

    def find_merged(self, merge_key: Hashable) -> Transaction[User] | None:
        """Another transaction that brought the same request by another path (§8.2.2.2)."""
        return self._merge_keys.get(merge_key)

    def open_server(
        self,
        key: ServerKey,
        method: str,
        peer: Address,
        user: User,
        merge_key: Hashable = None,
        *,
        once: bool = False,
    ) -> Transaction[User]:
        """Open a server transaction. ``merge_key`` names the request of a new dialog for ``find_merged``."""
        machine = INVITE_SERVER if method == "INVITE" else NON_INVITE_SERVER
        transaction = Transaction(machine, key, peer, user, once=once)
        self._servers[key] = transaction
        self._servers_of[peer.host] += 1
        if merge_key is not None:
            transaction.merge_key = merge_key
            self._merge_keys.setdefault(merge_key, transaction)
        return transaction

    def receive_again(self, transaction: Transaction[User], method: str, now: float) -> Outcome:
        """Run the machine for a request that matched: a retransmission, or the ACK of an INVITE."""
        return self._run(transaction, Signal.ACK if method == "ACK" else Signal.REQUEST, now)

    def respond(self, transaction: Transaction[User], response: Response, now: float) -> bytes:
        """Send a response and return its bytes."""
        data = serialize(response)
        transaction.data = data
        self._run(transaction, signal_of(response.status), now)
        if transaction.state is State.ACCEPTED:
            transaction.data = b""  # the dialog retransmits the 2xx, and it needs the bytes only until the ACK
        return data

    # ---------------------------------------------------------------- both

    def fire(self, transaction: Transaction[User], timer: Timer, now: float) -> Outcome:
        """Run the machine for a timer that came due."""
        return self._run(transaction, timer, now)

    def transport_failed(self, peer: Address, now: float) -> list[Transaction[User]]:
        """Tell every unanswered client transaction with ``peer``; returns those that ended by it."""
        hit = [t for t in self._clients.values() if t.peer == peer and not t.is_final]
        return [t for t in hit if self._run(t, Signal.TRANSPORT_ERROR, now) is Outcome.TRANSPORT_ERROR]

    def abandon(self, transaction: Transaction[User]) -> None:
        """End a client transaction that its user has given up (§9.1); one that has ended already is left alone."""
        if transaction.state is State.TERMINATED:
            return
        for timer in transaction.intervals:
            self._timers.stop(transaction, timer)
        transaction.state = State.TERMINATED
        self._forget(transaction)

    def _run(self, transaction: Transaction[User], happened: Input, now: float) -> Outcome:
        machine, before = transaction.machine, transaction.state
        after = machine.table.next(before, happened)
        transaction.state = after
        if after is not before:
            for timer in [t for t in transaction.intervals if t not in machine.timers_of[after]]:
                del transaction.intervals[timer]
                self._timers.stop(transaction, timer)
        outcome = Outcome.NOTHING
        for action in machine.actions[(before, happened)]:
            if isinstance(action, Timer):
                self._start(transaction, action, now)
            elif action is Action.SEND:
                self._resend(transaction, transaction.data)
            elif action is Action.SEND_ACK:
                self._resend(transaction, transaction.ack)
            else:
                outcome = _OUTCOMES[action]
        if after is State.TERMINATED:
            self._forget(transaction)
        return outcome

    def _resend(self, transaction: Transaction[User], data: bytes) -> None:
        if data:
            self._send(data, transaction.peer)

    def _start(self, transaction: Transaction[User], timer: Timer, now: float) -> None:
        reliable = transaction.peer.transport.is_reliable
        if (reliable or transaction.once) and timer in RETRANSMISSION_TIMERS:
            return
        last = transaction.intervals.get(timer)
        if last is None:
            interval = 0.0 if reliable and timer in ABSORBING_TIMERS else self.values.first(timer)
        elif transaction.state is State.PROCEEDING:
            interval = self.values.t2  # §17.1.2.2: once answered, timer E goes on at T2
        else:
            interval = self.values.again(timer, last)
        transaction.intervals[timer] = interval
        self._timers.start(transaction, timer, now + interval)

    def _forget(self, transaction: Transaction[User]) -> None:
        if transaction.machine in (INVITE_CLIENT, NON_INVITE_CLIENT):
            del self._clients[(transaction.key[0], transaction.key[1])]
            return
        del self._servers[transaction.key]
        self._servers_of[transaction.peer.host] -= 1
        if not self._servers_of[transaction.peer.host]:
            del self._servers_of[transaction.peer.host]
        if self._merge_keys.get(transaction.merge_key) is transaction:
            del self._merge_keys[transaction.merge_key]


def signal_of(status: int) -> Signal:
    """The class of a response."""
    if status < 200:
        return Signal.PROVISIONAL
    return Signal.SUCCESS if status < 300 else Signal.FAILURE


def ack_of_failure(invite: Request, response: Response) -> Request:
    """The ACK of a 3xx-6xx: a part of the INVITE's own transaction, with its branch (§17.1.1.3)."""
    pairs = [("Via", invite.headers.values("Via")[0])]
    pairs += [("Route", value) for value in invite.headers.get_all("Route")]
    pairs += [("From", invite.headers.get("From") or ""), ("To", response.headers.get("To") or "")]
    pairs += [("Call-ID", invite.headers.get("Call-ID") or "")]
    number = (invite.headers.get("CSeq") or "0").split()[0]
    pairs += [("CSeq", f"{number} ACK"), ("Max-Forwards", "70")]
    return Request("ACK", invite.uri, Headers(pairs))


def _sent_by(request: Request) -> str:
    """The place in the top Via of a request of ours."""
    return request.headers.values("Via")[0].partition(" ")[2].partition(";")[0].lower()
