"""Calling somebody who has several phones: those of one preference ring together, the first to answer has the call.

Each device is a leg of its own until one answers; that one becomes the leg that was asked for, and the others are
cancelled. Whoever dialled sees one leg from beginning to end (RFC 3261 §13.2.2.4, §16.7 for the choice of refusal).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId, RandomBytes, token
from voicegw.gateway.events import LegAnswered, LegEnded, LegEvent, LegInvited
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.way import Way
from voicegw.sip.bindings import Binding

DialDevice: TypeAlias = Callable[[LegId, str, Way], None]
"""(leg, Request-URI, way): sends one INVITE; raises LocalError where that cannot be done."""
_BUSY = (486, 600, 603)


class Lines(Protocol):
    """The gateway, as far as it is needed here."""

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """End a leg."""
        ...

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on."""
        ...


@dataclass(slots=True)
class _Ringing:
    """A phone that rings: devices that ring, those that will, and the best refusal so far."""

    leg_id: LegId
    phone: str
    dial: DialDevice
    waiting: list[list[Binding]]
    devices: set[LegId] = field(default_factory=set)
    refusal: LegEnded | None = None
    given_up: HangupCause | None = None
    timer: asyncio.TimerHandle | None = None


class PhoneRinging:
    """Stands between the gateway's events and whoever is told of them: :meth:`pass_on` gets every event."""

    def __init__(
        self,
        book: PhoneBook,
        lines: Lines,
        random: RandomBytes,
        now: Callable[[], float],
        on_event: Callable[[LegEvent], None],
        ring_s: float,
    ) -> None:
        self._book = book
        self._lines = lines
        self._random = random
        self._now = now
        self._on_event = on_event
        self.ring_s = ring_s
        self._ringing: dict[LegId, _Ringing] = {}
        self._by_device: dict[LegId, _Ringing | None] = {}
        """None: another device was quicker, or the call was given up."""
        self._talking: dict[LegId, str] = {}

    # ---------------------------------------------------------------- commands

    def way_to(self, phone: str) -> Way:
        """The way to the device that rings first; LocalError where none is registered."""
        order = self._book.ring_order(phone, self._now())
        if not order:
            raise LocalError(f"no device of {phone} is registered")
        return way_of(order[0][0])

    def begin(self, leg_id: LegId, phone: str, dial: DialDevice) -> None:
        """Let a phone ring. The events of ``leg_id`` follow; LegEnded alone where nothing is registered."""
        ringing = _Ringing(leg_id, phone, dial, self._book.ring_order(phone, self._now()))
        self._ringing[leg_id] = ringing
        if not self._ring_next(ringing):
            asyncio.get_running_loop().call_soon(self._finish, ringing)

    def hangup(self, leg_id: LegId, cause: HangupCause) -> bool:
        """Give up a call that rings; False where ``leg_id`` is none."""
        ringing = self._ringing.get(leg_id)
        if ringing is None:
            return False
        ringing.given_up = cause
        ringing.waiting.clear()
        for device in list(ringing.devices):
            self._lines.hangup(device, cause)
        if not ringing.devices:
            asyncio.get_running_loop().call_soon(self._finish, ringing)
        return True

    def close(self) -> None:
        """Let no more devices ring: those that do are about to be hung up."""
        for ringing in self._ringing.values():
            ringing.waiting.clear()

    # ---------------------------------------------------------------- events

    def pass_on(self, event: LegEvent) -> None:
        """Tell whoever dialled, in the name of the leg that was asked for."""
        if event.leg_id in self._by_device:
            self._on_device(self._by_device[event.leg_id], event)
            return
        self._note(event)
        self._on_event(event)

    def _on_device(self, ringing: _Ringing | None, event: LegEvent) -> None:
        if isinstance(event, LegEnded):
            del self._by_device[event.leg_id]
            if ringing is not None:
                self._device_ended(ringing, event)
        elif ringing is None:
            return
        elif isinstance(event, LegAnswered):
            self._answered(ringing, event)
        elif len(ringing.devices) == 1:
            self._on_event(replace(event, leg_id=ringing.leg_id))

    def _answered(self, ringing: _Ringing, event: LegAnswered) -> None:
        self._stop(ringing)
        del self._by_device[event.leg_id]
        self._lines.rename(event.leg_id, ringing.leg_id)
        for other in ringing.devices - {event.leg_id}:
            self._by_device[other] = None
            self._lines.hangup(other, HangupCause.TRANSFER_OFF)
        self._talking[ringing.leg_id] = ringing.phone
        self._book.call_began(ringing.phone, self._now())
        self._on_event(replace(event, leg_id=ringing.leg_id))

    def _device_ended(self, ringing: _Ringing, event: LegEnded) -> None:
        ringing.devices.discard(event.leg_id)
        best = ringing.refusal
        if best is None or (event.sip_status in _BUSY and best.sip_status not in _BUSY):
            ringing.refusal = event
        if not ringing.devices and not self._ring_next(ringing):
            self._finish(ringing)

    # ---------------------------------------------------------------- inside

    def _ring_next(self, ringing: _Ringing) -> bool:
        """Let the devices of the next preference ring; False where none is left."""
        while ringing.waiting:
            for binding in ringing.waiting.pop(0):
                device = LegId(token(self._random, 16))
                self._by_device[device] = ringing
                ringing.devices.add(device)
                try:
                    ringing.dial(device, binding.contact, way_of(binding))
                except LocalError:
                    del self._by_device[device]
                    ringing.devices.discard(device)
            if ringing.devices:
                if ringing.waiting:
                    loop = asyncio.get_running_loop()
                    ringing.timer = loop.call_later(self.ring_s, self._ring_next, ringing)
                return True
        return False

    def _finish(self, ringing: _Ringing) -> None:
        if self._ringing.get(ringing.leg_id) is not ringing:
            return
        self._stop(ringing)
        ended = ringing.refusal or LegEnded(ringing.leg_id, HangupCause.UNREACHABLE, 480, "not registered")
        cause = ringing.given_up or ended.cause
        self._on_event(replace(ended, leg_id=ringing.leg_id, cause=cause))

    def _stop(self, ringing: _Ringing) -> None:
        del self._ringing[ringing.leg_id]
        if ringing.timer is not None:
            ringing.timer.cancel()

    def _note(self, event: LegEvent) -> None:
        """Who is on a call: phones that we called, and phones that called us."""
        if isinstance(event, LegInvited) and event.phone:
            self._talking[event.leg_id] = event.phone
            self._book.call_began(event.phone, self._now())
        elif isinstance(event, LegEnded) and (phone := self._talking.pop(event.leg_id, "")):
            self._book.call_ended(phone, self._now())


def way_of(binding: Binding) -> Way:
    """Back to where its REGISTER came from, past the proxies that it passed (RFC 3327 §5.1)."""
    return Way(routes=binding.path, addresses=(binding.source,))
