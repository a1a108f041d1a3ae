"""A copy of every SIP message for Homer."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.base.clock import Clock
from voicegw.gateway.blotting import without_secrets
from voicegw.gateway.hep_packet import Captured
from voicegw.gateway.hep_sender import HepSender
from voicegw.gateway.trace_message import call_id_of
from voicegw.sip.address import Address


class HepTap:
    """A :class:`voicegw.sip.tap.Tap`. ``here`` tells how a peer reaches us; ``secrets`` is that of the
    configuration."""

    def __init__(
        self, sender: HepSender, here: Callable[[Address], Address], clock: Clock, *, secrets: bool = False
    ) -> None:
        self._sender = sender
        self._here = here
        self._clock = clock
        self._secrets = secrets

    def received(self, data: bytes, source: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._pass_on(source, self._here(source), data)

    def sent(self, data: bytes, destination: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._pass_on(self._here(destination), destination, data)

    def _pass_on(self, source: Address, destination: Address, data: bytes) -> None:
        message = data if self._secrets else without_secrets(data)
        self._sender.send(Captured(source, destination, self._clock.wall(), call_id_of(data), message))
