"""Telling subscribers: SUBSCRIBE received, NOTIFY sent (RFC 6665 §4.2). What there is to tell is the owner's.

Subscriptions live in dialogs of their own. A subscriber is told at once, at every refresh, whenever the state
changes, and at the end; one NOTIFY at a time, so that an older state never overtakes a newer one.
"""

from __future__ import annotations

from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.core import Core
from voicegw.sip.counters import refused
from voicegw.sip.dialog import Dialog, DialogId, DialogInput, dialog_of_incoming
from voicegw.sip.events import SubscribeReceived, SubscriptionEnded, SubscriptionHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.reply import Pairs, make_response
from voicegw.sip.sip_call import Asked, User
from voicegw.sip.subscription_state import LEAST_S, LONGEST_S, EventName, SubscriptionState, expires_of
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Transaction

GONE: Final = "gone"
TIMED_OUT: Final = "timeout"


class Subscription:
    """One subscriber to one package. ``transaction`` is the SUBSCRIBE's until the owner has decided."""

    __slots__ = (
        "handle",
        "dialog",
        "event",
        "incoming",
        "transaction",
        "expires_s",
        "expires_at",
        "content_type",
        "body",
        "is_pending",
        "is_telling",
        "is_stale",
    )

    def __init__(
        self,
        handle: SubscriptionHandle,
        dialog: Dialog,
        event: EventName,
        incoming: Incoming,
        transaction: Transaction[User],
        expires_s: int,
    ) -> None:
        self.handle = handle
        self.dialog = dialog
        self.event = event
        self.incoming = incoming
        self.transaction: Transaction[User] | None = transaction
        self.expires_s = expires_s
        self.expires_at = 0.0
        self.content_type = ""
        self.body = b""
        self.is_pending = False
        self.is_telling = False
        """A NOTIFY has no answer yet."""
        self.is_stale = False
        """The state has changed since."""


