"""Cycles are collected while a server runs, and not only when Python pleases."""

from __future__ import annotations

import asyncio
import gc
import weakref

from voicegw.base.sweeping import keep_swept


class Call:
    """It knows itself, as calls do."""

    def __init__(self) -> None:
        self.legs = [self]


def test_what_knows_itself_goes() -> None:
    async def story() -> None:
        gone = asyncio.Event()
        call = Call()
        weakref.finalize(call, gone.set)
        del call
        sweeping = asyncio.ensure_future(keep_swept(0.01))
        await asyncio.wait_for(gone.wait(), 30)
        sweeping.cancel()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(story())
    finally:
        gc.enable()
