"""One SIP leg: the offer/answer state that the gateway keeps beside the user agent's call (RFC 3264 §4)."""

from __future__ import annotations

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.attempts import Attempts
from voicegw.sdp import description as sdp
from voicegw.sdp.codecs import Codec
from voicegw.sdp.description import SessionDescription
from voicegw.sdp.local_session import LocalSession
from voicegw.sdp.negotiate import MediaSession, NotAcceptable, accept_answer, make_answer, make_offer
from voicegw.sip.address import Address
from voicegw.sip.events import SipCallHandle


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
        "account",
        "_preferences",
        "_local",
        "_open_offer",
        "_place",
        "_session",
    )

    def __init__(
        self,
        leg_id: LegId,
        handle: SipCallHandle | None,
        peer: Address | None,
        preferences: tuple[Codec, ...],
        session_id: int,
        remote_offer: bytes = b"",
    ) -> None:
        self.leg_id = leg_id
        self.handle = handle
        self.peer = peer
        self.remote_offer = remote_offer
        """The INVITE's offer until we answer it."""
        self.attempts: Attempts | None = None
        """How our own call may go on where a server fails; None once it is answered."""
        self.cause: HangupCause | None = None
        """Why we ended it, if it was us."""
        self.confirmed = False
        self.may_refer = True
        """False where the peer's Allow leaves REFER out (RFC 3261 §20.5); without an Allow nobody knows."""
        self.account = ""
        """Whose credentials answer challenges to our INVITE."""
        self._preferences = preferences
        self._local = LocalSession(session_id)
        self._open_offer: SessionDescription | None = None
        self._place: tuple[str, int] | None = None
        self._session: MediaSession | None = None

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of ours has no answer yet."""
        return self._open_offer is not None

    def place_media(self, local_ip: str, local_port: int) -> None:
        """Say where our audio is received, before the first offer or answer."""
        self._place = (local_ip, local_port)

    def offer(self) -> bytes:
        """Our offer, under the old version if it says what we said before (RFC 3264 §8)."""
        local_ip, local_port = self._media_place()
        description = make_offer(local_ip, local_port, self._preferences)
        self._local, sent = self._local.publish(description)
        self._open_offer = sent
        return sdp.serialize(sent)

    def answer(self, offer: bytes) -> tuple[bytes, MediaSession]:
        """Our answer to ``offer``. NotAcceptable, or RemoteProtocolError for what is no description at all."""
        local_ip, local_port = self._media_place()
        answer = make_answer(sdp.parse(offer), local_ip, local_port, self._preferences)
        self._local, sent = self._local.publish(answer.description)
        self._session = answer.session
        return sdp.serialize(sent), answer.session

    def accept_answer(self, answer: bytes) -> MediaSession:
        """What the peer's answer to our open offer agreed; RemoteProtocolError where it agreed nothing."""
        offer, self._open_offer = self._open_offer, None
        if offer is None:
            raise RemoteProtocolError("an answer without an offer")
        self._session = accept_answer(offer, sdp.parse(answer))
        return self._session

    def accept_repeated(self, answer: bytes) -> MediaSession | None:
        """What the answer to our latest description, sent again, changes; None for nothing (RFC 3264 §8).

        RemoteProtocolError for one that agrees nothing: then everything stays as it was.
        """
        if not answer or self._local.last is None:
            return None
        before, session = self._session, accept_answer(self._local.last, sdp.parse(answer))
        self._session = session
        return None if session == before else session

    def _media_place(self) -> tuple[str, int]:
        if self._place is None:
            raise NotAcceptable("no media yet")
        return self._place
