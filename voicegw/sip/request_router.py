"""Requests in: of a transaction, of a dialog or of nothing yet, and who takes each (RFC 3261 §8.2, §12.2.2)."""

from __future__ import annotations

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter, refused
from voicegw.sip.dialog import Dialog
from voicegw.sip.events import InviteRefused
from voicegw.sip.incoming import Incoming
from voicegw.sip.reception import Answer
from voicegw.sip.replaces import find_replaced
from voicegw.sip.reply import Pairs, make_response
from voicegw.sip.screening import ACCEPT, ALLOW, SUPPORTED, Refusal, screen
from voicegw.sip.sides import Sides
from voicegw.sip.sip_call import SipCall, SipCallState
from voicegw.sip.transaction import Outcome


class RequestRouter:
    """Refuses what nobody takes."""

    def __init__(self, core: Core, sides: Sides) -> None:
        self._core = core
        self._sides = sides

    def receive(self, incoming: Incoming, now: float) -> None:
        """A request that has been parsed."""
        core = self._core
        transaction = core.transactions.find_server(incoming.key)
        if transaction is not None:
            outcome = core.transactions.receive_again(transaction, incoming.method, now)
            if outcome is Outcome.PASS_UP:
                self._sides.answering.receive_ack(incoming, now)
        elif incoming.method == "ACK":
            self._sides.answering.receive_ack(incoming, now)
        elif incoming.method == "CANCEL":
            self._sides.answering.receive_cancel(incoming, now)
        elif (refusal := self._screen(incoming)) is not None:
            self._refuse(incoming, refusal.status, refusal.headers)
        elif incoming.to_tag:
            self._receive_in_dialog(incoming, now)
        else:
            self._receive_new(incoming, now)

    def _screen(self, incoming: Incoming) -> Refusal | None:
        reception = self._core.config.reception
        return screen(incoming, registers=reception.registers, records=reception.records)

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
            self._sides.messaging.receive(None, incoming, now)
        elif incoming.method == "SUBSCRIBE":
            self._receive_subscribe(incoming, now)
        elif incoming.method != "INVITE":  # nobody is called for a stranger's REFER
            self._refuse(incoming, 403 if incoming.method == "REFER" else 481)
        elif not self._admits(incoming.source, now):
            self._turn_away(incoming, 503, (core.retry_after(),))
        elif least := core.sessions.refusal(incoming):
            self._refuse(incoming, 422, least)
        elif isinstance(decision := core.config.reception.identify(incoming, now), Answer):
            if decision.is_final:
                self._turn_away(incoming, decision.status, decision.headers)
            else:
                self._refuse(incoming, decision.status, decision.headers)
        else:
            self._receive_invite(incoming, decision.phone, now)

    def _receive_subscribe(self, incoming: Incoming, now: float) -> None:
        decision = self._core.config.reception.identify(incoming, now)
        if isinstance(decision, Answer):
            self._refuse(incoming, decision.status, decision.headers)
        else:
            self._sides.notifier.receive(incoming, decision.phone)

    def _receive_invite(self, incoming: Incoming, phone: str, now: float) -> None:
        replaced = find_replaced(self._core.dialogs, incoming)
        if isinstance(replaced, Refusal):
            self._refuse(incoming, replaced.status)
            return
        try:
            self._sides.answering.receive_invite(incoming, now, phone, replaced)
        except RemoteProtocolError as error:
            self._refuse(incoming, error.status_hint)

    def _register(self, incoming: Incoming, now: float) -> None:
        """§10.3. A challenge costs no memory; what was followed is answered the same if it comes again."""
        core = self._core
        answer = core.config.reception.register(incoming, now)
        if answer.status == 200:
            core.counters.add(SipCounter.REGISTRATIONS)
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
        if core.overloaded or core.is_crowded():
            core.counters.add(SipCounter.OVERLOADED)
            return False
        if not core.admission.has_room(source, core.transactions.servers_of(source.host)):
            return False
        if core.admission.must_make_room(source):
            overdue = core.admission.overdue(now)
            if overdue is None:
                return False
            self._sides.answering.give_up(overdue, now)
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
            self._sides.answering.receive_reinvite(call, incoming, now)
        elif incoming.method == "BYE":
            self._receive_bye(call, dialog, incoming, now)
        elif incoming.method == "PRACK":
            self._sides.answering.receive_prack(call, incoming, now)
        elif incoming.method == "UPDATE":
            self._sides.updating.receive_update(call, dialog, incoming, now)
        elif incoming.method == "INFO":
            self._sides.answering.receive_info(call, incoming, now)
        elif incoming.method == "NOTIFY":
            self._sides.referring.receive_notify(call, incoming, now)
        elif incoming.method == "MESSAGE":
            self._sides.messaging.receive(call, incoming, now)
        elif incoming.method == "REFER":
            self._sides.referred.receive_refer(call, incoming, now)
        elif incoming.method == "SUBSCRIBE":
            self._sides.referred.receive_subscribe(call, incoming, now)
        else:
            self._receive_options(incoming, call, now)

    def _receive_in_subscription(self, incoming: Incoming, now: float) -> bool:
        match incoming.method:
            case "SUBSCRIBE":
                return self._sides.notifier.receive_in_dialog(incoming, now)
            case "NOTIFY":
                return self._sides.watcher.receive_notify(incoming, now)
            case _:
                return False

    def _receive_bye(self, call: SipCall, dialog: Dialog, incoming: Incoming, now: float) -> None:
        if call.state is SipCallState.CALLING:
            self._core.answer(incoming, 200, (), call, now)
            self._sides.calling.receive_early_bye(call, dialog, incoming, now)
        else:
            self._sides.answering.receive_bye(call, incoming, now)

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

    def _turn_away(self, incoming: Incoming, status: int, extra: Pairs) -> None:
        """Refuse a call that the owner will want to know of."""
        answer = self._refuse(incoming, status, extra)
        if status == 503:
            self._core.turned_away = answer, incoming.reply_to
        self._core.emit(InviteRefused(incoming.request, incoming.source, status))

    def _refuse(self, incoming: Incoming, status: int, extra: Pairs = ()) -> bytes:
        self._core.counters.add(refused(status))
        return self._core.reply(incoming, status, extra)
