"""Legs whose far end is exchanged while the call goes on: by REFER (RFC 3515), or by Replaces (RFC 3891).

A leg keeps its name, its port and its place in the call; only the dialog behind it changes. So whoever hears it
goes on hearing it, and the call is told of new media as after a re-INVITE. A REFER is followed by a leg that nobody
else knows of, dialled to the target from the same port: when that is answered, it takes the place of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import LegId, RandomBytes, token
from voicegw.gateway.events import (
    LegAnswered,
    LegBarred,
    LegEnded,
    LegEvent,
    LegMediaChanged,
    LegReferralFailed,
    LegReferred,
    LegReplaced,
    LegRinging,
)
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_table import LegTable
from voicegw.gateway.sip_driver import SipDriver
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sip import events as ua
from voicegw.sip.events import SipCallHandle
from voicegw.sip.headers import NameAddr
from voicegw.sip.sip_call import SipCallState

REPLACED = 'SIP;cause=200;text="Replaced by another dialog"'
_UNAVAILABLE = 503
_DECLINED = 603


class Dial(Protocol):
    """How a leg is dialled; :meth:`voicegw.gateway.sip_leg.SipGateway.dial`."""

    def __call__(
        self,
        leg_id: LegId,
        target_uri: str,
        local_ip: str,
        local_port: int,
        from_uri: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        payer: Payer = NOBODY,
    ) -> None: ...


class Legs(Protocol):
    """What the gateway does with legs; :class:`voicegw.gateway.sip_leg.SipGateway`."""

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """End a leg."""
        ...


@dataclass(slots=True)
class Move:
    """A REFER that is being followed. ``scout`` is the leg that is dialled; ``old`` the dialog that asked."""

    leg_id: LegId
    scout: LegId
    old: SipCallHandle
    target: str
    is_orphan: bool = False
    """The old far end has hung up already; some do so as soon as we agree to call somebody else."""


class LegMoves:
    """Owned by the gateway, whose table of legs it changes."""

    def __init__(
        self,
        driver: SipDriver,
        legs: LegTable,
        policy: TargetPolicy,
        report: Callable[[LegEvent], None],
        gateway: Legs,
        random: RandomBytes,
    ) -> None:
        self._driver = driver
        self._agent = driver.agent
        self._legs = legs
        self.policy = policy
        """Where no trunk has one of its own; may be changed."""
        self._report = report
        self._gateway = gateway
        self._random = random
        self._by_scout: dict[LegId, Move] = {}
        self._by_leg: dict[LegId, Move] = {}

    # ---------------------------------------------------------------- REFER

    def asked(self, leg: SipLeg | None, event: ua.ReferReceived, dial: Dial) -> None:
        """A far end asks us to talk with somebody else in its place."""
        now = self._driver.now
        if leg is None or self._agent.state_of(event.handle) is not SipCallState.CONFIRMED:
            self._agent.answer_refer(event.handle, 481, now)
            return
        if leg.media_place is None or leg.leg_id in self._by_leg:
            self._agent.answer_refer(event.handle, _DECLINED, now)
            return
        allowed = (leg.forward_to or self.policy).allows(event.target)
        self._report(LegReferred(leg.leg_id, event.target, allowed))
        self._agent.answer_refer(event.handle, 202 if allowed else _DECLINED, now)
        if allowed:
            self._follow(leg, event, leg.media_place, dial)

    def _follow(self, leg: SipLeg, event: ua.ReferReceived, place: tuple[str, int], dial: Dial) -> None:
        move = Move(leg.leg_id, LegId(token(self._random, 16)), event.handle, event.target)
        self._by_scout[move.scout] = self._by_leg[leg.leg_id] = move
        us, them = self._agent.parties(event.handle)
        headers = [("Referred-By", event.referred_by or f"<{them}>")]
        if event.replaces:
            headers += [("Replaces", event.replaces), ("Require", "replaces")]
        try:
            dial(move.scout, event.target, *place, us, headers=headers, payer=self._legs.payer_of(leg.leg_id))
        except RouteRefused as refused:
            if refused.barred is not None:
                self._report(LegBarred(leg.leg_id, refused.barred))
            self._fail(move, refused.cause.value.sip_status, refused.cause)
        except (LocalError, RemoteProtocolError):
            self._fail(move, _UNAVAILABLE, HangupCause.UNREACHABLE)

    def takes(self, event: LegEvent) -> bool:
        """Take an event of a scout, which is nobody else's business; False for any other leg."""
        move = self._by_scout.get(event.leg_id)
        if move is None:
            return False
        match event:
            case LegRinging(_, status):
                self._agent.notify_refer(move.old, status, self._driver.now)
            case LegAnswered():
                self._arrive(move, event)
            case LegEnded(_, cause, status):
                self._fail(move, status or _UNAVAILABLE, cause)
        return True

    def _arrive(self, move: Move, event: LegAnswered) -> None:
        """The target answered: from now on it is what is behind the leg."""
        self._forget(move)
        scout, old = self._legs.by_id[move.scout], self._legs.by_id[move.leg_id]
        scout.confirmed = True
        self._legs.forget_limits(old)
        self._legs.rename(move.scout, move.leg_id)
        if old.handle is not None:
            self._legs.by_handle.pop(old.handle, None)
        self._agent.notify_refer(move.old, 200, self._driver.now)
        self._report(LegReplaced(move.leg_id, move.target))
        self._report(LegMediaChanged(move.leg_id, event.session))

    def _fail(self, move: Move, status: int, cause: HangupCause) -> None:
        """The target did not answer. The old far end is told, and stays; without one the leg is over."""
        self._forget(move)
        self._agent.notify_refer(move.old, status, self._driver.now)
        self._report(LegReferralFailed(move.leg_id, move.target, status))
        if move.is_orphan and (leg := self._legs.get(move.leg_id)) is not None and self._legs.remove(leg):
            self._report(LegEnded(move.leg_id, cause, status))

    def concluded(self, handle: SipCallHandle) -> None:
        """The far end that asked knows how it went. One whose leg has another far end now is hung up on."""
        if handle not in self._legs.by_handle:
            self._agent.bye(handle, self._driver.now, REPLACED)

    # ---------------------------------------------------------------- Replaces

    def replace(self, old: SipLeg, new: SipLeg, request: ua.InviteReceived) -> None:
        """A new dialog takes the place of the one behind ``old``; refused where its media do not suit us."""
        now, place = self._driver.now, old.media_place
        if place is None or old.handle is None:
            self._agent.reject(request.handle, 488, now)
            return
        new.place_media(*place)
        try:
            body, session = new.answer(request.body) if request.body else (new.offer(), None)
        except RemoteProtocolError as error:
            self._agent.reject(request.handle, error.status_hint, now)
            return
        self.abandon(old.leg_id)
        new.deadline = old.deadline
        new.confirmed = new.accepted = new.agreed = True
        self._legs.by_id[old.leg_id] = self._legs.by_handle[request.handle] = new
        self._legs.by_handle.pop(old.handle, None)
        self._agent.accept(request.handle, body, now)
        self._agent.bye(old.handle, now, REPLACED)
        self._report(LegReplaced(old.leg_id, NameAddr.parse(request.request.headers.get("From") or "").uri))
        if session is not None:
            self._report(LegMediaChanged(old.leg_id, session))

    # ---------------------------------------------------------------- ends

    def outlives(self, leg: SipLeg, event: ua.CallEnded) -> bool:
        """Whether a leg goes on although its far end has hung up: it waits for the one that it was referred to."""
        move = self._by_leg.get(leg.leg_id)
        if move is None or event.ended_by is not ua.EndedBy.REMOTE_BYE:
            self.abandon(leg.leg_id)
            return False
        move.is_orphan = True
        self._legs.by_handle.pop(event.handle, None)
        leg.handle = None
        if leg.session is not None:
            self._report(LegMediaChanged(leg.leg_id, replace(leg.session, send=False, receive=False)))
        return True

    def abandon(self, leg_id: LegId) -> None:
        """The leg is to end, or has another far end: nobody is to be called for it any more."""
        move = self._by_leg.get(leg_id)
        if move is not None:
            self._forget(move)
            self._agent.notify_refer(move.old, 487, self._driver.now)
            self._gateway.hangup(move.scout, HangupCause.TRANSFER_OFF)

    def _forget(self, move: Move) -> None:
        del self._by_scout[move.scout]
        del self._by_leg[move.leg_id]
