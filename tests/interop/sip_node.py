"""A SIP gateway of ours in the test's own process, for what begins at our side: calls out and registrations."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, tone
from voicegw.base.clock import SystemClock
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegAnswered, LegEvent
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.sdp.negotiate import MediaSession
from voicegw.sip.address import Address
from voicegw.sip.nonces import SharedNonces
from voicegw.testing.ports import free_port

E = TypeVar("E", bound=LegEvent)
PATIENCE_S = 90.0
OUT = LegId("out")
US = "sip:us@carrier.test"


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; it may take no longer than a broken one should."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work

    asyncio.run(bounded())


class SipNode:
    """A started gateway; its events wait in a queue."""

    def __init__(
        self,
        locating: LocatingConfig | None = None,
        trunks: Sequence[Trunk] = (),
        config: SipConfig | None = None,
        phones: PhonesConfig | None = None,
        nonces: SharedNonces | None = None,
    ) -> None:
        self.counters = Counters()
        desk = TrunkDesk(trunks, "open", self.counters)
        self.events: asyncio.Queue[LegEvent] = asyncio.Queue()
        config = config or SipConfig(
            listen_ip="127.0.0.1",
            listen_port=free_port(),
            locating=locating or LocatingConfig(),
        )
        self.gateway = SipGateway(
            config,
            self.events.put_nowait,
            random=os.urandom,
            clock=SystemClock(),
            counters=self.counters,
            credentials=desk.credentials,
            phones=phones or PhonesConfig(),
            trunks=desk,
            nonces=nonces,
        )
        self.address: Address = self.gateway.start()

    async def expect(self, kind: type[E]) -> E:
        """The next event of this kind; others are passed over."""
        while True:
            event = await self.events.get()
            if isinstance(event, kind):
                return event

    def dial(self, target: str, media: RtpPeer) -> None:
        """Call from ``media``."""
        self.gateway.dial(OUT, target, "127.0.0.1", media.port, US)

    async def answered(self) -> MediaSession:
        """The media of the call that was dialled."""
        return (await self.expect(LegAnswered)).session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gateway.close()


async def hears(media: RtpPeer, hz: int, seconds: float = 1.0) -> None:
    """Wait until so much of a tone was heard."""
    await until(lambda: seconds_with(media.heard(), hz) >= seconds)


async def speaks_and_hears_echo(media: RtpPeer, session: MediaSession, hz: int = 1000) -> None:
    """Speak a tone to where the session says, and hear it come back."""
    media.start((session.remote_ip, session.remote_port), tone(hz, 30))
    await hears(media, hz)


async def goes_on(sipp: Sipp) -> None:
    """It is told so, and comes to its end."""
    await asyncio.to_thread(sipp.tell)
    await asyncio.to_thread(sipp.passed)


async def until(done: Callable[[], bool]) -> None:
    """Look again and again, for half a minute at most."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - what is looked at belongs to another thread
            await asyncio.sleep(0.05)
