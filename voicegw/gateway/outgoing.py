"""Calls of ours on their way to an answer: one INVITE after the other, as long as servers fail (RFC 3263 §4.3)."""

from __future__ import annotations

from dataclasses import replace

from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.gateway.attempts import Attempts, Dialled
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.servers import Servers
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.gateway.way import Way
from voicegw.sip.address import Address, bracketed
from voicegw.sip.events import CallEnded, EndedBy, SipCallHandle
from voicegw.sip.failover import UNAVAILABLE, retry_after
from voicegw.sip.redirection import FOLLOWED, Redirection

_SILENCE = (EndedBy.NO_RESPONSE, EndedBy.TRANSPORT_ERROR)


class OutgoingCalls:
    """Sends INVITEs and decides whether a call that ended is worth another one."""

    def __init__(
        self,
        driver: SipDriver,
        servers: Servers,
        policy: TargetPolicy,
        random: RandomBytes,
        counters: Counters,
    ) -> None:
        self._driver = driver
        self.policy = policy
        """Where no trunk has one of its own; may be changed."""
        self._servers = servers
        self._random = random
        self._counters = counters

    def begin(self, dialled: Dialled, servers: list[Address]) -> Attempts:
        """The attempts of a new call; ``servers`` has at least one."""
        here = self._driver.local_address(servers[0]).host
        call_id = f"{token(self._random, 20)}@{bracketed(here)}"
        return Attempts(dialled, servers, str(dialled.sender.with_tag(token(self._random, 12))), call_id)

    def invite(self, leg: SipLeg, attempts: Attempts) -> SipCallHandle:
        """Send an INVITE to the next server; LocalError for a header that would break its line, and where SRTP is
        required but its keys would be read on the way."""
        server = attempts.servers.pop(0)
        if not leg.may_call(server):
            raise LocalError(f"SRTP is required, and SIP to {server} is not under TLS")
        leg.peer, leg.attempts = server, attempts
        return self._driver.agent.invite(
            attempts.dialled.target_uri,
            attempts.sender,
            server,
            None if attempts.dialled.way.delayed_offer else leg.offer(),
            self._driver.now,
            attempts.dialled.headers,
            attempts.dialled.way.routes,
            account=leg.account,
            call_id=attempts.call_id,
            patience_s=self._servers.config.attempt_s if attempts.servers or _stands_by(leg) else None,
        )

    def note_alive(self, leg: SipLeg, status: int = 0) -> None:
        """The server of a call gave an answer."""
        if leg.trip is not None and status > 100:
            leg.trip.has_rung = True
        if leg.attempts is not None and leg.peer is not None:
            self._servers.answered(leg.peer)

    def redirected(self, leg: SipLeg, ended: CallEnded) -> Dialled | None:
        """Whom a call is sent on to by a 3xx, or by the refusal of whom a 3xx has named; None for nobody.

        Only those whom the administrator has allowed. A refusal everywhere (6xx) is the last word (§8.1.3.4).
        """
        attempts = leg.attempts
        refused = ended.ended_by is EndedBy.REMOTE_REFUSAL and ended.status < 600
        if attempts is None or not refused or leg.cause is not None:
            return None
        if ended.status in FOLLOWED:
            policy = leg.forward_to or self.policy
            leg.redirection = leg.redirection or Redirection(attempts.dialled.target_uri, policy.allows)
            leg.redirection.receive(ended.headers)
        target = leg.redirection.next_target() if leg.redirection is not None else None
        if target is None:
            return None
        # Hosts that stand in for the first target say nothing about where another one is.
        return replace(attempts.dialled, target_uri=target, way=Way(attempts.dialled.way.routes))

    def next_attempts(self, leg: SipLeg, ended: CallEnded) -> Attempts | None:
        """What to try after a call that ended before its answer; None where that was the last word.

        Only a server's failure sends a call on: whoever answers busy is busy on every way.
        """
        attempts, server = leg.attempts, leg.peer
        if attempts is None or server is None or attempts.dialled.way.addresses:
            return None
        if ended.ended_by is EndedBy.REMOTE_REFUSAL and ended.status == UNAVAILABLE:
            if (rest_s := retry_after(ended.headers)) is not None:
                self._servers.failed(server, rest_s)
        elif ended.ended_by in _SILENCE:
            self._servers.failed(server)
        else:
            if ended.ended_by is EndedBy.REMOTE_REFUSAL:
                self._servers.answered(server)
            return None
        attempts.servers = [other for other in attempts.servers if leg.may_call(other)]
        if not attempts.servers or leg.cause is not None:
            return None
        self._counters.add(LocatingCounter.FAILED_OVER)
        return attempts


def _stands_by(leg: SipLeg) -> bool:
    """Whether another trunk takes the call where this one is silent."""
    return leg.trip is not None and leg.trip.may_go_on
