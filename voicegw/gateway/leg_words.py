"""What else two ends of a leg say to one another: REFER of ours, text and keys, in the words of the runtime."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, assert_never

from voicegw.base.ids import LegId
from voicegw.gateway.events import LegEvent, LegInfo, LegKeysSent, LegMessage, LegReferAnswered, LegReferNotified
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trunk_calls import TrunkCalls
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sip import events as ua
from voicegw.sip.events import SipCallHandle

log = logging.getLogger(__name__)
_NOT_SENT: Final = 481
"""What is told of keys for a leg that is not up, and of what is no key."""

Word: TypeAlias = (
    ua.InfoReceived | ua.MessageReceived | ua.MessageAnswered | ua.KeysSent | ua.ReferAnswered | ua.ReferNotified
)


class LegWords:
    """``legs`` are the gateway's; ``tell`` gets what the far ends say."""

    def __init__(
        self,
        driver: SipDriver,
        legs: Mapping[LegId, SipLeg],
        calls: TrunkCalls,
        tell: Callable[[LegEvent], None],
    ) -> None:
        self._driver = driver
        self._legs = legs
        self._calls = calls
        self._tell = tell

    def may_refer(self, leg_id: LegId) -> bool:
        """Whether the peer of a leg may know REFER: its Allow has it, or it sent none."""
        leg = self._legs.get(leg_id)
        return leg is not None and leg.may_refer

    def refer(
        self,
        leg_id: LegId,
        target_uri: str,
        replaced: LegId | None = None,
        headers: Sequence[tuple[str, str]] = (),
        payer: Payer = NOBODY,
    ) -> None:
        """Ask the peer to call ``target_uri``. LegReferAnswered follows, also where nothing could be asked.

        ``replaced`` is another leg of ours that is up: the peer is asked to take our place in it (RFC 5589 §7).
        Nobody is asked to call a number that no trunk of ours may carry. ``headers`` are for the INVITE to the
        target, as far as the trunk of the leg lets them pass. ``payer``: on whose behalf, for the toll rules.
        """
        handle, status = self._handle_of(leg_id), 481
        other = None if replaced is None else self._handle_of(replaced)
        may = replaced is None or other is not None
        try:
            target = self._calls.refer_target(target_uri, payer) if target_uri else ""
            told = self._calls.refer_headers(leg_id, headers)
            now = self._driver.now
            if handle is not None and may and self._driver.agent.refer(handle, target, now, other, told):
                self._driver.pump()
                return
        except RouteRefused:
            status = 403
        asyncio.get_running_loop().call_soon(self._tell, LegReferAnswered(leg_id, status))

    def send_text(self, leg_id: LegId, text: str) -> bool:
        """Send text to the far end of a leg (RFC 3428). False if the leg is not up, or for more than 1300 bytes."""
        handle = self._handle_of(leg_id)
        sent = handle is not None and self._driver.agent.send_message(handle, text, self._driver.now)
        self._driver.pump()
        return sent

    def send_keys(self, leg_id: LegId, digits: str) -> bool:
        """Press keys by INFO where the leg's keys go that way. LegKeysSent follows, also where none could be sent.

        False: they go with the audio, and are for the media worker.
        """
        leg = self._legs.get(leg_id)
        if leg is None or not leg.keys.sends_info:
            return False
        if leg.handle is not None and self._driver.agent.send_keys(leg.handle, digits, self._driver.now):
            self._driver.pump()
        else:
            asyncio.get_running_loop().call_soon(self._keys_sent, leg_id, "", _NOT_SENT)
        return True

    def handle(self, leg: SipLeg, event: Word) -> None:
        """Something came from the peer of ``leg``."""
        match event:
            case ua.InfoReceived() if not leg.keys.hears_info:
                log.debug("INFO of a leg whose keys come another way", extra={"leg_id": leg.leg_id})
            case ua.InfoReceived():
                self._tell(LegInfo(leg.leg_id, event.content_type, event.body))
            case ua.MessageReceived():
                self._tell(LegMessage(leg.leg_id, event.text))
            case ua.MessageAnswered():
                if event.status >= 300:
                    log.info("a message was refused", extra={"leg_id": leg.leg_id, "status": event.status})
            case ua.KeysSent():
                self._keys_sent(leg.leg_id, event.digits, event.status)
            case ua.ReferAnswered():
                self._tell(LegReferAnswered(leg.leg_id, event.status))
            case ua.ReferNotified():
                self._tell(LegReferNotified(leg.leg_id, event.status, event.final))
            case _:
                assert_never(event)

    def _keys_sent(self, leg_id: LegId, digits: str, status: int) -> None:
        if status >= 300:
            log.warning("keys by INFO were refused", extra={"leg_id": leg_id, "status": status})
        self._tell(LegKeysSent(leg_id, digits, status))

    def _handle_of(self, leg_id: LegId) -> SipCallHandle | None:
        leg = self._legs.get(leg_id)
        return None if leg is None else leg.handle
