"""Calls as they pass a trunk: what an INVITE of it means to us, and what one of ours says there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId, RandomBytes
from voicegw.gateway.attempts import Dialled
from voicegw.gateway.caller_id import CallerOut, present
from voicegw.gateway.codecs import with_noise
from voicegw.gateway.events import LegInvited
from voicegw.gateway.invitation import read_invitation
from voicegw.gateway.key_policy import KeyPolicy
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.leg_security import NO_SRTP, LegSecurity, MediaSecurity, warn_of
from voicegw.gateway.recording_leg import RecordingLeg, read_recording
from voicegw.gateway.target_policy import TargetPolicy, policy_of
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_headers import outgoing
from voicegw.gateway.trunk_table import OutRoute, RouteRefused
from voicegw.gateway.way import DIRECT, Way
from voicegw.sdp.codec_choice import CN
from voicegw.sdp.codecs import Codec
from voicegw.sdp.negotiate import DEFAULT_PTIME_MS
from voicegw.sip.address import Address
from voicegw.sip.events import InviteReceived
from voicegw.sip.headers import NameAddr
from voicegw.sip.parties import number_of
from voicegw.sip.uri import SipUri

_NOBODY = "anonymous"
"""User part of From where nobody in particular is calling."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What a leg speaks, and what its peer may be asked."""

    codecs: tuple[Codec, ...]
    ptime_ms: int = DEFAULT_PTIME_MS
    may_refer: bool = True
    max_call_s: int = 0
    """The longest call; 0: no limit of the trunk's own."""
    security: MediaSecurity = NO_SRTP
    forward_to: TargetPolicy | None = None
    """Whom the peer may name for our calls; None: whom the node says."""
    keys: KeyPolicy = KeyPolicy.AUTO
    """By which way keys come and go."""

    def leg(self, leg_id: LegId, random: RandomBytes, offer: bytes = b"", *, recording: bool = False) -> SipLeg:
        """A leg that speaks so, or only listens so (``recording``), which nobody has been called for yet.

        ``offer`` is that of the peer's INVITE.
        """
        # For the o= line: unlikely to repeat (RFC 8866 §5.2), and small enough for a signed 64-bit number.
        session_id, security = int.from_bytes(random(7), "big"), LegSecurity(self.security, random)
        kind = RecordingLeg if recording else SipLeg
        leg = kind(leg_id, None, None, self.codecs, session_id, offer, self.ptime_ms, security)
        leg.forward_to, leg.keys = self.forward_to, self.keys
        return leg


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call in. ``refused`` says why it is not taken; else ``invited`` is what the runtime is told."""

    speech: Speech
    invited: LegInvited
    refused: RouteRefused | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """A call out: what its INVITE says, and whose credentials it may use ("" for nobody's)."""

    speech: Speech
    dialled: Dialled
    account: str
    trunk: str = ""
    """That carries it; empty for none."""


class TrunkCalls:
    """Asks the desk and applies what the trunk's settings say. ``node``: what is spoken where no trunk says."""

    def __init__(self, desk: TrunkDesk, node: Speech) -> None:
        self.desk = desk
        self._node = node
        warn_of(node.security)

    def speak(self, node: Speech) -> None:
        """What is spoken from now on where no trunk says."""
        self._node = node
        warn_of(node.security)

    def arrive(self, leg_id: LegId, event: InviteReceived, now: float, names: Collection[str] = ()) -> Arrival:
        """Whose call this is, and what it says. A phone of ours has proven who it is and belongs to no trunk.

        ``names``: of the verified certificate that the connection showed.
        """
        plain = read_invitation(leg_id, event.request, has_offer=bool(event.body), phone=event.phone)
        if event.phone:
            return Arrival(self._speech(None), plain, _unasked(event, None))
        try:
            trunk = self.desk.admit(leg_id, event.source, plain.called, now, names)
        except RouteRefused as refused:
            return Arrival(self._speech(None), plain, refused)
        if trunk is None:
            return Arrival(self._speech(None), plain, _unasked(event, None))
        invited = read_invitation(leg_id, event.request, has_offer=bool(event.body), trunk=trunk)
        if event.recording:
            invited = replace(invited, recording=read_recording(event))
        return Arrival(self._speech(trunk), invited, _unasked(event, trunk))

    def depart(
        self,
        leg_id: LegId,
        target_uri: str,
        sender: NameAddr,
        headers: Sequence[tuple[str, str]],
        now: float,
        *,
        account: str = "",
        way: Way = DIRECT,
        withheld: bool = False,
        tried: Collection[str] = (),
        payer: Payer = NOBODY,
    ) -> Departure:
        """The way of a call out, past the trunks ``tried``. ``account`` and ``way`` are for calls of no trunk.

        Raises RouteRefused, RemoteProtocolError for a URI that is none, LocalError for a header unfit for one.
        """
        route = self.desk.route(leg_id, target_uri, now, tried, payer)
        if route.trunk is None:
            return self.direct(route.target, sender, headers, way, account)
        dialled, name = self._dialled(route, sender, headers, withheld), route.trunk.name
        return Departure(self._speech(route.trunk), dialled, account=name, trunk=name)

    def direct(
        self, target_uri: str, sender: NameAddr, headers: Sequence[tuple[str, str]], way: Way, account: str
    ) -> Departure:
        """A call of no trunk. Raises RemoteProtocolError for a URI that is none."""
        dialled = Dialled(str(SipUri.parse(target_uri)), sender, tuple(headers), way)
        return Departure(self._speech(None), dialled, account)

    def speech_with(self, source: Address) -> Speech:
        """What is spoken with an address, whatever it calls."""
        return self._speech(self.desk.table.of_call(source.host, ""))

    def route(self, target_uri: str, way: Way = DIRECT) -> OutRoute:
        """Where a call would go, for finding out which address of ours it is made from. Raises RouteRefused."""
        route = self.desk.best(target_uri)
        return route if route.trunk is not None else OutRoute(None, route.target, way)

    def refer_target(self, target_uri: str, payer: Payer = NOBODY) -> str:
        """How a peer is told to call somebody: a number as the trunk that carries it would call it, without what is
        only for us. Raises RouteRefused, also where a toll rule holds for such calls of ours."""
        best = self.desk.best(target_uri)
        if best.trunk is not None:
            self.desk.tolls.refer(best.trunk.name, best.number, payer)
        target = SipUri.parse(best.target)
        return str(SipUri(target.host, target.user, target.port, target.params.without("transport"), target.scheme))

    def refer_headers(self, leg_id: LegId, headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """What of ``headers`` the far end of a leg may be told to say to somebody else."""
        trunk = self.desk.trunk_of(leg_id)
        if trunk is None:
            return tuple(headers)
        return outgoing(trunk.settings.headers.model_copy(update={"fixed": {}}), headers)

    def _dialled(
        self, route: OutRoute, sender: NameAddr, headers: Sequence[tuple[str, str]], withheld: bool
    ) -> Dialled:
        assert route.trunk is not None
        user = number_of(sender.uri)
        caller = CallerOut("" if user == _NOBODY else user, sender.display_text, withheld)
        from_, shown = present(route.trunk, caller)
        passed = outgoing(route.trunk.settings.headers, headers)
        return Dialled(route.target, NameAddr.parse(from_), (*passed, *shown), route.way)

    def _speech(self, trunk: Trunk | None) -> Speech:
        if trunk is None:
            return self._node
        settings = trunk.settings
        codecs = trunk.codecs or self._node.codecs
        noise = settings.comfort_noise == "send" if settings.comfort_noise else CN in self._node.codecs
        return Speech(
            with_noise(codecs, wanted=noise),
            settings.ptime_ms,
            settings.refer.outgoing,
            settings.max_call_s,
            settings.media_security(self._node.security),
            None if settings.forward_to is None else policy_of(settings.forward_to),
            settings.key_policy(self._node.keys),
        )


def _unasked(event: InviteReceived, trunk: Trunk | None) -> RouteRefused | None:
    """Why a recording session is not taken, None where it is, or where the call is none."""
    if not event.recording or (trunk is not None and trunk.settings.siprec):
        return None
    whose = f"trunk {trunk.name}" if trunk is not None else event.source.host
    return RouteRefused(HangupCause.UNKNOWN_SOURCE, f"{whose} may not open recording sessions")
