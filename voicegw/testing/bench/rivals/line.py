"""A caller's line to any of the systems: speak, hear, hang up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import LocalError
from voicegw.testing.bench._wire import AUDIBLE, Heard, Said, WireMedia

_POLL_S: Final = 0.01


class Line(Protocol):
    """One call as its caller has it."""

    @property
    def over(self) -> bool:
        """Whether the other side has ended the call."""
        ...

    def say(self, pcm: NDArray[np.int16]) -> Said:
        """Speak 8 kHz audio, one packet every 20 ms from now on."""
        ...

    def heard(self) -> Sequence[Heard]:
        """All that came out of the receiver so far, oldest first."""
        ...

    async def hang_up(self) -> None:
        """End the call."""
        ...


class RtpLine:
    """A call over RTP: a packet is heard when it arrives."""

    def __init__(self, media: WireMedia, hang_up: Callable[[], Awaitable[None]], over: Callable[[], bool]) -> None:
        self._media = media
        self._hang_up = hang_up
        self._over = over

    @property
    def over(self) -> bool:
        """Whether the other side has ended the call."""
        return self._over()

    def say(self, pcm: NDArray[np.int16]) -> Said:
        """See :class:`Line`."""
        return self._media.say(pcm)

    def heard(self) -> Sequence[Heard]:
        """See :class:`Line`."""
        return self._media.heard

    async def hang_up(self) -> None:
        """See :class:`Line`."""
        await self._hang_up()


def audible_after(heard: Sequence[Heard], moment: float) -> Heard | None:
    """The first piece later than ``moment`` in which there is something to hear."""
    found: Heard | None = None
    for piece in reversed(heard):
        if piece.at <= moment:
            break
        if piece.peak >= AUDIBLE:
            found = piece
    return found


def audible_before(heard: Sequence[Heard], moment: float) -> Heard | None:
    """The last piece before ``moment`` in which there is something to hear."""
    return next((piece for piece in reversed(heard) if piece.at < moment and piece.peak >= AUDIBLE), None)


async def until(line: Line, condition: Callable[[], bool], patience_s: float, what: str) -> None:
    """Look every 10 ms; LocalError naming ``what`` if it does not come true or the call ends."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if line.over or time.monotonic() > deadline:
            raise LocalError(f"{what}: {'the call ended' if line.over else f'not within {patience_s:.0f} s'}")
        await asyncio.sleep(_POLL_S)
