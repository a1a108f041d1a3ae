"""Subscribing: SUBSCRIBE sent and kept alive, NOTIFY received (RFC 6665 §4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import token
from voicegw.sip.address import Address, bracketed, is_sendable
from voicegw.sip.challenges import MAX_ROUNDS, Permit
from voicegw.sip.core import Core
from voicegw.sip.counters import refused
from voicegw.sip.dialog import Dialog, DialogInput, dialog_of_incoming, dialog_of_response
from voicegw.sip.events import NotifyReceived, WatchEnded, WatchHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.reply import Pairs, make_response
from voicegw.sip.sip_call import Asked
from voicegw.sip.subscription_state import EventName, SubscriptionState, expires_of
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome

EARLIER_S: Final = 32.0
"""A subscription is lengthened this long before its end, or at half of its time: what one transaction may take."""


class Watch:
    """A subscription of ours. ``dialog`` is None until a 2xx or the first NOTIFY, whichever is first (§4.4.1)."""

    __slots__ = ("handle", "event", "request", "peer", "tag", "wanted_s", "account", "dialog", "is_ending", "heard")

    def __init__(self, handle: WatchHandle, event: EventName, peer: Address, tag: str, wanted_s: int) -> None:
        self.handle = handle
        self.event = event
        self.request: Request | None = None
        self.peer = peer
        self.tag = tag
        self.wanted_s = wanted_s
        self.account = ""
        """Whose credentials answer challenges."""
        self.dialog: Dialog | None = None
        self.is_ending = False
        self.heard = False
        """A NOTIFY has come since our last SUBSCRIBE."""

    def begin(self, dialog: Dialog) -> Dialog:
        """The peer has made a dialog of it. How many challenges came before is no matter: numbers may have gaps."""
        dialog.advance(DialogInput.SUCCESS)
        dialog.local_cseq = 1 + MAX_ROUNDS
        dialog.account = self.account
        self.dialog = dialog
        return dialog


class WatchingSide:
    """All subscriptions that we have with others."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_handle: dict[WatchHandle, Watch] = {}
        self._by_tag: dict[tuple[str, str], Watch] = {}
        """By Call-ID and our tag: forks share these."""
        self._handles = 0

    def __len__(self) -> int:
        return len(self._by_handle)

    # ---------------------------------------------------------------- commands

    def subscribe(
        self,
        package: str,
        target_uri: str,
        from_: str,
        destination: Address,
        expires_s: int,
        now: float,
        headers: Pairs = (),
        routes: Sequence[str] = (),
        account: str = "",
    ) -> WatchHandle:
        """Send SUBSCRIBE; NotifyReceived follows for each news, WatchEnded at the end.

        It is lengthened until ``unsubscribe``. LocalError for a destination that nothing can be sent to.
        """
        core = self._core
        if not is_sendable(destination):
            raise LocalError(f"nothing can be sent to {destination}")
        tag, branch = token(core.random, 12), core.new_branch()
        call_id = f"{token(core.random, 20)}@{bracketed(core.config.local_address(destination).host)}"
        pairs = [("Via", core.via(branch, destination)), ("Max-Forwards", "70")]
        pairs += [("Route", route) for route in routes]
        pairs += [
            ("From", str(NameAddr.parse(from_).with_tag(tag))),
            ("To", f"<{target_uri}>"),
            ("Call-ID", call_id),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", core.contact(destination, target_uri)),
            ("Event", package),
            ("Expires", str(expires_s)),
        ]
        request = Request("SUBSCRIBE", target_uri, Headers((*pairs, *headers)))
        self._handles += 1
        watch = Watch(WatchHandle(self._handles), EventName.parse(package), destination, tag, expires_s)
        watch.request, watch.account = request, account
        self._by_handle[watch.handle] = self._by_tag[(call_id, tag)] = watch
        core.start(request, branch, destination, self._asked(watch), now, Permit(account) if account else None)
        self._await_notify(watch, now)
        return watch.handle

    def unsubscribe(self, handle: WatchHandle, now: float) -> None:
        """End a subscription; its last NOTIFY, or its absence, makes WatchEnded."""
        watch = self._by_handle.get(handle)
        if watch is None or watch.is_ending:
            return
        watch.is_ending = True
        if watch.dialog is not None:
            self._renew(watch, 0, now)

    # ---------------------------------------------------------------- received

    def receive_notify(self, incoming: Incoming, now: float) -> bool:
        """A NOTIFY that belongs to no call; False if it belongs to no subscription of ours either."""
        watch = self._by_tag.get((incoming.call_id, incoming.to_tag))
        if watch is None or (watch.dialog is not None and watch.dialog.id.remote_tag != incoming.from_tag):
            return False
        status, state = self._read(watch, incoming)
        core = self._core
        if status != 200:
            core.counters.add(refused(status))
        transaction = core.transactions.open_server(incoming.key, "NOTIFY", incoming.reply_to, None)
        core.transactions.respond(transaction, make_response(incoming, status, "", core.server_header()), now)
        if state is not None:
            self._hear(watch, state, incoming, now)
        return True

    def _read(self, watch: Watch, incoming: Incoming) -> tuple[int, SubscriptionState | None]:
        headers = incoming.request.headers
        try:
            if EventName.parse(headers.get("Event") or "") != watch.event:
                return 489, None
            state = SubscriptionState.parse(headers.get("Subscription-State") or "")
            if watch.dialog is None:
                contact = self._core.contact(incoming.source, incoming.request.uri)
                dialog = watch.begin(dialog_of_incoming(incoming, watch.tag, contact))
                dialog.local_party = headers.get("To") or ""  # it has our tag already
            elif watch.dialog.take_cseq(incoming.cseq):
                watch.dialog.refresh_target(incoming.request)
            else:
                return 500, None
        except RemoteProtocolError as error:
            return error.status_hint, None
        return 200, state

    def _hear(self, watch: Watch, state: SubscriptionState, incoming: Incoming, now: float) -> None:
        core, headers = self._core, incoming.request.headers
        if not watch.heard:
            watch.heard = True
            core.timers.stop(watch, Timer.NOTIFY_WAIT)
        kind = headers.get("Content-Type") or ""
        core.emit(NotifyReceived(watch.handle, state.state, kind, incoming.request.body))
        if state.is_over:
            self._end(watch, 0, state.reason, state.retry_after_s)
        elif watch.is_ending:
            self._renew(watch, 0, now)
        elif state.expires_s is not None:
            self._keep(watch, state.expires_s, now)

    def fire(self, watch: Watch, timer: Timer, now: float) -> None:
        """Time to lengthen it, or no NOTIFY has come after a SUBSCRIBE (timer N, §4.1.2.4)."""
        if timer is Timer.SUBSCRIPTION:
            self._renew(watch, watch.wanted_s, now)
        else:
            self._end(watch, 408, "")

    # ---------------------------------------------------------------- inside

    def _renew(self, watch: Watch, expires_s: int, now: float) -> None:
        core, dialog = self._core, watch.dialog
        if dialog is None:
            return
        extra: Pairs = (
            ("Contact", core.contact(dialog.next_hop(), dialog.remote_target)),
            ("Event", str(watch.event)),
            ("Expires", str(expires_s)),
        )
        core.request_in_dialog(dialog, "SUBSCRIBE", self._asked(watch), now, extra)
        self._await_notify(watch, now)

    def _await_notify(self, watch: Watch, now: float) -> None:
        watch.heard = False
        self._core.timers.start(watch, Timer.NOTIFY_WAIT, now + self._core.config.timers.first(Timer.NOTIFY_WAIT))

    def _asked(self, watch: Watch) -> Asked:
        return Asked(
            lambda response, at: self._answered(watch, response, at),
            lambda outcome, _at: self._end(watch, 408 if outcome is Outcome.TIMEOUT else 503, ""),
        )

    def _answered(self, watch: Watch, response: Response, now: float) -> None:
        """The answer to a SUBSCRIBE: how long it holds, or that it does not."""
        if response.status < 200 or watch.handle not in self._by_handle:
            return
        if response.status >= 300:
            self._end(watch, response.status, "")
            return
        try:
            if watch.dialog is None and watch.request is not None:
                contact = self._core.contact(watch.peer, watch.request.uri)
                watch.begin(dialog_of_response(watch.request, watch.tag, contact, response, watch.peer))
            expires_s = expires_of(response.headers, watch.wanted_s)
        except RemoteProtocolError as error:
            self._end(watch, error.status_hint, "")
            return
        watch.request = None
        if watch.is_ending:
            if expires_s:
                self._renew(watch, 0, now)
        else:
            self._keep(watch, expires_s, now)

    def _keep(self, watch: Watch, expires_s: int, now: float) -> None:
        if expires_s:
            due = now + max(expires_s / 2, expires_s - EARLIER_S)
            self._core.timers.start(watch, Timer.SUBSCRIPTION, due)

    def _end(self, watch: Watch, status: int, reason: str, retry_after_s: int | None = None) -> None:
        if self._by_handle.pop(watch.handle, None) is None:
            return
        for key in [key for key, one in self._by_tag.items() if one is watch]:
            del self._by_tag[key]
        self._core.timers.stop(watch, Timer.SUBSCRIPTION)
        self._core.timers.stop(watch, Timer.NOTIFY_WAIT)
        self._core.emit(WatchEnded(watch.handle, status, reason, retry_after_s))
