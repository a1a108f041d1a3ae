"""One browser's connection: its peer, its line to the media worker, and its deadlines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, assert_never

from voicegw.api.browser_ports import MakePeer, Pcm, PeerEvents
from voicegw.api.browser_session import (
    Answer,
    BrowserSession,
    Close,
    End,
    SessionCommand,
    SessionState,
    SessionTimes,
)
from voicegw.base.causes import HangupCause
from voicegw.base.clock import Clock
from voicegw.base.ids import LegId, RandomBytes
from voicegw.gateway.worker_line import WorkerLine

log = logging.getLogger(__name__)

CHECK_S: Final = 0.5
"""Deadlines are looked at this often."""
RIGHTS_S: Final = 10.0
"""Whether the supervisor still may take part is looked at this often."""


class House(Protocol):
    """Whom a connection tells; :class:`voicegw.api.browser_audio.BrowserAudio`."""

    def answered(self, leg_id: LegId, port: int) -> None:
        """The leg is up, its audio at this port of loopback."""
        ...

    def ended(self, leg_id: LegId, cause: HangupCause) -> None:
        """The leg has ended."""
        ...

    def over(self, connection: Connection) -> None:
        """Nobody needs the connection any more: shut it."""
        ...


class Connection:
    """A :class:`voicegw.runtime.browser_legs.BrowserPhone`. Those two methods may be called from any thread."""

    def __init__(
        self,
        uri: str,
        house: House,
        times: SessionTimes,
        may: Callable[[], Awaitable[bool]],
        clock: Clock,
        random: RandomBytes,
        make_peer: MakePeer,
    ) -> None:
        """``may``: whether the supervisor still may take part. Raises LocalError where there is no WebRTC."""
        self.uri = uri
        self._house = house
        self._may = may
        self._clock = clock
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._session = BrowserSession(times, clock.monotonic())
        self._peer = make_peer(PeerEvents(self._heard, self.leave, self._lost))
        self._line: WorkerLine | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self, offer: str) -> str:
        """The answer to the browser's offer; raises RemoteProtocolError and LocalError, and then it is over."""
        opened = False
        try:
            self._line = await WorkerLine.open(self._peer.play, self._random)
            answer = await self._peer.accept(offer)
            opened = True
        finally:
            if not opened:
                self.leave()
        self._watching = asyncio.create_task(self._watch(), name="browser audio")
        return answer

    def leave(self) -> None:
        """The browser has left, or another one takes its place, or the API stops."""
        self._carry_out(self._session.left(self._now()))

    async def shut(self) -> None:
        """Give everything back. Once."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        if self._line is not None:
            self._line.close()
        await self._peer.close()

    # ------------------------------------------------------------ from the loop of the calls

    def dial(self, leg_id: LegId, worker_port: int) -> None:
        """See :class:`voicegw.runtime.browser_legs.BrowserPhone`."""
        self._soon(lambda: self._dialled(leg_id, worker_port))

    def hang_up(self) -> None:
        """See :class:`voicegw.runtime.browser_legs.BrowserPhone`."""
        self._soon(lambda: self._carry_out(self._session.hung_up(self._now())))

    def _soon(self, act: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:
            log.info("a browser is asked for after the API has stopped")

    # ------------------------------------------------------------ what happens

    def _dialled(self, leg_id: LegId, worker_port: int) -> None:
        commands = self._session.dialled(leg_id, self._now())
        if self._line is not None and not any(isinstance(command, End) for command in commands):
            self._line.connect(worker_port)
        self._carry_out(commands)

    def _heard(self, pcm: Pcm, lost_samples: int) -> None:
        if self._line is not None:
            self._line.speak(pcm, lost_samples)
        self._carry_out(self._session.heard(self._now()))

    def _lost(self) -> None:
        self._carry_out(self._session.lost(self._now()))

    def _now(self) -> float:
        return self._clock.monotonic()

    def _carry_out(self, commands: list[SessionCommand]) -> None:
        for command in commands:
            match command:
                case Answer(leg_id):
                    self._house.answered(leg_id, self._line.port if self._line is not None else 0)
                case End(leg_id, cause):
                    self._house.ended(leg_id, cause)
                case Close():
                    self._house.over(self)
                case _:
                    assert_never(command)

    async def _watch(self) -> None:
        looked_at = self._now()
        while self._session.state is not SessionState.OVER:
            await asyncio.sleep(CHECK_S)
            self._carry_out(self._session.check(self._now()))
            if self._now() - looked_at >= RIGHTS_S:
                looked_at = self._now()
                if not await self._may():
                    self._carry_out(self._session.forbidden(self._now()))
