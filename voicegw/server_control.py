"""Call control as the admin API wants it, carried out by the runtime. Lives in the event loop of the calls."""

from __future__ import annotations

from collections.abc import Coroutine

from voicegw.api import control as api
from voicegw.base.ids import CallId
from voicegw.call.supervision import SupervisorMode
from voicegw.call.transfer_request import TransferKind
from voicegw.runtime.control import RuntimeControl
from voicegw.runtime.orders import NoSuchCall, Refused

BROWSER = "webrtc"


class NodeControl:
    """Implements the API's CallControl and Originator."""

    def __init__(self, control: RuntimeControl) -> None:
        self._control = control

    async def supervise(self, call_id: CallId, supervisor: api.Supervisor, mode: api.Mode) -> None:
        """See the protocol."""
        if supervisor.address == BROWSER:
            raise api.Refused("this server has no audio in the browser: give the SIP URI of a phone")
        wanted = SupervisorMode(mode.value)
        await _told(self._control.supervise(call_id, supervisor.user_name, supervisor.address, wanted))

    async def whisper_text(self, call_id: CallId, supervisor: api.Supervisor, text: str) -> None:
        """See the protocol."""
        await _told(self._control.whisper_text(call_id, supervisor.user_name, text))

    async def hand_back(self, call_id: CallId, supervisor: api.Supervisor) -> None:
        """See the protocol."""
        await _told(self._control.hand_back(call_id, supervisor.user_name))

    async def end(self, call_id: CallId, supervisor: api.Supervisor) -> None:
        """See the protocol."""
        await _told(self._control.end(call_id, supervisor.user_name))

    async def transfer(
        self, call_id: CallId, supervisor: api.Supervisor, target: str, kind: api.TransferKind
    ) -> None:
        """See the protocol."""
        moving = self._control.transfer(call_id, supervisor.user_name, target, TransferKind(kind.value))
        await _told(moving)

    async def approve_tool(
        self, call_id: CallId, supervisor: api.Supervisor, tool_call: str, approved: bool
    ) -> None:
        """See the protocol. No tool waits for a human yet."""
        deed = "approve" if approved else "refuse"
        raise api.Refused(f"{supervisor.user_name} cannot {deed} {tool_call}: no tool of call {call_id} waits")

    async def originate(self, call: api.OutgoingCall) -> CallId:
        """See the protocol. ``to`` is a SIP URI: there are no trunks that would know a number's way."""
        if call.trunk:
            raise api.Refused(f"there is no trunk called {call.trunk!r}")
        try:
            return self._control.originate(call.to, call.agent, call.calling)
        except Refused as refused:
            raise api.Refused(str(refused)) from None


async def _told(work: Coroutine[None, None, None]) -> None:
    """What the runtime refuses, in the API's words."""
    try:
        await work
    except NoSuchCall as missing:
        raise api.NoSuchCall(str(missing)) from None
    except Refused as refused:
        raise api.Refused(str(refused)) from None
