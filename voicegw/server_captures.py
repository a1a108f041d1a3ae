"""Packet captures as the admin API wants them, carried out by the runtime. Lives in the event loop of the calls."""

from __future__ import annotations

import os
from collections.abc import Sequence

from voicegw.api.captures import Keeper, StartCapture, Waited
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, RandomBytes, token
from voicegw.runtime.capture_house import Armed, CaptureHouse
from voicegw.runtime.control import RuntimeControl
from voicegw.runtime.node import Node
from voicegw.runtime.orders import Refused


class NodeCaptures:
    """Implements the API's CallCaptures."""

    def __init__(self, control: RuntimeControl, house: CaptureHouse, random: RandomBytes) -> None:
        self._control = control
        self._house = house
        self._random = random

    async def start(self, call_id: CallId, order: StartCapture) -> None:
        """See the protocol."""
        await self._control.start_capture(call_id, order)

    async def stop(self, call_id: CallId, name: str) -> None:
        """See the protocol."""
        await self._control.stop_capture(call_id, name)

    async def arm(self, number: str, count: int, seconds: float, order: StartCapture) -> Waited:
        """See the protocol."""
        armed = Armed(token(self._random, 8), number, count, self._house.now() + seconds, order)
        try:
            self._house.arm(armed)
        except LocalError as error:
            raise Refused(str(error)) from None
        return self._told(armed)

    async def waited(self) -> Sequence[Waited]:
        """See the protocol."""
        return [self._told(armed) for armed in self._house.armed()]

    async def disarm(self, id: str) -> bool:
        """See the protocol."""
        return self._house.disarm(id)

    async def keeper(self, call_id: CallId) -> Keeper | None:  # noqa: ARG002 - of the protocol
        """See the protocol: this node knows of no other."""
        return None

    def _told(self, armed: Armed) -> Waited:
        left_s = armed.until - self._house.now()
        return Waited(armed.id, armed.number, armed.left, left_s, armed.order.name, armed.order.audio)


def node_captures(node: Node) -> NodeCaptures:
    """Those of a node's own calls."""
    return NodeCaptures(RuntimeControl(node.manager, os.urandom), node.manager.captures, os.urandom)
