"""What an INVITE and a re-INVITE of ours have in common: how they are sent, and the ACK of their 2xx."""

from __future__ import annotations

from voicegw.sip.address import Address
from voicegw.sip.bodies import SDP
from voicegw.sip.challenges import Permit, credentials_of
from voicegw.sip.core import Core
from voicegw.sip.dialog import Dialog
from voicegw.sip.headers import CSeq
from voicegw.sip.message import Request
from voicegw.sip.reply import Pairs
from voicegw.sip.screening import ACCEPT, ALLOW, SUPPORTED
from voicegw.sip.sip_call import Attempt, SipCall, User
from voicegw.sip.transaction import Transaction


class Inviter:
    """Sends them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def start(
        self,
        call: SipCall,
        request: Request,
        branch: str,
        peer: Address,
        now: float,
        permit: Permit | None,
        *,
        is_initial: bool,
    ) -> None:
        """Send an INVITE or re-INVITE for ``call``; what an earlier one of it has opened is forgotten."""
        self._core.forget_early(call)
        attempt = Attempt(call, request, is_initial=is_initial)
        attempt.made_offer, attempt.body = bool(request.body), request.body
        call.attempt = attempt
        self.note(attempt, *self._core.start(request, branch, peer, attempt, now, permit))

    def note(self, attempt: Attempt, request: Request, transaction: Transaction[User]) -> None:
        """Keep what ACK and CANCEL are made from; the body is the transaction's."""
        attempt.request = Request("INVITE", request.uri, request.headers)
        attempt.transaction = transaction

    def describe(self, sdp: bytes | None) -> Pairs:
        """What we can do, for an INVITE, and the type of its body."""
        name = self._core.config.name
        pairs: Pairs = (ALLOW, SUPPORTED, ACCEPT)
        if name:
            pairs = (*pairs, ("User-Agent", name))
        return (*pairs, ("Content-Type", SDP)) if sdp else pairs

    def acknowledge(self, attempt: Attempt, dialog: Dialog, tag: str, extra: Pairs = (), body: bytes = b"") -> None:
        """ACK with the credentials of the INVITE (§22.1), but for a far end that nobody gave them to."""
        cseq = CSeq.parse(attempt.request.headers.get("CSeq") or "").number
        asked = attempt.transaction.peer.host if attempt.transaction is not None else ""
        signed = credentials_of(attempt.request.headers) if dialog.next_hop().host == asked else ()
        attempt.acks[tag] = self._core.acknowledge(dialog, cseq, (*signed, *extra), body)
