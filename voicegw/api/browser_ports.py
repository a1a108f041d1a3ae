"""Where the connections of browsers end and a WebRTC library begins, so that the library can be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
"""Mono at 8 kHz, 20 ms at a time."""


@dataclass(frozen=True, slots=True)
class IceAccount:
    """A STUN or TURN server with what it takes to use it."""

    url: str
    username: str
    credential: str


@dataclass(frozen=True, slots=True)
class PeerEvents:
    """What a peer tells, in its own event loop."""

    heard: Callable[[Pcm, int], None]
    """A frame of the browser's, and how many samples were lost before it."""
    left: Callable[[], None]
    """The browser closed the connection."""
    lost: Callable[[], None]
    """The connection failed."""


class Peer(Protocol):
    """Our end of one browser's connection; :class:`voicegw.api.browser_peer.BrowserPeer`."""

    async def accept(self, offer: str) -> str:
        """The answer to an SDP offer; raises RemoteProtocolError for one that makes no sense."""
        ...

    def play(self, pcm: Pcm) -> None:
        """20 ms for the supervisor's ears."""
        ...

    async def close(self) -> None:
        """End the connection; the browser is told."""
        ...


MakePeer = Callable[[PeerEvents], Peer]
"""Raises LocalError where the library is not installed."""
