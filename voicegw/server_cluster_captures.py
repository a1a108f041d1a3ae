"""People at any node capture a call of any other: the order goes to the node that has it, and the file stays there.

Captures are large, and nodes are joined by Redis alone, which is no way for files: who asks elsewhere is told where
it lies.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from voicegw.api.captures import CallCaptures, Keeper, StartCapture
from voicegw.api.control import NoSuchCall, Refused
from voicegw.base.ids import CallId
from voicegw.cluster.messages import Answered, Outcome
from voicegw.cluster.node import ClusterNode
from voicegw.storage.node_files import NodeFiles

CAPTURE: Final = "capture"
PATIENCE_S: Final = 10.0
"""A file is opened, or completed, meanwhile."""
_SEEK_S: Final = 2.0


class _Order(msgspec.Struct, frozen=True, tag_field="do"):
    call_id: CallId


class _Start(_Order, frozen=True, tag="start"):
    order: StartCapture


class _Stop(_Order, frozen=True, tag="stop"):
    name: str


class _Seek(_Order, frozen=True, tag="seek"):
    """Is there a file?"""


_AnyOrder: TypeAlias = _Start | _Stop | _Seek
_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[_AnyOrder]] = msgspec.json.Decoder(_AnyOrder)


@dataclass(frozen=True, slots=True)
class CapturesHere:
    """What other nodes may want of this one."""

    captures: CallCaptures
    files: NodeFiles


class ClusterCaptures:
    """The :class:`~voicegw.api.captures.CallCaptures` of all nodes; lives in the runtime's loop. Calls to come are
    waited for at this node alone."""

    def __init__(self, local: CallCaptures, node: ClusterNode) -> None:
        self._local = local
        self._node = node
        self.arm, self.waited, self.disarm = local.arm, local.waited, local.disarm

    async def start(self, call_id: CallId, order: StartCapture) -> None:
        """See the protocol."""
        if not await self._sent(_Start(call_id, order)):
            await self._local.start(call_id, order)

    async def stop(self, call_id: CallId, name: str) -> None:
        """See the protocol."""
        if not await self._sent(_Stop(call_id, name)):
            await self._local.stop(call_id, name)

    async def keeper(self, call_id: CallId) -> Keeper | None:
        """See the protocol. Every node is asked: the call may be over, and its node be known to nobody."""
        question = _encoder.encode(_Seek(call_id))
        others = [info for info in self._node.nodes() if info.owner != self._node.owner]
        asked = (self._node.bus.ask(info.owner, CAPTURE, question, _SEEK_S) for info in others)
        answers = zip(others, await asyncio.gather(*asked), strict=True)
        found = (info for info, answer in answers if answer.outcome is Outcome.DONE)
        return next((Keeper(info.name, info.api) for info in found), None)

    async def _sent(self, order: _AnyOrder) -> bool:
        """False for a call of this node, or of nobody."""
        owner = None if self._node.is_here(order.call_id) else self._node.node_of(order.call_id)
        if owner is None:
            return False
        answer = await self._node.bus.ask(owner, CAPTURE, _encoder.encode(order), PATIENCE_S)
        if answer.outcome is Outcome.NO_SUCH_CALL:
            raise NoSuchCall(answer.text)
        if answer.outcome is not Outcome.DONE:
            raise Refused(answer.text)
        return True


async def carry_out_capture(here: CapturesHere | None, body: bytes) -> Answered:
    """What another node asks of this one."""
    if here is None:
        return Answered("", 0, Outcome.REFUSED, "this node captures nothing")
    try:
        await _obey(here, _decoder.decode(body))
    except NoSuchCall as error:
        return Answered("", 0, Outcome.NO_SUCH_CALL, str(error))
    except Refused as error:
        return Answered("", 0, Outcome.REFUSED, str(error))
    except msgspec.DecodeError:
        return Answered("", 0, Outcome.REFUSED, "this node has another version and does not know the order")
    return Answered("", 0, Outcome.DONE)


async def _obey(here: CapturesHere, order: _AnyOrder) -> None:
    match order:
        case _Start():
            await here.captures.start(order.call_id, order.order)
        case _Stop():
            await here.captures.stop(order.call_id, order.name)
        case _Seek():
            if not await asyncio.to_thread(here.files.captures_of, order.call_id):
                raise NoSuchCall(order.call_id)
