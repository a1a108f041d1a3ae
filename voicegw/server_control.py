"""Call control as the admin API wants it, carried out by the runtime. Lives in the event loop of the calls."""

from __future__ import annotations

import os
from collections.abc import Callable

from voicegw.agents.tools.approval import Approvals, NothingWaits, Verdict
from voicegw.api.control import CallBarred, Mode, OutgoingCall, Refused, Supervisor, TransferKind
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import CallId
from voicegw.call.supervision import SupervisorMode
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.tolls.calls import Payer
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.runtime.browser_legs import BROWSER, SCHEME, browser_uri
from voicegw.runtime.control import RuntimeControl
from voicegw.runtime.node import Node
from voicegw.server_llm import LlmParts
from voicegw.sip.dialling import call_target


def node_control(node: Node) -> NodeControl:
    """Control of the calls of a node."""
    assert isinstance(node.models, LlmParts)
    assert isinstance(node.gateway, SipGateway)
    return NodeControl(
        RuntimeControl(node.manager, os.urandom), node.models.desk.approvals, node.gateway.trunks.check
    )


class NodeControl:
    """Implements the API's CallControl and Originator. Both sides refuse with the same classes."""

    def __init__(
        self,
        control: RuntimeControl,
        approvals: Approvals,
        check: Callable[[str, Payer], None] = lambda _uri, _payer: None,
    ) -> None:
        """``approvals``: where tools of the calls wait for a person. ``check`` raises RouteRefused for a call that
        no trunk may carry."""
        self._check = check
        self._control = control
        self._approvals = approvals

    async def supervise(self, call_id: CallId, supervisor: Supervisor, mode: Mode) -> None:
        """See the protocol. A person's own browser is a leg of its own, found by call and user."""
        address = supervisor.address
        if address.startswith(SCHEME):
            raise Refused(f"the address of a browser is {BROWSER!r}: only one's own can take part")
        if address == BROWSER:
            address = browser_uri(call_id, supervisor.user_id)
        await self._control.supervise(call_id, supervisor.user_name, address, SupervisorMode(mode.value))

    async def whisper_text(self, call_id: CallId, supervisor: Supervisor, text: str) -> None:
        """See the protocol."""
        await self._control.whisper_text(call_id, supervisor.user_name, text)

    async def hand_back(self, call_id: CallId, supervisor: Supervisor) -> None:
        """See the protocol."""
        await self._control.hand_back(call_id, supervisor.user_name)

    async def end(self, call_id: CallId, supervisor: Supervisor) -> None:
        """See the protocol."""
        await self._control.end(call_id, supervisor.user_name)

    async def pause_recording(self, call_id: CallId, supervisor: Supervisor, paused: bool) -> None:
        """See the protocol."""
        await self._control.pause_recording(call_id, supervisor.user_name, paused=paused)

    async def transfer(self, call_id: CallId, supervisor: Supervisor, target: str, kind: TransferKind) -> None:
        """See the protocol."""
        await self._control.transfer(call_id, supervisor.user_name, target, kind)

    async def approve_tool(self, call_id: CallId, supervisor: Supervisor, tool_call: str, approved: bool) -> None:
        """See the protocol."""
        try:
            self._approvals.judge(call_id, tool_call, Verdict(approved, supervisor.user_name))
        except NothingWaits as nothing:
            raise Refused(str(nothing)) from None

    async def originate(self, call: OutgoingCall) -> CallId:
        """See the protocol. ``to`` is a SIP URI, or a number that goes by the trunk that carries it."""
        try:
            to = call_target(call.to, call.trunk)
        except RemoteProtocolError as error:
            raise Refused(str(error)) from None
        payer = Payer(call.agent, call.user, call.key)
        try:
            self._check(to, payer)
        except RouteRefused as refused:
            if refused.barred is not None:
                raise CallBarred(refused.barred) from None
        return self._control.originate(to, call.agent, call.calling, dict(call.variables), payer)
