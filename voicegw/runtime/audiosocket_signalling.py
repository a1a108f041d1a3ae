"""Signalling where some legs are AudioSocket connections: those have no SIP, and the rest is passed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.audiosocket.announcements import Announcement
from voicegw.gateway.audiosocket.config import AudioSocketConfig
from voicegw.gateway.loopback import LOOPBACK
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.runtime.services import Signalling
from voicegw.sdp.negotiate import MediaSession


class Connections(Protocol):
    """:class:`voicegw.gateway.audiosocket.legs.AudioSocketLegs`, without what it imports."""

    def owns(self, leg_id: LegId) -> bool:
        """Whether a leg is such a connection."""
        ...

    def accept(self, leg_id: LegId, worker_port: int) -> MediaSession:
        """Let audio pass."""
        ...

    def move_media(self, leg_id: LegId, worker_port: int) -> None:
        """Audio goes to another port."""
        ...

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """Close it."""
        ...

    def far_host(self, leg_id: LegId) -> str:
        """Where it comes from."""
        ...


class AudioSocketDoor(Connections, Protocol):
    """What a node has of them: a second way in for calls."""

    async def start(self) -> None:
        """Let calls in; raises LocalError where that cannot be."""
        ...

    def use(self, config: AudioSocketConfig, /) -> None:
        """Other settings of the same listeners, for connections from now on."""
        ...

    def gauges(self) -> dict[str, float]:
        """Levels for metrics; any thread may ask."""
        ...

    def announce(self, uuid: UUID, announcement: Announcement) -> None:
        """The connection of this name will be this call. Raises LocalError for one too many."""
        ...

    def drain(self) -> None:
        """Take no calls from now on."""
        ...

    def resume(self) -> None:
        """Take them again."""
        ...

    async def close(self) -> None:
        """End what is left."""
        ...


class SignallingWithAudioSocket:
    """Such a leg calls us and is never called; its Asterisk goes on in its dialplan when we hang up."""

    def __init__(self, signalling: Signalling, connections: Connections) -> None:
        self._inner = signalling
        self._own = connections
        self.dial, self.media_route = signalling.dial, signalling.media_route
        self.accept_streams, self.move_streams = signalling.accept_streams, signalling.move_streams
        self.is_settled, self.listen = signalling.is_settled, signalling.listen
        self.take_trace, self.take_first_trace = signalling.take_trace, signalling.take_first_trace

    def ring(self, leg_id: LegId) -> None:
        """See :class:`Signalling`. Asterisk makes the ringing that its caller hears."""
        if not self._own.owns(leg_id):
            self._inner.ring(leg_id)

    def may_hear_early(self, leg_id: LegId) -> bool:
        """See :class:`Signalling`."""
        return not self._own.owns(leg_id) and self._inner.may_hear_early(leg_id)

    def early(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """See :class:`Signalling`."""
        return None if self._own.owns(leg_id) else self._inner.early(leg_id, local_ip, local_port)

    def accept(self, leg_id: LegId, local_ip: str, local_port: int) -> MediaSession | None:
        """See :class:`Signalling`."""
        if self._own.owns(leg_id):
            return self._own.accept(leg_id, local_port)
        return self._inner.accept(leg_id, local_ip, local_port)

    def reject(self, leg_id: LegId, cause: HangupCause) -> None:
        """See :class:`Signalling`."""
        if self._own.owns(leg_id):
            self._own.hangup(leg_id, cause)
        else:
            self._inner.reject(leg_id, cause)

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """See :class:`Signalling`."""
        if self._own.owns(leg_id):
            self._own.hangup(leg_id, cause)
        else:
            self._inner.hangup(leg_id, cause)

    def media_address(self, leg_id: LegId) -> str:
        """See :class:`Signalling`."""
        return LOOPBACK if self._own.owns(leg_id) else self._inner.media_address(leg_id)

    def media_bind_address(self, leg_id: LegId) -> str:
        """See :class:`Signalling`."""
        return LOOPBACK if self._own.owns(leg_id) else self._inner.media_bind_address(leg_id)

    def far_host(self, leg_id: LegId) -> str:
        """See :class:`Signalling`."""
        return self._own.far_host(leg_id) if self._own.owns(leg_id) else self._inner.far_host(leg_id)

    def move_media(self, leg_id: LegId, local_ip: str, local_port: int) -> None:
        """See :class:`Signalling`."""
        if self._own.owns(leg_id):
            self._own.move_media(leg_id, local_port)
        else:
            self._inner.move_media(leg_id, local_ip, local_port)

    def send_keys(self, leg_id: LegId, digits: str) -> bool:
        """See :class:`Signalling`. Asterisk takes no key from us: they go as tones."""
        return not self._own.owns(leg_id) and self._inner.send_keys(leg_id, digits)

    def may_refer(self, leg_id: LegId) -> bool:
        """See :class:`Signalling`. Whom we transfer, we bridge."""
        return not self._own.owns(leg_id) and self._inner.may_refer(leg_id)

    def refer(
        self,
        leg_id: LegId,
        target_uri: str,
        replaced: LegId | None = None,
        headers: Sequence[tuple[str, str]] = (),
        payer: Payer = NOBODY,
    ) -> None:
        """See :class:`Signalling`."""
        self._inner.refer(leg_id, target_uri, replaced, headers, payer)
