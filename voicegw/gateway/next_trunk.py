"""Calls out that one trunk could not carry are handed to the next one that carries the number.

Only what a trunk or the network behind it does wrong counts; whoever is busy, away or unwilling is so by every
trunk. What the called party has heard so far (ringing, early media) changes nothing: nobody has answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from voicegw.base.causes import HangupCause, Side
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.metrics import Counters
from voicegw.gateway.attempts import Trip
from voicegw.gateway.events import LegEnded, LegEvent, LegTrunkFailed
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.trunk_calls import Departure, TrunkCalls
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sip.address import Address

log = logging.getLogger(__name__)

_ALSO_OF_THE_TRUNK: Final = frozenset(
    {HangupCause.CREDENTIALS_REFUSED, HangupCause.NAME_NOT_FOUND, HangupCause.TRUNK_FULL}
)
"""Ours to put right, and the next trunk has other credentials, another name and lines of its own."""
_TIMED_OUT: Final = 408


class NextTrunk:
    """Decides whether a call that ended is worth another trunk. ``tell`` gets the news of each that failed."""

    def __init__(
        self, calls: TrunkCalls, driver: SipDriver, tell: Callable[[LegEvent], None], counters: Counters
    ) -> None:
        self._calls = calls
        self._driver = driver
        self._tell = tell
        self._counters = counters

    def begin(self, leg: SipLeg, trip: Trip, departure: Departure) -> None:
        """A call goes out by the trunk of ``departure``, if it has one."""
        if departure.trunk:
            trip.tried.append(departure.trunk)
            trip.may_go_on = self._calls.desk.has_other(trip.target_uri, trip.tried)
            leg.trip = trip

    def usable(self, leg: SipLeg, servers: list[Address]) -> list[Address]:
        """The servers of a trunk that our media socket, bound for the first one, can talk with; says there where
        our audio is."""
        trip = leg.trip
        if trip is None:
            return servers
        if not trip.bound:
            trip.bound = self._driver.own_host(servers[0])
            return servers
        found = [server for server in servers if self._driver.own_host(server) == trip.bound]
        if found and len(trip.tried) > 1:
            leg.place_media(self._driver.media_host(found[0]), trip.media_port)
        return found

    def after(self, leg: SipLeg, ended: LegEnded) -> Departure | None:
        """The way by the next trunk; None where the call is over: answered before, ours to end, or not the
        trunk's fault."""
        trip = leg.trip
        if trip is None or leg.cause is not None or not is_trunk_side(ended, has_rung=trip.has_rung):
            return None
        failed = trip.tried[-1]
        self._calls.desk.put_back(leg.leg_id)
        try:
            departure = self._calls.depart(
                leg.leg_id,
                trip.target_uri,
                trip.sender,
                trip.headers,
                self._driver.now,
                withheld=trip.withheld,
                tried=trip.tried,
                payer=trip.payer,
            )
        except (RouteRefused, LocalError, RemoteProtocolError) as refused:
            log.info("no other trunk takes the call: %s", refused, extra={"leg_id": leg.leg_id})
            return None
        trip.has_rung = False
        self.begin(leg, trip, departure)
        leg.attempts, leg.redirection, leg.account = None, None, departure.account
        speech = departure.speech
        leg.forward_to, leg.keys = speech.forward_to, speech.keys
        leg.speak(speech.codecs, speech.ptime_ms, speech.security)
        self._counters.add(LocatingCounter.TRUNK_FAILED_OVER)
        extra = {"leg_id": leg.leg_id, "trunk": failed, "next": departure.trunk, "cause": ended.cause.value.name}
        log.warning("a trunk could not carry a call: the next one is tried", extra=extra)
        self._tell(
            LegTrunkFailed(leg.leg_id, failed, ended.cause, ended.sip_status, ended.reason_text, departure.trunk)
        )
        return departure


def is_trunk_side(ended: LegEnded, *, has_rung: bool) -> bool:
    """Whether the trunk or the network behind it is at fault (catalogue of causes), not who was called.

    408 of a server says of a telephone that rang that nobody came, else that nothing was reached.
    """
    if ended.sip_status == _TIMED_OUT and not has_rung:
        return True
    if ended.sip_status >= 600:
        return False
    return ended.cause.value.side is Side.NETWORK or ended.cause in _ALSO_OF_THE_TRUNK
