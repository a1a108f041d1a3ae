"""Our media addresses: as peers are told, and as sockets are bound. Behind NAT the two differ."""

from __future__ import annotations

from collections.abc import Mapping

from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_ringing import PhoneRinging
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.trunk_calls import TrunkCalls
from voicegw.gateway.way import DIRECT, Way
from voicegw.sip.address import DEFAULT_PORT, Address


class MediaPlaces:
    """Answers for legs that there are, and for calls that are still to be made."""

    def __init__(
        self,
        driver: SipDriver,
        legs: Mapping[LegId, SipLeg],
        servers: Servers,
        calls: TrunkCalls,
        phones: PhoneBook,
        ringing: PhoneRinging,
    ) -> None:
        self._driver = driver
        self._legs = legs
        self._servers = servers
        self._calls = calls
        self._phones = phones
        self._ringing = ringing

    def told(self, leg_id: LegId) -> str:
        """Our IP address as the peer of this leg should see it; LocalError for a leg that is not there."""
        return self._driver.media_host(self._peer_of(leg_id))

    def bound(self, leg_id: LegId) -> str:
        """This machine's address for the media socket of a leg; LocalError for a leg that is not there."""
        return self._driver.own_host(self._peer_of(leg_id))

    def far(self, leg_id: LegId) -> str:
        """Where the SIP of the peer comes from; "" for a leg that we called, and for one that is not there."""
        leg = self._legs.get(leg_id)
        return leg.peer.host if leg is not None and leg.peer is not None else ""

    async def route(self, target_uri: str, way: Way = DIRECT) -> tuple[str, str]:
        """Our IP address as the host of ``target_uri`` should see it, and the one that media sockets bind to.

        RouteRefused where no trunk may carry the call, LocalError for a host that cannot be found,
        RemoteProtocolError for a URI that is none.
        """
        if (phone := self._phones.is_ours(target_uri)) is not None:
            peer = (await self._servers.find(target_uri, self._ringing.way_to(phone)))[0]
        else:
            route = self._calls.route(target_uri, way)
            peer = (await self._servers.find(route.target, route.way))[0]
        return self._driver.media_host(peer), self._driver.own_host(peer)

    def towards(self, host: str) -> str:
        """Our IP address as ``host``, a literal address, should see it: for a leg that is still to be dialled."""
        return self._driver.media_host(Address(host, DEFAULT_PORT))

    def _peer_of(self, leg_id: LegId) -> Address:
        leg = self._legs.get(leg_id)
        if leg is None or leg.peer is None:
            raise LocalError(f"no leg {leg_id}")
        return leg.media_peer(leg.peer)
