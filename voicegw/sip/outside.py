"""Requests of ours that belong to no call: OPTIONS, REGISTER, SUBSCRIBE, MESSAGE (RFC 3261 §8.1, §10.2, §11.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicegw.base.errors import LocalError
from voicegw.base.ids import token
from voicegw.sip.address import Address, is_sendable
from voicegw.sip.challenges import Permit
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import RequestAnswered, RequestFailed, RequestHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.reply import Pairs
from voicegw.sip.sip_call import OutsideRequest
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome

_CALL_METHODS = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"})


@dataclass(frozen=True, slots=True)
class OutsideDialog:
    """What successive requests have in common: a REGISTER and its refresh, a request and its second try.

    An empty ``call_id`` makes a new one. ``cseq`` has to grow with every request of one Call-ID (§8.1.1.5); a
    failover to another server repeats it (RFC 3263 §4.3).
    """

    call_id: str = ""
    cseq: int = 1


NEW_DIALOG = OutsideDialog()


class RequestingSide:
    """Sends requests and tells their ends. Each handle gets exactly one RequestAnswered or RequestFailed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: dict[RequestHandle, OutsideRequest] = {}
        self._handles = 0

    def __len__(self) -> int:
        return len(self._open)

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
        """Send a request; see :meth:`voicegw.sip.user_agent.UserAgent.request`."""
        if method in _CALL_METHODS:
            raise LocalError(f"{method} belongs to a call")
        if not is_sendable(destination):
            raise LocalError(f"nothing can be sent to {destination}")
        core, branch = self._core, self._core.new_branch()
        pairs = self._common(target_uri, destination, branch, from_, to, routes, dialog)
        pairs.append(("CSeq", f"{dialog.cseq} {method}"))
        asks_only = method == "REGISTER"  # what is registered: one without a Contact changes nothing (§10.2.3)
        if not asks_only and not any(name.lower() in ("contact", "m") for name, _ in headers):
            pairs.append(("Contact", core.contact(destination, target_uri)))
        if core.config.name:
            pairs.append(("User-Agent", core.config.name))
        request = Request(method, target_uri, Headers((*pairs, *headers)), body)
        self._handles += 1
        pending = OutsideRequest(RequestHandle(self._handles), request)
        self._open[pending.handle] = pending
        permit = Permit(account) if account else None
        pending.note(*core.start(request, branch, destination, pending, now, permit))
        if patience_s is not None:
            core.timers.start(pending, Timer.PATIENCE, now + patience_s)
        return pending.handle

    def abandon(self, handle: RequestHandle) -> None:
        """Forget a request: its answer interests nobody any more, and no event follows."""
        pending = self._open.get(handle)
        if pending is not None:
            self._close(pending)

    def answer_challenge(self, pending: OutsideRequest, request: Request, response: Response, now: float) -> bool:
        """401 or 407: try again with credentials; False leaves it the answer."""
        if pending.transaction is None or pending.handle not in self._open:
            return False
        renewed = self._core.answer_challenge(pending.transaction, request, response, now)
        if renewed is not None:
            pending.note(*renewed)
        return renewed is not None

    def receive_response(self, pending: OutsideRequest, response: Response) -> None:
        """A response that its transaction passed up; a provisional one says nothing here."""
        if response.status >= 200 and pending.handle in self._open:
            self._forget(pending)
            self._core.emit(RequestAnswered(pending.handle, pending.request, response))

    def receive_failure(self, pending: OutsideRequest, outcome: Outcome) -> None:
        """The transaction ended without a final response (§8.1.3.1)."""
        if pending.handle not in self._open:
            return
        self._core.counters.add(SipCounter.NO_RESPONSE)
        self._forget(pending)
        self._core.emit(RequestFailed(pending.handle, pending.request, outcome is Outcome.TIMEOUT))

    def fire(self, pending: OutsideRequest) -> None:
        """The patience for this request has run out."""
        if pending.handle not in self._open:
            return
        self._core.counters.add(SipCounter.NO_RESPONSE)
        self._close(pending)
        self._core.emit(RequestFailed(pending.handle, pending.request, True))

    def _common(
        self,
        target_uri: str,
        destination: Address,
        branch: str,
        from_: str,
        to: str,
        routes: Sequence[str],
        dialog: OutsideDialog,
    ) -> list[tuple[str, str]]:
        core, sender = self._core, NameAddr.parse(from_)
        if sender.tag is None:
            sender = sender.with_tag(token(core.random, 12))
        return [
            ("Via", core.via(branch, destination)),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in routes),
            ("From", str(sender)),
            ("To", to or f"<{target_uri}>"),
            ("Call-ID", dialog.call_id or core.new_call_id(destination)),
        ]

    def _close(self, pending: OutsideRequest) -> None:
        self._forget(pending)
        if pending.transaction is not None:
            self._core.transactions.abandon(pending.transaction)

    def _forget(self, pending: OutsideRequest) -> None:
        self._core.timers.stop(pending, Timer.PATIENCE)
        del self._open[pending.handle]
