"""A browser that exists in the test only: it says what the test says, and keeps what it is played."""

from __future__ import annotations

import numpy as np

from voicegw.api.browser_ports import Pcm, PeerEvents
from voicegw.base.errors import RemoteProtocolError

OFFER = "v=0 of a test"


class FakePeer:
    """Our end of it; refuses every offer but :data:`OFFER`."""

    def __init__(self, events: PeerEvents) -> None:
        self.events = events
        self.played: list[Pcm] = []
        self.closed = 0

    async def accept(self, offer: str) -> str:
        if offer != OFFER:
            raise RemoteProtocolError("the offer cannot be answered: it is no offer")
        return "v=0 of an answer"

    def play(self, pcm: Pcm) -> None:
        self.played.append(pcm)

    async def close(self) -> None:
        self.closed += 1
        self.events.left()

    def speak(self, level: int = 1000) -> None:
        """20 ms of the supervisor's voice."""
        self.events.heard(np.full(160, level, dtype=np.int16), 0)


class Fakes:
    """Makes them and keeps them."""

    def __init__(self) -> None:
        self.made: list[FakePeer] = []

    def __call__(self, events: PeerEvents) -> FakePeer:
        self.made.append(FakePeer(events))
        return self.made[-1]
