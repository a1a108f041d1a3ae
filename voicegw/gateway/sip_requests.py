"""Requests outside calls for those who wait for the answer: trunk health, registration, messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from voicegw.gateway.sip_driver import SipDriver
from voicegw.sip.address import Address
from voicegw.sip.events import OutsideEvent, RequestHandle
from voicegw.sip.outside import NEW_DIALOG, OutsideDialog
from voicegw.sip.reply import Pairs


class SipRequests:
    """Makes the user agent's handles something to wait for; the owner of the events hands them to ``settle``."""

    def __init__(self, driver: SipDriver) -> None:
        self._driver = driver
        self._waiting: dict[RequestHandle, asyncio.Future[OutsideEvent]] = {}

    async def send(
        self,
        method: str,
        target_uri: str,
        destination: Address,
        *,
        from_: str,
        to: str = "",
        headers: Pairs = (),
        routes: Sequence[str] = (),
        body: bytes = b"",
        dialog: OutsideDialog = NEW_DIALOG,
        patience_s: float | None = None,
        account: str = "",
    ) -> OutsideEvent:
        """Send it and wait for its end: RequestAnswered, or RequestFailed after 64*T1 or ``patience_s``.

        Raises what :meth:`voicegw.sip.user_agent.UserAgent.request` raises. Cancelling forgets the request.
        """
        handle = self._driver.agent.request(
            method,
            target_uri,
            destination,
            self._driver.now,
            from_=from_,
            to=to,
            headers=headers,
            routes=routes,
            body=body,
            dialog=dialog,
            patience_s=patience_s,
            account=account,
        )
        self._driver.guard.acquaint(destination)  # whom we ask is no stranger when it answers
        answer: asyncio.Future[OutsideEvent] = asyncio.get_running_loop().create_future()
        self._waiting[handle] = answer
        self._driver.pump()
        try:
            return await answer
        finally:
            self._driver.guard.part(destination)
            if self._waiting.pop(handle, None) is not None:
                self._driver.agent.abandon_request(handle)

    def settle(self, event: OutsideEvent) -> None:
        """The end of a request; one that nobody waits for is left alone."""
        answer = self._waiting.pop(event.handle, None)
        if answer is not None and not answer.done():
            answer.set_result(event)
