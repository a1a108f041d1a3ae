"""People at any node control a call on any other: orders go to the node that has the call, which calls the
supervisor's phone itself. A browser's audio is the exception: it has to be connected to that node."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from voicegw.api.control import CallControl, Mode, NoSuchCall, Refused, Supervisor, TransferKind
from voicegw.base.ids import CallId
from voicegw.cluster.messages import Answered, Outcome
from voicegw.cluster.node import ClusterNode
from voicegw.ports.cluster import Owner
from voicegw.runtime.browser_legs import BROWSER

PATIENCE_S: Final = 33.0
"""A supervisor's phone may ring for half a minute."""
ORDER: Final = "order"


class _Order(msgspec.Struct, frozen=True, tag_field="do"):
    call_id: CallId
    supervisor: Supervisor


class _Supervise(_Order, frozen=True, tag="supervise"):
    mode: Mode


class _Whisper(_Order, frozen=True, tag="whisper"):
    text: str


class _HandBack(_Order, frozen=True, tag="hand back"):
    pass


class _End(_Order, frozen=True, tag="end"):
    pass


class _Pause(_Order, frozen=True, tag="pause"):
    paused: bool


class _Transfer(_Order, frozen=True, tag="transfer"):
    target: str
    kind: TransferKind


class _Approve(_Order, frozen=True, tag="approve"):
    tool_call: str
    approved: bool


_AnyOrder: TypeAlias = _Supervise | _Whisper | _HandBack | _End | _Pause | _Transfer | _Approve
_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[_AnyOrder]] = msgspec.json.Decoder(_AnyOrder)


class ClusterControl:
    """A :class:`~voicegw.api.control.CallControl` of the calls of all nodes; lives in the runtime's loop."""

    def __init__(self, local: CallControl, node: ClusterNode) -> None:
        self._local = local
        self._node = node

    async def supervise(self, call_id: CallId, supervisor: Supervisor, mode: Mode) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.supervise(call_id, supervisor, mode)
            return
        if supervisor.address == BROWSER:
            raise Refused(f"the call is on node {owner.name}: connect the browser there")
        await self._send(owner, _Supervise(call_id, supervisor, mode))

    async def whisper_text(self, call_id: CallId, supervisor: Supervisor, text: str) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.whisper_text(call_id, supervisor, text)
        else:
            await self._send(owner, _Whisper(call_id, supervisor, text))

    async def hand_back(self, call_id: CallId, supervisor: Supervisor) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.hand_back(call_id, supervisor)
        else:
            await self._send(owner, _HandBack(call_id, supervisor))

    async def end(self, call_id: CallId, supervisor: Supervisor) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.end(call_id, supervisor)
        else:
            await self._send(owner, _End(call_id, supervisor))

    async def pause_recording(self, call_id: CallId, supervisor: Supervisor, paused: bool) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.pause_recording(call_id, supervisor, paused)
        else:
            await self._send(owner, _Pause(call_id, supervisor, paused))

    async def transfer(self, call_id: CallId, supervisor: Supervisor, target: str, kind: TransferKind) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.transfer(call_id, supervisor, target, kind)
        else:
            await self._send(owner, _Transfer(call_id, supervisor, target, kind))

    async def approve_tool(self, call_id: CallId, supervisor: Supervisor, tool_call: str, approved: bool) -> None:
        """See the protocol."""
        if (owner := self._elsewhere(call_id)) is None:
            await self._local.approve_tool(call_id, supervisor, tool_call, approved)
        else:
            await self._send(owner, _Approve(call_id, supervisor, tool_call, approved))

    def _elsewhere(self, call_id: CallId) -> Owner | None:
        return None if self._node.is_here(call_id) else self._node.node_of(call_id)

    async def _send(self, owner: Owner, order: _AnyOrder) -> None:
        answer = await self._node.bus.ask(owner, ORDER, _encoder.encode(order), PATIENCE_S)
        if answer.outcome is Outcome.NO_SUCH_CALL:
            raise NoSuchCall(answer.text)
        if answer.outcome is not Outcome.DONE:
            raise Refused(answer.text)


async def carry_out(control: CallControl | None, what: str, body: bytes) -> Answered:
    """What another node asks of this one."""
    if what != ORDER or control is None:
        return Answered("", 0, Outcome.REFUSED, f"this node cannot do that: {what}")
    try:
        await _obey(control, _decoder.decode(body))
    except NoSuchCall as error:
        return Answered("", 0, Outcome.NO_SUCH_CALL, str(error))
    except Refused as error:
        return Answered("", 0, Outcome.REFUSED, str(error))
    except msgspec.DecodeError:
        return Answered("", 0, Outcome.REFUSED, "this node has another version and does not know the order")
    return Answered("", 0, Outcome.DONE)


async def _obey(control: CallControl, order: _AnyOrder) -> None:
    call_id, who = order.call_id, order.supervisor
    match order:
        case _Supervise():
            await control.supervise(call_id, who, order.mode)
        case _Whisper():
            await control.whisper_text(call_id, who, order.text)
        case _HandBack():
            await control.hand_back(call_id, who)
        case _End():
            await control.end(call_id, who)
        case _Pause():
            await control.pause_recording(call_id, who, order.paused)
        case _Transfer():
            await control.transfer(call_id, who, order.target, order.kind)
        case _Approve():
            await control.approve_tool(call_id, who, order.tool_call, order.approved)
