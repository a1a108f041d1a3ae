"""Legs that end in a browser: supervisors who have no telephone.

The API connects a browser (WebRTC, in its own thread) and plugs it in here under a name. A call then dials
``webrtc:NAME`` as it dials a telephone. The browser's audio comes and goes as RTP on loopback, so that the media
worker and the call machine see a leg like any other. Everything here lives in the event loop of the calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.gateway.events import LegAnswered, LegEnded, LegEvent
from voicegw.gateway.loopback import LOOPBACK
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.runtime.services import Signalling
from voicegw.sdp.codec_choice import PCMU
from voicegw.sdp.negotiate import MediaSession

BROWSER: Final = "webrtc"
"""The address of a supervisor who takes part by the browser that they have connected."""
SCHEME: Final = f"{BROWSER}:"


def browser_uri(call_id: CallId, user_id: str) -> str:
    """What a call dials to reach the browser that this user has connected for it."""
    return f"{SCHEME}{call_id}+{user_id}"


class BrowserPhone(Protocol):
    """One connected browser. Both methods return at once: the browser lives in another thread."""

    def dial(self, leg_id: LegId, worker_port: int) -> None:
        """Exchange audio with this port of the media worker; ``answered`` or ``ended`` follows."""
        ...

    def hang_up(self) -> None:
        """The leg is over."""
        ...


class BrowserLegs:
    """Which browsers are connected, and which leg each of them is."""

    def __init__(self) -> None:
        self.on_event: Callable[[LegEvent], None] = lambda _event: None
        """Who is told about these legs: the call manager."""
        self._phones: dict[str, BrowserPhone] = {}
        self._legs: dict[LegId, BrowserPhone] = {}

    # ------------------------------------------------------------ from the API, by its bridge

    async def plug(self, uri: str, phone: BrowserPhone) -> None:
        """A browser can be dialled from now on."""
        self._phones[uri] = phone

    async def unplug(self, uri: str, phone: BrowserPhone) -> None:
        """It is gone, unless another one has taken its place."""
        if self._phones.get(uri) is phone:
            del self._phones[uri]

    async def answered(self, leg_id: LegId, port: int) -> None:
        """The browser's audio comes from, and is expected at, this port of ours."""
        if leg_id in self._legs:
            session = MediaSession(LOOPBACK, port, PCMU.name, PCMU.payload_type, PCMU.payload_type, tones=False)
            self.on_event(LegAnswered(leg_id, session))

    async def ended(self, leg_id: LegId, cause: HangupCause) -> None:
        """The browser left, or was lost."""
        if self._legs.pop(leg_id, None) is not None:
            self.on_event(LegEnded(leg_id, cause))

    # ------------------------------------------------------------ from calls

    def check(self, uri: str) -> None:
        """Raises LocalError where no such browser is connected."""
        if uri not in self._phones:
            raise LocalError("no browser of this supervisor is connected for this call")

    def dial(self, leg_id: LegId, uri: str, worker_port: int) -> None:
        """Make the browser a leg; raises LocalError where it is gone."""
        self.check(uri)
        phone = self._legs[leg_id] = self._phones[uri]
        phone.dial(leg_id, worker_port)

    def hang_up(self, leg_id: LegId, cause: HangupCause) -> bool:
        """End the leg; False if it is none of ours. Its LegEnded comes later, as from a telephone."""
        phone = self._legs.pop(leg_id, None)
        if phone is None:
            return False
        phone.hang_up()
        asyncio.get_running_loop().call_soon(self.on_event, LegEnded(leg_id, cause))
        return True


class SignallingWithBrowsers:
    """Signalling for calls: the SIP gateway's, and where a leg is a browser, :class:`BrowserLegs`'.

    Only legs that we call can be browsers, so that everything about legs which called us is the gateway's.
    """

    def __init__(self, sip: Signalling, browsers: BrowserLegs) -> None:
        self._sip = sip
        self._browsers = browsers
        self.ring = sip.ring
        self.may_hear_early, self.early = sip.may_hear_early, sip.early
        self.accept = sip.accept
        self.accept_streams, self.move_streams = sip.accept_streams, sip.move_streams
        self.reject = sip.reject
        self.media_address = sip.media_address
        self.media_bind_address, self.far_host = sip.media_bind_address, sip.far_host
        self.may_refer = sip.may_refer
        self.refer = sip.refer
        self.send_keys = sip.send_keys
        self.is_settled, self.listen = sip.is_settled, sip.listen
        self.take_trace, self.take_first_trace = sip.take_trace, sip.take_first_trace

    async def media_route(self, target_uri: str) -> tuple[str, str]:
        """See :class:`Signalling`."""
        if not target_uri.startswith(SCHEME):
            return await self._sip.media_route(target_uri)
        self._browsers.check(target_uri)
        return LOOPBACK, LOOPBACK

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
        withheld: bool = False,
        payer: Payer = NOBODY,
    ) -> None:
        """See :class:`Signalling`."""
        if target_uri.startswith(SCHEME):
            self._browsers.dial(leg_id, target_uri, local_port)
            return
        self._sip.dial(
            leg_id,
            target_uri,
            local_ip,
            local_port,
            from_uri,
            display_name=display_name,
            headers=headers,
            withheld=withheld,
            payer=payer,
        )

    def move_media(self, leg_id: LegId, local_ip: str, local_port: int) -> None:
        """See :class:`Signalling`. A browser is not moved: it may connect again."""
        if not self._browsers.hang_up(leg_id, HangupCause.MEDIA_LOST):
            self._sip.move_media(leg_id, local_ip, local_port)

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        """See :class:`Signalling`."""
        if not self._browsers.hang_up(leg_id, cause):
            self._sip.hangup(leg_id, cause)
