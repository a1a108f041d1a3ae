"""A leg that only records: the offer/answer state of a recording session (RFC 7866), with several streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.events import RecordingOffer
from voicegw.gateway.leg import SipLeg, has_other_keys
from voicegw.gateway.leg_security import LegSecurity
from voicegw.sdp import description as sdp
from voicegw.sdp.codecs import Codec
from voicegw.sdp.move import sections_moved_to
from voicegw.sdp.negotiate import DEFAULT_PTIME_MS, NotAcceptable
from voicegw.sdp.recording import RecordedStream, agreed_streams, answer_streams, wanted_places
from voicegw.sdp.security import PLAIN, Security
from voicegw.sip.address import Address
from voicegw.sip.events import InviteReceived, SipCallHandle
from voicegw.sip.siprec import metadata_of


class Due(Enum):
    """What the open offer of the client came in, and so how it is answered."""

    INVITE = "INVITE"
    REINVITE = "re-INVITE"
    OFFER = "UPDATE"


class RecordingLeg(SipLeg):
    """``due`` is None while no offer of the client is open; the offer itself is ``remote_offer``."""

    __slots__ = ("due", "streams", "_keys")

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
        """A leg whose INVITE is to be answered."""
        super().__init__(leg_id, handle, peer, preferences, session_id, remote_offer, ptime_ms, security)
        self.due: Due | None = Due.INVITE
        self.streams: tuple[RecordedStream, ...] = ()
        """What is agreed."""
        self._keys: dict[int, LegSecurity] = {}
        """Each stream has keys of its own (RFC 4568 §6.1), by the number of its section."""

    def open_offer(self, due: Due, offer: bytes) -> tuple[int, ...]:
        """The client offers; returns the sections that need a port. Raises RemoteProtocolError for what is none."""
        places = wanted_places(sdp.parse(offer))
        self.due, self.remote_offer = due, offer
        return places

    def answer_streams(self, local_ip: str, ports: Mapping[int, int]) -> tuple[bytes, tuple[RecordedStream, ...]]:
        """Our answer to the open offer. Raises NotAcceptable where none of its streams suits us."""
        (offer, due), self.due, self.remote_offer = (self.remote_offer, self.due), None, b""
        description, codecs = sdp.parse(offer), self.keys.pick(self._preferences)
        answer = answer_streams(description, local_ip, ports, codecs, self._security_of)
        if due is Due.INVITE and not answer.streams:
            raise NotAcceptable("nothing to record")
        before = {stream.place: stream.session for stream in self.streams}
        anew = [one.place for one in answer.streams if has_other_keys(before.get(one.place), one.session)]
        if anew:  # whose stream begins anew may begin our reports on it anew, too
            for place in anew:
                self._keys.pop(place, None)
            answer = answer_streams(description, local_ip, ports, codecs, self._security_of)
        self._local, sent = self._local.publish(answer.description)
        self.streams = self._with_keys(answer.streams)
        return sdp.serialize(sent), self.streams

    def _security_of(self, place: int) -> Security:
        if self._security is None:
            return PLAIN
        if place not in self._keys:
            self._keys[place] = LegSecurity(self._security.settings, self._security.random)
        return self._keys[place].with_peer(self.peer)

    def repeat_offer(self) -> bytes:
        """Our side as it is, for a client that asks for an offer."""
        if self._local.last is None:
            raise RemoteProtocolError("nothing is agreed yet", 488)
        self._open_offer = self._local.last
        return sdp.serialize(self._local.last)

    def moved_streams(self, local_ip: str, ports: Mapping[int, int]) -> bytes:
        """Our side with its streams at other ports, by the numbers of their sections; empty before there is any.

        It is no open offer: the answer to it is for :meth:`accept_streams`.
        """
        if self._local.last is None:
            return b""
        self._local, sent = self._local.publish(sections_moved_to(self._local.last, local_ip, ports))
        return sdp.serialize(sent)

    def accept_streams(self, answer: bytes) -> tuple[RecordedStream, ...]:
        """What the client's answer to our side, said again, agreed; RemoteProtocolError where it agreed nothing."""
        offer, self._open_offer = self._open_offer or self._local.last, None
        if offer is None:
            raise RemoteProtocolError("an answer without an offer")
        self.streams = self._with_keys(agreed_streams(offer, sdp.parse(answer)))
        return self.streams

    def _with_keys(self, streams: tuple[RecordedStream, ...]) -> tuple[RecordedStream, ...]:
        """The same, with tones taken for keys where that is set."""
        has_tones = self.keys.has_tones
        return tuple(replace(one, session=replace(one.session, key_tones=has_tones)) for one in streams)


def read_recording(event: InviteReceived) -> RecordingOffer:
    """What the INVITE of a recording session offers, and what it says of it. Nothing it says makes it fail here."""
    try:
        places = wanted_places(sdp.parse(event.body))
    except RemoteProtocolError:
        places = ()
    return RecordingOffer(places, metadata_of(event.request))
