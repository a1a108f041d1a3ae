"""The legs of one call between signalling and media: a port, an offer or an answer, a session, an end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import CallId, LegId
from voicegw.base.personal import Personal
from voicegw.call import events as e
from voicegw.gateway.events import LegBarred
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.media import messages as m
from voicegw.runtime.one_way import LineEnds
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks
from voicegw.sdp.negotiate import MediaSession, NotAcceptable
from voicegw.sip.grammar import to_wire
from voicegw.sip.uri import escape_user

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """How a leg of ours presents itself. ``headers`` go into its INVITE; ``withheld``: it is not to be shown."""

    user: str
    display_name: str = ""
    headers: Sequence[tuple[str, str]] = ()
    withheld: bool = False
    payer: Payer = NOBODY
    """On whose behalf it calls."""


class CallLegs:
    """Carries out what the call machine wants of legs. ``adopt`` has events of a new leg delivered to the call."""

    def __init__(
        self,
        call_id: CallId,
        services: CallServices,
        tasks: ChildTasks,
        post: Callable[[e.CallEvent | LegBarred], None],
        adopt: Callable[[LegId], None],
    ) -> None:
        self._call_id = call_id
        self._services = services
        self._tasks = tasks
        self._post = post
        self._adopt = adopt
        self._places: dict[LegId, tuple[str, int]] = {}
        self._called: set[LegId] = set()
        self.sessions: dict[LegId, MediaSession] = {}
        """What is agreed, by leg."""
        self.rate_hz = 8000
        """At which the call is mixed: as its first leg speaks."""

    def open(self, leg_id: LegId) -> None:
        """Get a port for a leg that called us; MediaOpened or MediaRefused follows."""
        self._spawn(leg_id, self._open(leg_id, ""))

    def open_towards(self, leg_id: LegId, uri: str) -> None:
        """Get a port for a leg that will call ``uri``; MediaOpened or MediaRefused follows."""
        self._adopt(leg_id)
        self._called.add(leg_id)
        self._spawn(leg_id, self._open(leg_id, uri))

    def open_beside(self, leg_id: LegId, signalled: LegId) -> None:
        """Get a port for audio that has no signalling of its own but that of another leg: a recorded stream."""
        self._adopt(leg_id)
        self._spawn(leg_id, self._open(leg_id, "", signalled))

    def place_of(self, leg_id: LegId) -> tuple[str, int]:
        """The address and port of a leg that has one: MediaOpened was told."""
        return self._places[leg_id]

    def answer(self, leg_id: LegId) -> MediaSession | None:
        """Send 200; what is agreed, or None where that is still to come or never will."""
        try:
            return self._services.signalling.accept(leg_id, *self._places[leg_id])
        except NotAcceptable:
            return None  # The gateway has sent 488; LegEnded follows and cleans up.

    def early(self, leg_id: LegId) -> MediaSession | None:
        """Let a caller hear us before the answer (RFC 3960); what is agreed, or None where that is still to come.

        Raises LocalError where the caller's side cannot do it. ``answer`` may follow at any time.
        """
        if not self._services.signalling.may_hear_early(leg_id):
            raise LocalError("no early media: no offer, and no reliable responses")
        try:
            session = self._services.signalling.early(leg_id, *self._places[leg_id])
        except NotAcceptable:
            return None  # The gateway has sent 488; LegEnded follows and cleans up.
        if session is not None:
            self.configure(leg_id, session, listens=False)
        return session

    def ends(self, leg_id: LegId) -> LineEnds | None:
        """The addresses of a leg, once media are agreed."""
        session, place = self.sessions.get(leg_id), self._places.get(leg_id)
        if session is None or place is None:
            return None
        far = self._services.signalling.far_host(leg_id)
        return LineEnds(place[0], session.remote_ip, session.remote_port, far)

    def invite(self, leg_id: LegId, uri: str, caller: Caller) -> None:
        """Send the INVITE of a leg of ours; its answer or its LegEnded follows."""
        local_ip, port = self._places[leg_id]
        host = f"[{local_ip}]" if ":" in local_ip else local_ip
        try:
            self._services.signalling.dial(
                leg_id,
                uri,
                local_ip,
                port,
                f"sip:{escape_user(caller.user) or 'anonymous'}@{host}",
                display_name=to_wire(caller.display_name),
                headers=[(name, to_wire(value)) for name, value in caller.headers],
                withheld=caller.withheld,
                payer=caller.payer,
            )
        except RouteRefused as refused:
            log.warning("call refused: %s", refused, extra={"leg_id": leg_id, "cause": refused.cause.name})
            if refused.barred is not None:
                self._post(LegBarred(leg_id, refused.barred))
            self._post(e.LegEnded(leg_id, refused.cause))
        except (LocalError, RemoteProtocolError) as error:
            log.warning("cannot call %s: %s", Personal(uri), error)
            self._post(e.LegEnded(leg_id, HangupCause.UNREACHABLE))

    def configure(self, leg_id: LegId, session: MediaSession, *, listens: bool = True) -> None:
        """Pass what is agreed to the media worker. ``listens``: detect speech, and let ears hear it."""
        if not self.sessions:
            self.rate_hz = session.rate_hz
        self.sessions[leg_id] = session
        self._services.media.send(configuration_of(leg_id, session, listens=listens, called=leg_id in self._called))

    def press(self, leg_id: LegId, digits: str) -> None:
        """Send keys, by the way that is set for the leg."""
        if not self._services.signalling.send_keys(leg_id, digits):
            self._services.media.send(m.SendDtmf(leg_id, digits))

    def settle(self, leg_id: LegId, port: int) -> None:
        """Another media worker has the leg, as it was configured, at this port; its peer is still to be told."""
        self._places[leg_id] = self._places[leg_id][0], port

    def moved(self, leg_id: LegId, port: int) -> None:
        """The same, and the peer is told."""
        self.settle(leg_id, port)
        if leg_id in self.sessions:
            self._services.signalling.move_media(leg_id, *self._places[leg_id])

    def _spawn(self, leg_id: LegId, work: Coroutine[None, None, None]) -> None:
        self._tasks.spawn("open media", work, lambda _reason: self._post(e.MediaRefused(leg_id)))

    async def _open(self, leg_id: LegId, uri: str, signalled: LegId | None = None) -> None:
        signalling, told = self._services.signalling, signalled or leg_id
        try:
            if uri:
                address, bind_ip = await signalling.media_route(uri)
            else:
                address, bind_ip = signalling.media_address(told), signalling.media_bind_address(told)
            self._places[leg_id] = address, await self._services.media.open_leg(leg_id, self._call_id, bind_ip)
        except RouteRefused as refused:
            log.warning("call refused: %s", refused, extra={"leg_id": leg_id, "cause": refused.cause.name})
            self._post(e.LegEnded(leg_id, refused.cause))
            return
        except (LocalError, RemoteProtocolError) as error:
            log.warning("no media for this leg: %s", error, extra={"leg_id": leg_id})
            self._post(e.MediaRefused(leg_id))
            return
        self._post(e.MediaOpened(leg_id))


def configuration_of(
    leg_id: LegId, session: MediaSession, *, listens: bool, called: bool = False
) -> m.ConfigureLeg:
    """What is agreed, for the media worker. ``listens``: detect speech, and let ears hear it. ``called``: by us, so
    that a network may answer in place of a person."""
    return m.ConfigureLeg(
        leg_id,
        session.remote_ip,
        session.remote_port,
        session.codec,
        session.payload_type,
        dtmf_payload_type=session.dtmf_payload_type,
        receive_payload_type=session.receive_payload_type,
        dtmf_receive_payload_type=session.dtmf_receive_payload_type,
        ptime_ms=session.ptime_ms,
        send=session.send,
        receive=session.receive,
        vad=listens,
        tap=listens,
        srtp=_keys_of(session),
        rtcp_mux=session.reports.mux,
        rtcp_ip=session.reports.ip,
        rtcp_port=session.reports.port,
        dtmf_clock_hz=session.dtmf_clock_hz,
        progress=called and session.tones,
        inband_keys=session.tones and session.key_tones and session.dtmf_payload_type < 0,
        opus=session.opus,
        other_codecs=session.other_codecs,
        noise_payload_type=session.noise_payload_type,
    )


def _keys_of(session: MediaSession) -> m.LegKeys | None:
    keys = session.srtp
    if keys is None:
        return None
    return m.LegKeys(keys.send.suite, keys.send.secret, keys.receive.secret, keys.receive.mki)
