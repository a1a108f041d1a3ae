"""Keys of ours by INFO (application/dtmf-relay), for peers that take none as telephone events or tones.

One INFO is out at a time, as two of them may pass each other by UDP (RFC 3261 §17.1.2 knows no order), and a key is
pressed when the last one is over: some gateways play each of them as a tone.
"""

from __future__ import annotations

from typing import Final

from voicegw.sip.bodies import DTMF_RELAY
from voicegw.sip.core import Core
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import EndedBy, KeysSent, SipCallHandle
from voicegw.sip.info_keys import KEYS, KeyOrder, KeyOrders, write_info_key
from voicegw.sip.sip_call import Asked, SipCall, SipCallState
from voicegw.sip.timers import Timer
from voicegw.sip.transaction import Outcome

GAP_MS: Final = 100
_LOST: Final = (408, 481)
"""Who answers so does not know the dialog any more, or does not reach it (RFC 3261 §12.2.1.2, RFC 5057 §5.1)."""
MAX_WAITING: Final = 256
"""Keys of one call: with a key a quarter of a second, more than anybody waits for."""


class PressingSide:
    """Sends keys within calls, in order."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def send(self, handle: SipCallHandle, digits: str, duration_ms: int, now: float) -> bool:
        """Send keys of ``duration_ms`` each; KeysSent follows. False: it is not up, or these are no keys."""
        call, keys = self._core.calls.get(handle), digits.upper()
        if call is None or call.state is not SipCallState.CONFIRMED or not keys or not KEYS.issuperset(keys):
            return False
        call.keys = orders = call.keys or KeyOrders()
        if orders.length + len(keys) > MAX_WAITING:
            return False
        orders.waiting.append(KeyOrder(keys, duration_ms))
        if len(orders.waiting) == 1:
            self._go_on(call, orders, now)
        return True

    def fire(self, call: SipCall, now: float) -> None:
        """Timer NEXT_KEY: the last key is over."""
        if call.keys is not None and call.keys.waiting:
            self._press(call, call.keys, now)

    def _press(self, call: SipCall, orders: KeyOrders, now: float) -> None:
        if call.dialog is None or call.state is not SipCallState.CONFIRMED:
            return
        key = orders.waiting[0].next_key
        orders.free_at = now + (key.duration_ms + GAP_MS) / 1000
        asked = Asked(
            lambda response, at: self._answered(call, orders, response.status, at),
            lambda outcome, at: self._unanswered(call, orders, outcome, at),
        )
        extra = (("Content-Type", DTMF_RELAY),)
        self._core.request_in_dialog(call.dialog, "INFO", asked, now, extra, write_info_key(key))

    def _go_on(self, call: SipCall, orders: KeyOrders, now: float) -> None:
        if now >= orders.free_at:
            self._press(call, orders, now)
        else:
            self._core.timers.start(call, Timer.NEXT_KEY, orders.free_at)

    def _answered(self, call: SipCall, orders: KeyOrders, status: int, now: float) -> None:
        """A refusal ends the order: a number with a digit missing is another number."""
        if status < 200 or call.handle not in self._core.calls:
            return
        if status in _LOST:
            self._lose(call, orders, status, EndedBy.DIALOG_LOST, now)
            return
        order = orders.waiting[0]
        order.sent += status < 300
        if status >= 300 or order.sent == len(order.digits):
            orders.waiting.popleft()
            self._core.emit(KeysSent(call.handle, order.digits[: order.sent], status))
        if orders.waiting:
            self._go_on(call, orders, now)

    def _unanswered(self, call: SipCall, orders: KeyOrders, outcome: Outcome, now: float) -> None:
        """No answer: the peer is gone."""
        if call.handle in self._core.calls:
            self._core.counters.add(SipCounter.NO_RESPONSE)
            timed_out = outcome is Outcome.TIMEOUT
            ended_by = EndedBy.NO_RESPONSE if timed_out else EndedBy.TRANSPORT_ERROR
            self._lose(call, orders, 408, ended_by, now)

    def _lose(self, call: SipCall, orders: KeyOrders, status: int, ended_by: EndedBy, now: float) -> None:
        order = orders.waiting[0]
        orders.waiting.clear()
        self._core.emit(KeysSent(call.handle, order.digits[: order.sent], status))
        if call.state is SipCallState.CONFIRMED:
            self._core.lose(call, ended_by, now)
