"""Legs that we begin: from what is dialled to an answer, by one server, target and trunk after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import LegId, RandomBytes
from voicegw.base.personal import Personal
from voicegw.base.tasks import child_task
from voicegw.gateway.attempts import Attempts, Dialled, Trip
from voicegw.gateway.events import LegEnded
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_causes import cause_of, reason_text
from voicegw.gateway.leg_table import LegTable
from voicegw.gateway.next_trunk import NextTrunk
from voicegw.gateway.outgoing import OutgoingCalls
from voicegw.gateway.phone_book import PhoneBook
from voicegw.gateway.phone_ringing import PhoneRinging
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.tolls.book import CUT_S, Overrun
from voicegw.gateway.tolls.calls import NOBODY, Barred, Payer
from voicegw.gateway.trunk_calls import Departure, Speech, TrunkCalls
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.gateway.way import DIRECT, Way
from voicegw.ports.cluster import Line
from voicegw.sip import events as ua
from voicegw.sip.address import Address
from voicegw.sip.headers import NameAddr
from voicegw.sip.uri import SipUri

log = logging.getLogger(__name__)


class Placing:
    """``ended`` is told of legs that come to nothing; ``hangup`` ends those that last too long."""

    def __init__(
        self,
        driver: SipDriver,
        legs: LegTable,
        calls: TrunkCalls,
        outgoing: OutgoingCalls,
        next_trunk: NextTrunk,
        servers: Servers,
        phones: tuple[PhoneBook, PhoneRinging],
        ended: Callable[[SipLeg, LegEnded], None],
        overrun: Callable[[Overrun], None],
        random: RandomBytes,
    ) -> None:
        self._driver = driver
        self._legs = legs
        self._calls = calls
        self._outgoing = outgoing
        self._next_trunk = next_trunk
        self._servers = servers
        self._phones, self._ringing = phones
        self._ended = ended
        self._overrun = overrun
        self._random = random
        self._resolving: dict[LegId, asyncio.Task[None]] = {}

    def dial(
        self,
        leg_id: LegId,
        target_uri: str,
        local_ip: str,
        local_port: int,
        from_uri: str,
        *,
        display_name: str = "",
        headers: Sequence[tuple[str, str]] = (),
        account: str = "",
        way: Way = DIRECT,
        withheld: bool = False,
        payer: Payer = NOBODY,
    ) -> None:
        """Call ``target_uri`` with an offer of our own. LegRinging, LegEarlyMedia, LegAnswered and LegEnded follow.

        A number (tel:) goes by the trunk that carries it, and so does the URI of a trunk's host: the trunk says how
        the caller is shown (``withheld``: not at all), and what of ``headers`` passes. ``account`` names the
        credentials that answer challenges to a call of no trunk, ``way`` how it travels, ``payer`` on whose behalf
        it is placed, for the toll rules. Where a server is silent,
        cannot be reached or answers 503, the next one is tried, as long as there is one (RFC 3263 §4.3).

        RouteRefused where no trunk may carry the call, RemoteProtocolError for a URI that is none, LocalError for a
        header that would break its line.
        """
        sender, place = NameAddr(str(SipUri.parse(from_uri)), display_name), (local_ip, local_port)

        def call(leg_id: LegId, uri: str, way: Way) -> None:
            self._call(leg_id, self._calls.direct(uri, sender, headers, way, account), place)

        if (phone := self._phones.is_ours(target_uri)) is not None:
            self._ringing.begin(leg_id, phone, call)
            return
        departure = self._calls.depart(
            leg_id,
            target_uri,
            sender,
            headers,
            self._driver.now,
            account=account,
            way=way,
            withheld=withheld,
            payer=payer,
        )
        self._call(leg_id, departure, place, Trip(target_uri, sender, headers, withheld, local_port, payer))

    def call_off(self, leg: SipLeg, cause: HangupCause) -> None:
        """End a leg of which nobody else has heard yet: its server is still looked for."""
        if (task := self._resolving.pop(leg.leg_id, None)) is not None:
            task.cancel()
        asyncio.get_running_loop().call_soon(self._ended, leg, LegEnded(leg.leg_id, cause))

    def call_ended(self, leg: SipLeg, event: ua.CallEnded) -> None:
        """A SIP call is over: another server, the target that it named, or another trunk may go on with its leg."""
        if (attempts := self._outgoing.next_attempts(leg, event)) is not None:
            self._invite(leg, attempts)
        elif (dialled := self._outgoing.redirected(leg, event)) is not None:
            self._send_on(leg, dialled)
        else:
            cause = cause_of(event, leg.cause)
            self._give_up(leg, LegEnded(leg.leg_id, cause, event.status, reason_text(event)))

    # ---------------------------------------------------------------- one attempt after the other

    def _call(self, leg_id: LegId, departure: Departure, place: tuple[str, int], trip: Trip | None = None) -> None:
        leg = departure.speech.leg(leg_id, self._random)
        self._limit(leg, departure.speech)
        leg.place_media(*place)
        leg.account = departure.account
        if trip is not None:
            self._next_trunk.begin(leg, trip, departure)
        try:
            self._place(leg, departure.dialled)
        except (LocalError, RemoteProtocolError):
            self._legs.forget_limits(leg)
            raise

    def _limit(self, leg: SipLeg, speech: Speech) -> None:
        leg.limit(speech.max_call_s, lambda: self._overdue(leg, speech.max_call_s))

    def _overdue(self, leg: SipLeg, longest_s: int) -> None:
        """Who talks is told first, and cut off where that takes too long; who does not is let go at once."""
        barred = Barred("", "max_call_s", f"a call by this trunk may last {longest_s} s")
        overrun = Overrun(leg.leg_id, barred, ends=True, cut=leg.attempts is not None)
        if not overrun.cut:
            leg.limit(CUT_S, lambda: self._overrun(replace(overrun, cut=True)))
        self._overrun(overrun)

    def _place(self, leg: SipLeg, dialled: Dialled) -> None:
        """Send the INVITE, at once where it is known whereto."""
        servers = self._servers.find_now(dialled.target_uri, dialled.way)
        if servers is not None and not self._lines(leg):
            self._begin(leg, dialled, servers)
        else:
            self._place_later(leg, dialled)

    def _lines(self, leg: SipLeg) -> tuple[Line, ...]:
        """What it has to ask for first, because other nodes take it as well."""
        desk = self._calls.desk
        return desk.shared.wanted(desk.trunk_of(leg.leg_id), tolls=desk.tolls.book.lines(leg.leg_id))

    def _begin(self, leg: SipLeg, dialled: Dialled, servers: list[Address]) -> None:
        usable = self._next_trunk.usable(leg, servers)
        if usable and (trunk := self._trunk_behind(leg, dialled, usable)):
            log.warning("a call past the rules of a trunk is refused", extra={"trunk": trunk})
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.NOT_ALLOWED, reason_text=f"by trunk {trunk} only"))
        elif usable:
            self._invite(leg, self._outgoing.begin(dialled, usable))
        else:
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.UNREACHABLE, reason_text="no media that way"))

    def _trunk_behind(self, leg: SipLeg, dialled: Dialled, servers: Sequence[Address]) -> str:
        """The trunk whose server a call of no trunk was led to, by a name of somebody else's or a 3xx; else empty.
        Many carriers know us by our address alone, and would take it at our cost."""
        desk = self._calls.desk
        if dialled.way.addresses or desk.trunk_of(leg.leg_id) is not None:
            return ""
        found = (desk.table.trunk_at(server.host) for server in servers)
        return next((trunk.name for trunk in found if trunk is not None), "")

    def _give_up(self, leg: SipLeg, ended: LegEnded) -> None:
        """A call of ours has failed: the next trunk may carry it, else the leg is over."""
        departure = self._next_trunk.after(leg, ended)
        if departure is None:
            self._ended(leg, ended)
            return
        self._legs.detach(leg)
        self._limit(leg, departure.speech)
        try:
            self._place(leg, departure.dialled)
        except (LocalError, RemoteProtocolError) as error:
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.NAME_NOT_FOUND, reason_text=str(error)))

    def _place_later(self, leg: SipLeg, dialled: Dialled) -> None:
        self._legs.add(leg)
        work = self._find_and_invite(leg, dialled)
        self._resolving[leg.leg_id] = child_task(work, "placing of a call", lambda: self._broken(leg))

    def _send_on(self, leg: SipLeg, dialled: Dialled) -> None:
        """The called side named somebody else (3xx): the same leg calls there."""
        log.info("redirected", extra={"leg_id": leg.leg_id, "target": Personal(dialled.target_uri)})
        self._legs.detach(leg)
        try:
            self._calls.desk.redirect(leg.leg_id, dialled.target_uri)
        except RouteRefused as refused:
            self._give_up(leg, LegEnded(leg.leg_id, refused.cause, reason_text=str(refused)))
            return
        self._place_later(leg, dialled)

    def _invite(self, leg: SipLeg, attempts: Attempts) -> None:
        self._driver.traces.follow(leg.leg_id, attempts.call_id)
        handle = self._outgoing.invite(leg, attempts)
        self._legs.detach(leg)
        leg.handle = handle
        self._legs.add(leg)
        self._driver.pump()

    async def _find_and_invite(self, leg: SipLeg, dialled: Dialled) -> None:
        try:
            if lines := self._lines(leg):
                await self._calls.desk.shared.take(leg.leg_id, lines)
            servers = await self._servers.find(dialled.target_uri, dialled.way)
            self._resolving.pop(leg.leg_id, None)
            self._begin(leg, dialled, servers)
        except RouteRefused as refused:
            self._resolving.pop(leg.leg_id, None)
            self._calls.desk.tolls.noted(refused)
            self._give_up(leg, LegEnded(leg.leg_id, refused.cause, reason_text=str(refused)))
        except (LocalError, RemoteProtocolError) as error:
            self._resolving.pop(leg.leg_id, None)
            log.warning("cannot call %s: %s", Personal(dialled.target_uri), error)
            self._give_up(leg, LegEnded(leg.leg_id, HangupCause.NAME_NOT_FOUND, reason_text=str(error)))

    def _broken(self, leg: SipLeg) -> None:
        """A fault of ours: a leg that nobody ends would ring for ever."""
        self._resolving.pop(leg.leg_id, None)
        self._ended(leg, LegEnded(leg.leg_id, HangupCause.INTERNAL_ERROR))
