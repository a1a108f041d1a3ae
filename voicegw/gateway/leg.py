"""One SIP leg: the offer/answer state that the gateway keeps beside the user agent's call (RFC 3264 §4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.attempts import Attempts, Trip
from voicegw.gateway.key_policy import KeyPolicy
from voicegw.gateway.leg_security import LegSecurity, MediaSecurity
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.sdp import description as sdp
from voicegw.sdp.codecs import Codec
from voicegw.sdp.description import SessionDescription
from voicegw.sdp.local_session import LocalSession
from voicegw.sdp.move import moved_to
from voicegw.sdp.negotiate import (
    DEFAULT_PTIME_MS,
    Answer,
    MediaSession,
    NotAcceptable,
    accept_answer,
    make_answer,
    make_offer,
)
from voicegw.sdp.security import PLAIN
from voicegw.sip.address import Address
from voicegw.sip.events import SipCallHandle
from voicegw.sip.redirection import Redirection


class SipLeg:
    """A leg and its media. ``handle`` is None while the name of the called host is being resolved."""

    __slots__ = (
        "leg_id",
        "handle",
        "peer",
        "remote_offer",
        "cause",
        "confirmed",
        "may_refer",
        "attempts",
        "redirection",
        "forward_to",
        "keys",
        "trip",
        "account",
        "agreed",
        "accepted",
        "session",
        "_forks",
        "_early_answer",
        "deadline",
        "is_untold",
        "moving",
        "_preferences",
        "_ptime_ms",
        "_local",
        "_open_offer",
        "_place",
        "_security",
    )

    def __init__(
        self,
        leg_id: LegId,
        handle: SipCallHandle | None,
        peer: Address | None,
        preferences: tuple[Codec, ...],
        session_id: int,
        remote_offer: bytes = b"",
        ptime_ms: int = DEFAULT_PTIME_MS,
        security: LegSecurity | None = None,
    ) -> None:
        self.leg_id = leg_id
        self.handle = handle
        self.peer = peer
        self.remote_offer = remote_offer
        """The INVITE's offer until we answer it."""
        self.attempts: Attempts | None = None
        """How our own call may go on where a server fails; None once it is answered."""
        self.redirection: Redirection | None = None
        """Whom our own call is sent on to; None before the first 3xx."""
        self.forward_to: TargetPolicy | None = None
        """Whom the peer may name in its place; None: whom the node says."""
        self.keys = KeyPolicy.AUTO
        """By which way keys come and go."""
        self.trip: Trip | None = None
        """How our own call by a trunk may go on by another one; None for others, and once it is answered."""
        self.cause: HangupCause | None = None
        """Why we ended it, if it was us."""
        self.confirmed = False
        self.may_refer = True
        """False where the peer's Allow leaves REFER out (RFC 3261 §20.5); without an Allow nobody knows."""
        self.account = ""
        """Whose credentials answer challenges to our INVITE."""
        self.accepted = False
        """We have answered the peer's INVITE."""
        self.agreed = False
        """The runtime knows the media of the answered leg; before that, there is early media at most."""
        self.session: MediaSession | None = None
        """What holds now, early media included."""
        self._forks: dict[str, MediaSession] = {}
        self._early_answer = b""
        self.is_untold = False
        """Refused at the door: the runtime never heard of it."""
        self.moving = False
        """Our media are elsewhere than the peer has confirmed."""
        self.deadline: asyncio.TimerHandle | None = None
        """Ends a call of ours that lasts longer than its trunk allows."""
        self._preferences = preferences
        self._ptime_ms = ptime_ms
        self._local = LocalSession(session_id)
        self._open_offer: SessionDescription | None = None
        self._place: tuple[str, int] | None = None
        self._security = security

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of ours has no answer yet."""
        return self._open_offer is not None

    @property
    def media_place(self) -> tuple[str, int] | None:
        """Where our audio is received; None before that is known."""
        return self._place

    def media_peer(self, peer: Address) -> Address:
        """Whom our media address is meant for: ``peer``, or the place in an offer of the other family (RFC 6157).

        Signalling by IPv6 and media by IPv4 are what the edge of a dual-stack network looks like.
        """
        try:
            offer = sdp.parse(self.remote_offer) if self.remote_offer else None
        except RemoteProtocolError:
            return peer
        found = [] if offer is None else [offer.connection_of(media) for media in offer.media]
        ips = [connection.ip for connection in found if connection is not None and connection.ip is not None]
        wanted = next((ip for ip in ips if not ip.is_unspecified), None)
        if wanted is None or (wanted.version == 6) == (":" in peer.host):
            return peer
        return peer._replace(host=wanted.compressed, flow=0)

    def limit(self, seconds: int, overdue: Callable[[], None]) -> None:
        """The longest that it may last from now on, in place of what held before; 0: without end."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        if seconds:
            self.deadline = asyncio.get_running_loop().call_later(seconds, overdue)

    def speak(self, preferences: tuple[Codec, ...], ptime_ms: int, security: MediaSecurity) -> None:
        """Offer this from now on: another trunk is called."""
        self._preferences, self._ptime_ms = preferences, ptime_ms
        if self._security is not None:
            self._security.settings = security
            self._security.renew()

    def may_call(self, server: Address) -> bool:
        """Whether what we have to offer may be told to this server."""
        return self._security is None or self._security.serves(server)

    def place_media(self, local_ip: str, local_port: int) -> None:
        """Say where our audio is received, before the first offer or answer."""
        self._place = (local_ip, local_port)

    def offer(self) -> bytes:
        """Our offer, under the old version if it says what we said before (RFC 3264 §8).

        NotAcceptable where nothing can be offered that SRTP as required would protect.
        """
        if not self.agreed:  # the next server is called: what another one said before its answer is over
            self.session = None
            self._forks.clear()
            if self._security is not None and self.attempts is not None:
                self._security.renew()
        local_ip, local_port = self._media_place()
        description = make_offer(
            local_ip,
            local_port,
            self.keys.pick(self._preferences),
            ptime_ms=self._ptime_ms,
            before=self._local.last,
            security=PLAIN if self._security is None else self._security.to_offer(self.peer),
        )
        self._local, sent = self._local.publish(description)
        self._open_offer = sent
        return sdp.serialize(sent)

    def moved(self) -> bytes:
        """Our latest description with the present media place; empty where we have said nothing yet.

        It is no open offer: the answer to it is for :meth:`accept_repeated`.
        """
        last, (local_ip, local_port) = self._local.last, self._media_place()
        if last is None:
            return b""
        self._local, sent = self._local.publish(moved_to(last, local_ip, local_port))
        return sdp.serialize(sent)

    def first_description(self) -> bytes:
        """Our answer to the INVITE, the same in 183 and 200 (RFC 3261 §13.2.1); our offer where it had none.

        Empty once the caller has answered that offer. Raises as ``answer`` does.
        """
        if not self.remote_offer:
            return b"" if self.session is not None else self.offer()
        if not self._early_answer:
            self._early_answer = self.answer(self.remote_offer)[0]
        return self._early_answer

    def answer(self, offer: bytes, fork: str = "") -> tuple[bytes, MediaSession]:
        """Our answer to ``offer``. NotAcceptable, or RemoteProtocolError for what is no description at all."""
        description = sdp.parse(offer)
        answer = self._answer_to(description)
        if self._security is not None and has_other_keys(self.session, answer.session):
            self._security.renew()  # whose stream begins anew may begin ours anew, too
            answer = self._answer_to(description)
        self._local, sent = self._local.publish(answer.description)
        self._forks[fork] = self._hold(answer.session)
        return sdp.serialize(sent), self._forks[fork]

    def _answer_to(self, offer: SessionDescription) -> Answer:
        local_ip, local_port = self._media_place()
        security = PLAIN if self._security is None else self._security.with_peer(self.peer)
        codecs = self.keys.pick(self._preferences)
        return make_answer(offer, local_ip, local_port, codecs, security=security)

    def _hold(self, session: MediaSession) -> MediaSession:
        """This is agreed now."""
        self.session = session = replace(session, key_tones=self.keys.has_tones)
        if self._security is not None:
            self._security.prefer(session.srtp)
        return session

    def preview_answer(self, answer: bytes, fork: str) -> MediaSession:
        """What a called side says before it answers the call; our offer stays open for the other forks."""
        if self._open_offer is None:
            raise RemoteProtocolError("an answer without an offer")
        self._forks[fork] = self._hold(accept_answer(self._open_offer, sdp.parse(answer)))
        return self._forks[fork]

    def accept_answer(self, answer: bytes, fork: str = "") -> MediaSession:
        """What the peer's answer to our open offer agreed; RemoteProtocolError where it agreed nothing.

        An empty answer confirms what this fork has said before.
        """
        offer, self._open_offer = self._open_offer, None
        if not answer and fork in self._forks:
            self.session = self._forks[fork]
            return self.session
        if offer is None:
            raise RemoteProtocolError("an answer without an offer")
        return self._hold(accept_answer(offer, sdp.parse(answer)))

    def accept_repeated(self, answer: bytes) -> MediaSession | None:
        """What the answer to our latest description, sent again, changes; None for nothing (RFC 3264 §8).

        RemoteProtocolError for one that agrees nothing: then everything stays as it was.
        """
        if not answer or self._local.last is None:
            return None
        before, session = self.session, self._hold(accept_answer(self._local.last, sdp.parse(answer)))
        return None if session == before else session

    def _media_place(self) -> tuple[str, int]:
        if self._place is None:
            raise NotAcceptable("no media yet")
        return self._place


def has_other_keys(before: MediaSession | None, after: MediaSession) -> bool:
    """Whether the peer sends with another key than it did."""
    if before is None or before.srtp is None or after.srtp is None:
        return False
    return before.srtp.receive != after.srtp.receive