class NotifyingSide:
    """All subscriptions that others have with us."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_handle: dict[SubscriptionHandle, Subscription] = {}
        self._by_dialog: dict[DialogId, Subscription] = {}
        self._handles = 0

    def __len__(self) -> int:
        return len(self._by_handle)

    # ---------------------------------------------------------------- received

    def receive(self, incoming: Incoming, phone: str) -> None:
        """A SUBSCRIBE outside any dialog, screened: it is the owner's to accept or refuse."""
        core, config = self._core, self._core.config
        try:
            event, expires_s = _read(incoming)
        except RemoteProtocolError as error:
            self._refuse(incoming, error.status_hint)
            return
        if event.package not in config.packages:
            self._refuse(incoming, 489)
        elif 0 < expires_s < LEAST_S:
            self._refuse(incoming, 423)
        elif len(self) >= config.max_subscriptions or not core.transactions.has_room or core.draining:
            self._refuse(incoming, 503)
        else:
            self._open(incoming, event, expires_s, phone)

    def _open(self, incoming: Incoming, event: EventName, expires_s: int, phone: str) -> None:
        core, request = self._core, incoming.request
        tag = core.stateless_tag(incoming)
        try:
            dialog = dialog_of_incoming(incoming, tag, core.contact(incoming.source, incoming.request.uri))
        except RemoteProtocolError as error:
            self._refuse(incoming, error.status_hint)
            return
        transaction = core.transactions.open_server(
            incoming.key, incoming.method, incoming.reply_to, None, incoming.merge_key
        )
        self._handles += 1
        handle = SubscriptionHandle(self._handles)
        granted_s = min(expires_s, LONGEST_S)
        self._by_handle[handle] = Subscription(handle, dialog, event, incoming, transaction, granted_s)
        sender = NameAddr.parse(request.headers.get("From") or "").uri
        accept = request.headers.values("Accept")
        core.emit(SubscribeReceived(handle, event.package, request.uri, sender, accept, incoming.source, phone))

    def receive_in_dialog(self, incoming: Incoming, now: float) -> bool:
        """A SUBSCRIBE that lengthens or ends a subscription; False if there is none."""
        core = self._core
        subscription = self._by_dialog.get(DialogId(incoming.call_id, incoming.to_tag, incoming.from_tag))
        if subscription is None:
            return False
        try:
            event, expires_s = _read(incoming)
        except RemoteProtocolError as error:
            self._refuse(incoming, error.status_hint)
            return True
        if not subscription.dialog.take_cseq(incoming.cseq):
            self._refuse(incoming, 500)
        elif event != subscription.event:
            self._refuse(incoming, 489)
        elif 0 < expires_s < LEAST_S:
            self._refuse(incoming, 423)
        else:
            subscription.dialog.refresh_target(incoming.request)
            subscription.expires_s = min(expires_s, LONGEST_S)
            transaction = core.transactions.open_server(incoming.key, incoming.method, incoming.reply_to, None)
            self._grant(subscription, incoming, transaction, now)
        return True

    # ---------------------------------------------------------------- commands

    def accept(
        self, handle: SubscriptionHandle, content_type: str, body: bytes, now: float, *, pending: bool = False
    ) -> None:
        """Take a subscriber and tell the state; ``pending``: it is not decided yet whether it may know it."""
        subscription = self._by_handle.get(handle)
        if subscription is None or subscription.transaction is None:
            return
        subscription.content_type, subscription.body, subscription.is_pending = content_type, body, pending
        subscription.dialog.advance(DialogInput.SUCCESS)
        self._by_dialog[subscription.dialog.id] = subscription
        transaction, subscription.transaction = subscription.transaction, None
        self._grant(subscription, subscription.incoming, transaction, now)

    def refuse(self, handle: SubscriptionHandle, status: int, now: float) -> None:
        """Refuse a subscriber with 300-699; one that has been accepted is left alone."""
        subscription = self._by_handle.get(handle)
        if subscription is None or subscription.transaction is None:
            return
        del self._by_handle[handle]
        core, incoming = self._core, subscription.incoming
        core.counters.add(refused(status))
        response = make_response(incoming, status, subscription.dialog.id.local_tag, core.server_header())
        core.transactions.respond(subscription.transaction, response, now)

    def notify(self, handle: SubscriptionHandle, body: bytes, now: float) -> None:
        """The state has changed. A subscription that was pending becomes active."""
        subscription = self._by_handle.get(handle)
        if subscription is None or subscription.transaction is not None:
            return
        subscription.body, subscription.is_pending = body, False
        self._tell(subscription, now)

    def end(self, handle: SubscriptionHandle, reason: str, now: float, retry_after_s: int | None = None) -> None:
        """Say that nothing more is told: deactivated, probation, rejected, giveup, noresource (§4.1.3)."""
        subscription = self._by_handle.get(handle)
        if subscription is not None and subscription.transaction is None:
            self._terminate(subscription, SubscriptionState("terminated", None, reason, retry_after_s), now)

    def fire(self, subscription: Subscription, now: float) -> None:
        """Its time is over and nobody has lengthened it."""
        self._terminate(subscription, SubscriptionState("terminated", None, TIMED_OUT), now)

    # ---------------------------------------------------------------- inside

    def _grant(
        self, subscription: Subscription, incoming: Incoming, transaction: Transaction[User], now: float
    ) -> None:
        """200 with the time that it has, then the state; a time of 0 is the end, or a single look (§4.4.3)."""
        core = self._core
        contact = core.contact(incoming.source, incoming.request.uri)
        extra: Pairs = (("Expires", str(subscription.expires_s)), ("Contact", contact))
        tag = subscription.dialog.id.local_tag
        response = make_response(incoming, 200, tag, (*extra, *core.server_header()))
        core.transactions.respond(transaction, response, now)
        if not subscription.expires_s:
            self._terminate(subscription, SubscriptionState("terminated", None, TIMED_OUT), now)
            return
        subscription.expires_at = now + subscription.expires_s
        core.timers.start(subscription, Timer.SUBSCRIPTION, subscription.expires_at)
        self._tell(subscription, now)

    def _tell(self, subscription: Subscription, now: float) -> None:
        if subscription.is_telling:
            subscription.is_stale = True
            return
        left = max(0, round(subscription.expires_at - now))
        state = SubscriptionState("pending" if subscription.is_pending else "active", left)
        subscription.is_telling, subscription.is_stale = True, False
        self._send(subscription, state, now)

    def _terminate(self, subscription: Subscription, state: SubscriptionState, now: float) -> None:
        self._forget(subscription)
        self._send(subscription, state, now)
        self._core.emit(SubscriptionEnded(subscription.handle, state.reason))

    def _send(self, subscription: Subscription, state: SubscriptionState, now: float) -> None:
        core, dialog, told = self._core, subscription.dialog, not subscription.is_pending
        body = subscription.body if told else b""
        extra: Pairs = (
            ("Event", str(subscription.event)),
            ("Subscription-State", str(state)),
            ("Contact", core.contact(dialog.next_hop(), dialog.remote_target)),
        )
        typed: Pairs = (("Content-Type", subscription.content_type),) if body else ()
        asked = Asked(
            lambda response, at: self._answered(subscription, response.status, at),
            lambda _outcome, at: self._answered(subscription, 408, at),
        )
        core.request_in_dialog(dialog, "NOTIFY", asked, now, (*extra, *typed), body)

    def _answered(self, subscription: Subscription, status: int, now: float) -> None:
        """Whoever refuses to be told, or is silent, is told no more (§4.2.2)."""
        if status < 200 or subscription.handle not in self._by_handle:
            return
        subscription.is_telling = False
        if status >= 300:
            self._forget(subscription)
            self._core.emit(SubscriptionEnded(subscription.handle, GONE))
        elif subscription.is_stale:
            self._tell(subscription, now)

    def _forget(self, subscription: Subscription) -> None:
        self._core.timers.stop(subscription, Timer.SUBSCRIPTION)
        self._by_handle.pop(subscription.handle, None)
        self._by_dialog.pop(subscription.dialog.id, None)

    def _refuse(self, incoming: Incoming, status: int) -> None:
        core = self._core
        core.counters.add(refused(status))
        extra = {
            423: (("Min-Expires", str(LEAST_S)),),
            489: (("Allow-Events", ", ".join(("refer", *core.config.packages))),),
            503: (core.retry_after(),),
        }
        core.reply(incoming, status, extra.get(status, ()))


def _read(incoming: Incoming) -> tuple[EventName, int]:
    headers = incoming.request.headers
    return EventName.parse(headers.get("Event") or ""), expires_of(headers)
