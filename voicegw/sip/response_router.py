"""Responses in: find their transaction, answer challenges, hand them to who asked (RFC 3261 §8.1.3, §17.1.3)."""

from __future__ import annotations

from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter
from voicegw.sip.headers import CSeq
from voicegw.sip.incoming import branch_of_response
from voicegw.sip.message import Request, Response
from voicegw.sip.sides import Sides
from voicegw.sip.sip_call import Asked, Attempt, OutsideRequest, Referral, SipCall, SipCallState, User
from voicegw.sip.transaction import Outcome, Transaction


class ResponseRouter:
    """Knows for whom each client transaction works."""

    def __init__(self, core: Core, sides: Sides) -> None:
        self._core = core
        self._sides = sides

    def receive(self, response: Response, now: float) -> None:
        """A response that has been parsed."""
        core = self._core
        vias = response.headers.values("Via")
        branch, sent_by = branch_of_response(vias[0])
        method = CSeq.parse(response.headers.get("CSeq") or "").method
        transaction = core.transactions.find_client(branch, method)
        request = transaction.request if transaction is not None else None
        if transaction is None:
            core.counters.add(SipCounter.STRAY_RESPONSE)
        elif len(vias) != 1 or not core.transactions.is_of(transaction, sent_by):
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
            return self._sides.calling.answer_challenge(transaction.user, request, response, now)
        if isinstance(transaction.user, OutsideRequest):
            return self._sides.requesting.answer_challenge(transaction.user, request, response, now)
        return self._core.answer_challenge(transaction, request, response, now) is not None

    def _pass_up(self, transaction: Transaction[User], response: Response, now: float) -> None:
        match transaction.user:
            case Attempt() as attempt:
                self._sides.calling.receive_response(attempt, response, now)
            case Referral() as referral:
                self._sides.referring.receive_response(referral, response)
            case OutsideRequest() as pending:
                self._sides.requesting.receive_response(pending, response)
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
            self._sides.inviter.note(user, *again)
        elif again is not None and isinstance(user, OutsideRequest):
            user.note(*again)
        return again is not None

    def report(self, transaction: Transaction[User], outcome: Outcome, now: float) -> None:
        """A transaction came to an end without a final response."""
        if outcome not in (Outcome.TIMEOUT, Outcome.TRANSPORT_ERROR):
            return
        if outcome is Outcome.TRANSPORT_ERROR and self._send_as_datagram(transaction, now):
            return
        match transaction.user:
            case Attempt() as attempt:
                self._sides.calling.receive_failure(attempt, outcome, now)
            case Referral() as referral:
                self._sides.referring.receive_failure(referral)
            case OutsideRequest() as pending:
                self._sides.requesting.receive_failure(pending, outcome)
            case Asked() as asked:
                asked.failed(outcome, now)
            case SipCall() as call if call.state is SipCallState.ENDED:
                self._core.forget_dialog(call)
