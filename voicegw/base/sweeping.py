"""When the gateway looks for garbage: all of it, twice a minute.

Python's own full collection comes when young objects are a quarter of the old ones: in a gateway of six calls a
second every seven minutes. Calls leave cycles behind (a hundred objects each), and what waits for seven minutes is
60,000 blocks between those of calls that live. Room around it is not used again as a whole, and the process grows
by it for hours. What is collected twice a minute leaves the same room each time.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

from voicegw.base.heaps import give_back

EVERY_S: Final = 30.0


def settle() -> None:
    """What the start has made stays as long as the server: no later collection needs to visit it.

    The event loop stands still for a collection; without what stays, for some milliseconds.
    """
    gc.collect()
    gc.freeze()


async def keep_swept(every_s: float = EVERY_S) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        gc.collect()
        give_back()
