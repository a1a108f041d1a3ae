"""Early dialogs where we call: one for each fork of our INVITE, and PRACK in each (RFC 3261 §13.2, RFC 3262 §4)."""

from __future__ import annotations

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sip.bodies import SDP, sdp_or_nothing
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter
from voicegw.sip.dialog import Dialog, DialogInput, dialog_of_response
from voicegw.sip.events import ProgressReceived, SipCallHandle
from voicegw.sip.exchange import Exchange, ExchangeInput
from voicegw.sip.headers import CSeq, NameAddr
from voicegw.sip.message import Response
from voicegw.sip.provisional import MAX_FORKS, RELIABLE, EarlyDialog, RAck, requires, rseq_of
from voicegw.sip.sip_call import Attempt, SipCall, SipCallState


class EarlySide:
    """Provisional responses in, PRACK out."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def receive(self, attempt: Attempt, response: Response, now: float) -> ProgressReceived | None:
        """Take in 101-199; returns what the owner is to be told, None where there is nothing new.

        A body that can be neither an offer nor an answer now is left out. A reliable response that comes out of its
        order is not acknowledged, so that it comes again (RFC 3262 §4).
        """
        rseq = rseq_of(response)
        early = self._dialog_of(attempt, response)
        if rseq is not None and (early is None or not early.expects(rseq)):
            self._core.counters.add(SipCounter.PROVISIONAL_IGNORED)
            return None
        body, wants_answer = sdp_or_nothing(response), False
        if early is not None and rseq is not None:
            early.rseq = rseq
            body, wants_answer = _take_description(early, body)
            if wants_answer:
                early.offer_rseq = rseq
            else:
                self._acknowledge(attempt, early, rseq, b"", now)
        elif early is None or not early.exchange.ours:
            body = b""
        tag = early.dialog.id.remote_tag if early is not None else ""
        handle = attempt.call.handle
        return ProgressReceived(handle, response.status, response.headers, body, tag, wants_answer)

    def answer(self, handle: SipCallHandle, tag: str, sdp: bytes, now: float) -> None:
        """Send the PRACK that carries our answer to the offer of a reliable response."""
        call = self._core.calls.get(handle)
        attempt = call.attempt if call is not None else None
        early = attempt.early.get(tag) if attempt is not None else None
        if attempt is None or early is None or early.offer_rseq is None:
            return
        rseq, early.offer_rseq = early.offer_rseq, None
        early.exchange.close(answered=True)
        early.ours = sdp
        self._acknowledge(attempt, early, rseq, sdp, now)

    def confirm(self, attempt: Attempt, tag: str, response: Response) -> tuple[Dialog, Exchange]:
        """The dialog of a 2xx: what its 1xx began goes on, but the routes are those of the 2xx (§13.2.2.4).

        RemoteProtocolError where no request could follow them.
        """
        dialog = self._open(attempt, response)
        dialog.advance(DialogInput.SUCCESS)
        early = attempt.early.get(tag)
        if early is None:
            return dialog, _first_exchange(attempt)
        dialog.local_cseq, dialog.remote_cseq = early.dialog.local_cseq, early.dialog.remote_cseq
        early.dialog = dialog
        return dialog, early.exchange

    def settle(self, call: SipCall, attempt: Attempt, tag: str) -> None:
        """One fork has made the call: requests in the others find nothing any more."""
        core = self._core
        if tag in attempt.early:
            call.kept.sdp = attempt.early[tag].ours or call.kept.sdp
        for early in attempt.early.values():
            if early.dialog is not call.dialog:
                core.dialogs.pop(early.dialog.id, None)

    def drop(self, call: SipCall, attempt: Attempt, dialog: Dialog) -> bool:
        """A called side ended its early dialog, which it should not (§15); true if no other fork is left."""
        self._core.dialogs.pop(dialog.id, None)
        attempt.early.pop(dialog.id.remote_tag, None)
        return not attempt.early and call.state is SipCallState.CALLING

    # ---------------------------------------------------------------- inside

    def _dialog_of(self, attempt: Attempt, response: Response) -> EarlyDialog | None:
        """The early dialog of a response, opened if need be; None without a tag, or where no more are kept."""
        tag = NameAddr.parse(response.headers.get("To") or "").tag or ""
        known = attempt.early.get(tag)
        if known is not None:
            known.dialog.refresh_target(response)
            return known
        if not tag or len(attempt.early) >= MAX_FORKS:
            return None
        call = attempt.call
        if not attempt.is_initial:
            if call.dialog is None or not requires(response.headers, RELIABLE):
                return None
            early = EarlyDialog(call.dialog, call.exchange)
        else:
            try:
                early = EarlyDialog(self._open(attempt, response), _first_exchange(attempt))
            except RemoteProtocolError:
                self._core.counters.add(SipCounter.MALFORMED)
                return None
            self._core.dialogs[early.dialog.id] = call
        attempt.early[tag] = early
        return early

    def _open(self, attempt: Attempt, response: Response) -> Dialog:
        if attempt.transaction is None:
            raise LocalError("a response without a transaction")
        sent, permit = attempt.transaction, attempt.transaction.permit
        peer = sent.datagram_peer or sent.peer  # only that one request was too large for UDP
        contact = self._core.contact(peer, attempt.request.uri)
        dialog = dialog_of_response(attempt.request, attempt.call.local_tag, contact, response, peer)
        dialog.account = permit.account if permit is not None else ""
        return dialog

    def _acknowledge(self, attempt: Attempt, early: EarlyDialog, rseq: int, sdp: bytes, now: float) -> None:
        cseq = CSeq.parse(attempt.request.headers.get("CSeq") or "").number
        extra: tuple[tuple[str, str], ...] = (("RAck", str(RAck(rseq, cseq, "INVITE"))),)
        if sdp:
            extra = (*extra, ("Content-Type", SDP))
        self._core.request_in_dialog(early.dialog, "PRACK", None, now, extra, sdp)


def _first_exchange(attempt: Attempt) -> Exchange:
    """Each fork answers our offer for itself."""
    exchange = Exchange()
    if attempt.made_offer:
        exchange.advance(ExchangeInput.WE_OFFER)
    return exchange


def _take_description(early: EarlyDialog, body: bytes) -> tuple[bytes, bool]:
    """The description of a reliable response as answer, or as offer (true); anything else is left out (§5)."""
    exchange = early.exchange
    if not body:
        return b"", False
    if exchange.ours:
        exchange.close(answered=True)
        early.answer = body
        return body, False
    if exchange.is_new:
        exchange.advance(ExchangeInput.THEY_OFFER)
        return body, True
    return b"", False


def take_final_description(exchange: Exchange, body: bytes) -> tuple[bytes, bool]:
    """The description of a 2xx as answer, or as offer (true).

    After an answer in a reliable response it does not count any more (§13.2.1). A 2xx without one confirms what an
    unreliable 183 said.
    """
    if exchange.ours:
        exchange.close(answered=True)
        return body, False
    if body and exchange.is_new:
        exchange.advance(ExchangeInput.THEY_OFFER)
        return body, True
    return b"", False
