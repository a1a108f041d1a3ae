"""A server whose calls can be controlled: reads orders (a JSON object a line) from standard input, prints answers.

``voicegw serve`` offers the same through its API; a test of telephones needs no web server in between.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.interop.process import time_with_a_processor
from voicegw.base.log import configure
from voicegw.call.supervision import SupervisorMode
from voicegw.config import load_config
from voicegw.runtime.control import RuntimeControl
from voicegw.runtime.orders import Refused
from voicegw.server import build

_BOSS = "Ada"


async def carry_out(control: RuntimeControl, order: dict[str, str]) -> Any:
    """One order about the only call."""
    call_id = next((call.call_id for call in control.live()), None)
    if call_id is None:
        return None
    match order["do"]:
        case "admit":
            return control.admit(call_id, _BOSS)
        case "supervise":
            began = time_with_a_processor()
            await control.supervise(call_id, _BOSS, order["uri"], SupervisorMode(order["mode"]))
            return round((time_with_a_processor() - began) * 1000, 1)
        case "hand_back":
            await control.hand_back(call_id, _BOSS)
            return True
        case _:
            return None


def main(configuration: str) -> None:
    """Serve until standard input ends."""
    from tests.interop.warm_server import lay_out_store  # loaded in the process that forks, and only there

    lay_out_store(Path(configuration).parent)
    asyncio.run(_serve(Path(configuration)))


async def _serve(configuration: Path) -> None:
    config = load_config(configuration)
    configure("warning")
    node = build(config)
    control = RuntimeControl(node.manager, os.urandom)
    await node.start()
    print(json.dumps("ready"), flush=True)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = await carry_out(control, json.loads(line))
            except Refused:
                answer = None  # the call is not up yet, or not any more
            print(json.dumps(answer), flush=True)
    finally:
        await node.drain(1.0)
        await node.close()
