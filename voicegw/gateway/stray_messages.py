"""Text from outside any call (MESSAGE, RFC 3428), where the configuration takes any.

There is nobody to answer it, so it is kept where people look for what happened, which is the log.
"""

from __future__ import annotations

import logging
from typing import Final

from voicegw.base.metrics import Counters
from voicegw.base.personal import Personal
from voicegw.sip.events import MessageReceived

log = logging.getLogger(__name__)
COUNTER: Final = "sip_messages_outside_calls"


class StrayMessages:
    """A consumer for :attr:`voicegw.gateway.sip_leg.SipGateway.on_message`; another one may take its place."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def take(self, message: MessageReceived) -> None:
        """One more."""
        self._counters.add(COUNTER)
        told = {"sender": message.sender, "target": message.target, "text": message.text}
        log.info("a message that belongs to no call", extra={name: Personal(one) for name, one in told.items()})
