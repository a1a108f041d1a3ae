"""``voicegw serve``: answer calls. SIGINT and SIGTERM drain, a second one stops at once, SIGHUP reloads."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal

from voicegw.base.heaps import keep_large_apart, share_heaps
from voicegw.base.log import configure
from voicegw.base.precedence import take_precedence
from voicegw.base.sweeping import keep_swept, settle
from voicegw.config import load_config
from voicegw.gateway.resources import raise_file_limit
from voicegw.server_api import Served

log = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    share_heaps()
    keep_large_apart()
    config = load_config(arguments.config)
    view = config.log.view(os.environ)
    configure(config.log.level, json_lines=config.log.format == "json", view=view)
    raise_file_limit()
    log.info("the gateway runs", extra={"pid": os.getpid(), "priority": take_precedence()})
    asyncio.run(_serve(Served(config, arguments.config)))
    return 0


async def _serve(served: Served) -> None:
    node, drainer = served.node, served.node.drainer
    stop, now = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: now.set() if stop.is_set() else stop.set())
    loop.add_signal_handler(signal.SIGHUP, served.reload)
    try:
        await served.start()
        settle()
        await _first_of(drainer.wait_stop(), _stopped(served, stop), now.wait(), keep_swept())
    finally:
        await served.close()
    log.info("stopped", extra={"counters": node.counters.snapshot()})


async def _stopped(served: Served, stop: asyncio.Event) -> None:
    await stop.wait()
    served.lifecycle.stop()
    await served.node.drainer.wait_stop()


async def _first_of(*works: object) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]  # type: ignore[call-overload]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
