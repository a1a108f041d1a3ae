"""Text messages in and out of calls (RFC 3428): plain text only, passed up or refused, never kept."""

from __future__ import annotations

from typing import Final

from voicegw.sip.bodies import content_type
from voicegw.sip.core import Core
from voicegw.sip.counters import refused
from voicegw.sip.events import MessageAnswered, MessageReceived, SipCallHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.reply import make_response
from voicegw.sip.screening import ALLOWED
from voicegw.sip.sip_call import Asked, SipCall, SipCallState

PLAIN: Final = "text/plain"
MAX_BYTES: Final = 1300
"""§8 of the RFC: what is longer does not belong into a MESSAGE."""
_CALLS_ONLY: Final = ", ".join(method for method in ALLOWED if method != "MESSAGE")
_EXTRA: Final = {415: (("Accept", PLAIN),), 405: (("Allow", _CALLS_ONLY),)}
"""What a refusal says about what would have been taken."""


class MessagingSide:
    """MESSAGE within calls, and from outside where the configuration lets it in."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def receive(self, call: SipCall | None, incoming: Incoming, now: float) -> None:
        """A MESSAGE: 200 and an event, 415 for what is no plain text, 413 for what is no message any more.

        Outside a call it is 202, as nobody can say when it is read, or 405 unless strangers may write to us.
        """
        core, request = self._core, incoming.request
        status = _status_of(incoming)
        if call is None and not core.config.accept_messages:
            status = 405
        if status != 200:
            core.counters.add(refused(status))
            extra = _EXTRA.get(status, ())
            if call is None:
                core.reply(incoming, status, extra)
            else:
                core.answer(incoming, status, extra, call, now)
            return
        if call is not None:
            core.answer(incoming, 200, (), call, now)
        elif not self._answer_outside(incoming, now):
            return
        sender = NameAddr.parse(request.headers.get("From") or "").uri
        text = request.body.decode("utf-8", "replace")
        core.emit(MessageReceived(None if call is None else call.handle, sender, request.uri, text))

    def _answer_outside(self, incoming: Incoming, now: float) -> bool:
        """In a transaction, so that a retransmission is no second message."""
        core = self._core
        if not core.transactions.has_room or core.draining:
            core.reply(incoming, 503, (core.retry_after(),))
            return False
        transaction = core.transactions.open_server(
            incoming.key, "MESSAGE", incoming.reply_to, None, incoming.merge_key
        )
        response = make_response(incoming, 202, core.stateless_tag(incoming), core.server_header())
        core.transactions.respond(transaction, response, now)
        return True

    def send(self, handle: SipCallHandle, text: str, now: float) -> bool:
        """Send text within a call; MessageAnswered follows. False if the call is not up or the text too long."""
        call, body = self._core.calls.get(handle), text.encode()
        if call is None or call.dialog is None or call.state is not SipCallState.CONFIRMED or len(body) > MAX_BYTES:
            return False
        asked = Asked(
            lambda response, _now: self._answered(handle, response.status),
            lambda _outcome, _now: self._answered(handle, 408),
        )
        extra = (("Content-Type", f"{PLAIN};charset=UTF-8"),)
        self._core.request_in_dialog(call.dialog, "MESSAGE", asked, now, extra, body)
        return True

    def _answered(self, handle: SipCallHandle, status: int) -> None:
        if status >= 200 and handle in self._core.calls:
            self._core.emit(MessageAnswered(handle, status))


def _status_of(incoming: Incoming) -> int:
    if content_type(incoming.request.headers) not in (PLAIN, "") or not incoming.request.body:
        return 415
    return 413 if len(incoming.request.body) > MAX_BYTES else 200
