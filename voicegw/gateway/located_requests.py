"""Requests outside calls to whoever is responsible for a URI: the next server is tried where one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.base.metrics import Counters
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_requests import SipRequests
from voicegw.gateway.way import DIRECT, Way
from voicegw.sip.address import Address
from voicegw.sip.events import OutsideEvent
from voicegw.sip.outside import NEW_DIALOG, OutsideDialog
from voicegw.sip.reply import Pairs


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a request ended, and the server that it ended with."""

    event: OutsideEvent
    server: Address


class LocatedRequests:
    """Sends by name (RFC 3263 §4)."""

    def __init__(self, requests: SipRequests, servers: Servers, counters: Counters) -> None:
        self._requests = requests
        self._servers = servers
        self._counters = counters

    async def send(
        self,
        method: str,
        target_uri: str,
        *,
        from_: str,
        to: str = "",
        headers: Pairs | Callable[[Address], Pairs] = (),
        body: bytes = b"",
        dialog: OutsideDialog = NEW_DIALOG,
        account: str = "",
        way: Way = DIRECT,
        patience_s: float | None = None,
    ) -> Delivered:
        """Send it to one server after the other until one gives an answer that is not 503, or none is left.

        ``headers`` may depend on the server, as a Contact does. ``patience_s`` is for the last server. LocalError
        where none can be found, and what :meth:`voicegw.sip.user_agent.UserAgent.request` raises.
        """
        servers = await self._servers.find(target_uri, way)
        while True:
            server = servers.pop(0)
            event = await self._requests.send(
                method,
                target_uri,
                server,
                from_=from_,
                to=to,
                headers=headers(server) if callable(headers) else headers,
                routes=way.routes,
                body=body,
                dialog=dialog,
                account=account,
                patience_s=self._servers.config.attempt_s if servers else patience_s,
            )
            if not self._servers.note(server, event) or not servers:
                return Delivered(event, server)
            self._counters.add(LocatingCounter.FAILED_OVER)
